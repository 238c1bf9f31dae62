"""Log lines about what went wrong."""

from __future__ import annotations

from pam_totp.bridge.log import Occasional, describe


def _fail(number: int) -> None:
    if number:
        _fail(number - 1)
    raise OSError(28, "No space for alice's 123456")


def _caught() -> BaseException:
    try:
        _fail(30)
    except OSError as error:
        return error
    raise AssertionError


def test_an_exception_is_described_by_kind_number_and_places() -> None:
    """A description has the type, an error number and the innermost places, and no words."""
    line = describe(_caught())
    assert line.startswith("OSError (errno 28) at bridge/test_log.py:")
    assert "alice" not in line
    assert "123456" not in line
    assert line.count("_fail") == 12


def test_an_exception_from_nowhere_is_described() -> None:
    """An exception that was never raised has no place, and is described all the same."""
    assert describe(KeyError("123456")) == "KeyError at an unknown place"


def test_a_flood_of_lines_is_held_back() -> None:
    """Of lines within an interval the first is written, and the next one counts the rest."""
    written: list[str] = []
    now = [100.0]
    occasional = Occasional(written.append, interval=10, now=lambda: now[0])
    for moment in (100.0, 101.0, 109.9, 110.0, 130.0):
        now[0] = moment
        occasional("refused")
    assert written == ["refused", "refused (and 2 more before)", "refused"]
