"""The service's unit is one that systemd understands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[3] / "etc" / "systemd" / "pam-totpd.service"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_has_nothing_to_say(tmp_path: Path) -> None:
    """Systemd verifies the unit without a word, once the program is one that is there."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/sbin/pam-totpd", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_stopping_has_time_to_finish() -> None:
    """The unit gives the service longer to stop than the service gives its logins."""
    from pam_totp.bridge.service import STOP_SECONDS  # noqa: PLC0415

    settings = dict(
        line.split("=", 1)
        for line in UNIT.read_text().splitlines()
        if "=" in line and line[0] != "#"
    )
    assert float(settings["TimeoutStopSec"]) > STOP_SECONDS
