"""The units are ones that systemd understands."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pam_totp.bridge.service import STOP_SECONDS
from pam_totp.notices.run import SECONDS

UNITS = Path(__file__).parents[3] / "etc" / "systemd"
UNIT = UNITS / "pam-totpd.service"
NOTIFY = UNITS / "pam-totp-notify.service"


@pytest.mark.parametrize("shipped", UNITS.iterdir(), ids=lambda path: path.stem)
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_has_nothing_to_say(shipped: Path, tmp_path: Path) -> None:
    """Systemd verifies a unit without a word, once the program is one that is there."""
    unit = tmp_path / shipped.name
    unit.write_text(re.sub("(?m)^ExecStart=.*", "ExecStart=/bin/true", shipped.read_text()))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def settings(unit: Path) -> dict[str, str]:
    """Return a unit's settings."""
    lines = (line for line in unit.read_text().splitlines() if "=" in line and line[0] != "#")
    return dict(line.split("=", 1) for line in lines)


def test_stopping_has_time_to_finish() -> None:
    """The units give their processes longer to stop than these give logins and notices."""
    assert float(settings(UNIT)["TimeoutStopSec"]) > STOP_SECONDS
    assert float(settings(NOTIFY)["TimeoutStopSec"]) > SECONDS


def test_the_sandbox_of_notices_lets_mail_through() -> None:
    """What sends mail may be set-group-id: nothing takes that away, as the service's does."""
    assert "NoNewPrivileges" in settings(UNIT)
    allowed = settings(NOTIFY)
    assert not {"NoNewPrivileges", "User", "DynamicUser", "CapabilityBoundingSet"} & set(allowed)
