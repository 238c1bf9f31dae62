"""Reading PAM files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pam_totp.stack import StackError, Tree, pamfile, services_using_module
from pam_totp.stack.pamfile import Line

FILE = Path("/etc/pam.d/x")


def only(text: str) -> Line:
    """Return the only line of a text."""
    (line,) = pamfile.parse(text, FILE)
    return line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auth required pam_unix.so", ("auth", "required", "pam_unix.so", ())),
        ("AUTH\tReQuired pam_unix.so nullok", ("auth", "required", "pam_unix.so", ("nullok",))),
        ("  -auth optional /lib/a.so x", ("auth", "optional", "/lib/a.so", ("x",))),
        (
            "auth [success=1 default=ignore]  pam_unix.so a [b c] # d",
            ("auth", "[success=1 default=ignore]", "pam_unix.so", ("a", "[b c]")),
        ),
        (
            "auth required \\\n pam_unix.so \\\n nullok",
            ("auth", "required", "pam_unix.so", ("nullok",)),
        ),
        ("@include common-auth", ("", "include", "common-auth", ())),
        ("auth substack /etc/pam.d/y", ("auth", "substack", "/etc/pam.d/y", ())),
    ],
)
def test_a_line(text: str, expected: tuple[object, ...]) -> None:
    """Types and words are read in any case, brackets keep their blanks, comments end a line,
    and a backslash goes on in the next."""
    line = only(text)
    assert (line.type, line.control, line.module, line.arguments) == expected
    assert line.optional == text.strip().startswith("-")


def test_numbers() -> None:
    """A line knows its place, also behind comments and lines that go on."""
    text = "# a \\\nauth required \\\n  a.so\n\naccount required b.so\n"
    assert [(line.number, line.length) for line in pamfile.parse(text, FILE)] == [(2, 2), (5, 1)]


@pytest.mark.parametrize(
    "text",
    [
        "atuh required pam_unix.so",
        "auth required",
        "auth requird pam_unix.so",
        "auth [success=1 pam_unix.so",
        "auth [succes=1] pam_unix.so",
        "auth [success=jump] pam_unix.so",
        "auth [success] pam_unix.so",
        "@include",
        "@include a b",
    ],
)
def test_a_line_that_is_not_understood(text: str) -> None:
    """What libpam would stumble over is an error that names file and line."""
    with pytest.raises(StackError, match=r"^/etc/pam\.d/x:2: ") as caught:
        pamfile.parse(f"auth required a.so\n{text}\n", FILE)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("control", "answer", "expected"),
    [
        ("required", "auth_err", "bad"),
        ("requisite", "auth_err", "die"),
        ("sufficient", "success", "done"),
        ("optional", "auth_err", "ignore"),
        ("[success=2 default=ignore]", "success", "2"),
        ("[success=2]", "auth_err", "bad"),
    ],
)
def test_actions(control: str, answer: str, expected: str) -> None:
    """A control's words mean what pam.conf(5) says."""
    found = pamfile.actions(only(f"auth {control} a.so"))
    assert found.get(answer, found["default"]) == expected


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file system with PAM's two places."""
    for place in ("etc/pam.d", "usr/lib/pam.d"):
        (tmp_path / place).mkdir(parents=True)
    return tmp_path


def write(root: Path, name: str, text: str, place: str = "etc/pam.d") -> None:
    """Write a service file."""
    (root / place / name).write_text(text)


def modules(root: Path, service: str, kind: str = "auth") -> list[str]:
    """Return the names of the modules of a resolved stack."""
    return [rule.line.name for rule in Tree(root).stack(service, kind)]


def test_includes(root: Path) -> None:
    """@include, include and substack are followed, relative and absolute, each for its type."""
    write(root, "common-auth", "auth required a.so\naccount required no.so\n")
    write(root, "deep", "auth include /etc/pam.d/common-auth\nsession required no.so\n")
    write(root, "x", "@include common-auth\nauth substack deep\nauth optional b.so\n")
    assert modules(root, "x") == ["a.so", "a.so", "b.so"]
    assert modules(root, "x", "account") == ["no.so"]
    inside = [rule.in_substack for rule in Tree(root).stack("x", "auth")]
    assert inside == [False, True, False]


def test_places(root: Path) -> None:
    """/etc/pam.d comes before /usr/lib/pam.d, and `other` speaks for who has no file."""
    write(root, "x", "auth required vendor.so", "usr/lib/pam.d")
    write(root, "other", "auth required pam_deny.so")
    assert modules(root, "x") == ["vendor.so"]
    write(root, "x", "auth required own.so")
    assert modules(root, "x") == ["own.so"]
    assert modules(root, "unknown") == ["pam_deny.so"]


def test_a_circle(root: Path) -> None:
    """Files that include each other are an error, not an endless loop."""
    write(root, "x", "@include y")
    write(root, "y", "@include x")
    with pytest.raises(StackError, match="more than 16 files deep"):
        modules(root, "x")


def test_a_missing_include(root: Path) -> None:
    """A file that is not there is named, with the line that includes it."""
    write(root, "x", "# first\n@include gone\n")
    with pytest.raises(StackError, match=r"pam\.d/x:2: includes 'gone', which is not there"):
        modules(root, "x")


def test_pam_conf(tmp_path: Path) -> None:
    """A machine whose libpam reads /etc/pam.conf is told so."""
    with pytest.raises(StackError, match=r"/etc/pam\.conf"):
        modules(tmp_path, "sshd")


def test_services_using_the_module(root: Path) -> None:
    """Services are found through includes and by absolute path; comments, included files,
    leavings of editors and files that are broken do not count."""
    write(root, "pam-totp", "auth required pam_totp.so")
    write(root, "sshd", "@include pam-totp")
    write(root, "login", "auth required /lib/security/pam_totp.so")
    write(root, "su", "# auth required pam_totp.so\nauth required pam_unix.so")
    write(root, "chsh", "account required pam_totp.so\nauth required pam_unix.so")
    write(root, "sudo~", "@include pam-totp")
    write(root, "broken", "auth required pam_totp.so\nnonsense\n")
    assert services_using_module(root) == ["login", "sshd"]


def test_the_shipped_stacks() -> None:
    """Every stack that is shipped is understood."""
    for path in (Path(__file__).parents[3] / "etc/pam.d").iterdir():
        assert len(pamfile.read(path)) >= 2
