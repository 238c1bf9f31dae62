"""`pam-totp.yaml`: every option, and everything that is none."""

from __future__ import annotations

import dataclasses
import platform
from pathlib import Path
from typing import Any

import pytest
import yaml

from pam_totp import config
from pam_totp.config import OPTIONS, Config
from pam_totp.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "etc/pam-totp.yaml"
DEFAULTS = Config(
    issuer=platform.node(),
    language="en",
    data_directory=Path("/var/lib/pam-totp"),
    key_file=Path("/etc/pam-totp/seal.key"),
    runtime_directory=Path("/run/pam-totp"),
    prompt_password="Password: ",
    prompt_code="Verification code: ",
    fail_delay=2.0,
    person_timeout=600.0,
    administrator_groups=("sudo", "wheel", "admin"),
    notify=None,
    notify_mail="{account}",
    notify_from="root",
)
FLIPPED: dict[str, tuple[Any, Any]] = {
    "issuer": ("Example & Söhne", "Example & Söhne"),
    "language": ("de_DE.UTF-8", "de_DE.UTF-8"),
    "data-directory": ("/srv/totp", Path("/srv/totp")),
    "key-file": ("/srv/key", Path("/srv/key")),
    "runtime-directory": ("/run/other", Path("/run/other")),
    "prompt-password": ("Passwort: ", "Passwort: "),
    "prompt-code": ("Code: ", "Code: "),
    "fail-delay": (0, 0.0),
    "person-timeout": (10.5, 10.5),
    "administrator-groups": (["it"], ("it",)),
    "notify": (["/usr/local/sbin/tell", "--as", "-"], ("/usr/local/sbin/tell", "--as", "-")),
    "notify-mail": ("{account}+totp@example.org", "{account}+totp@example.org"),
    "notify-from": ("it@example.org", "it@example.org"),
}
TEXTS: list[Any] = [42, True, None, [], {}, "", "  ", "two\nlines", "\x1b[2J"]
MAILBOXES: list[Any] = [*TEXTS, "a b@example.org", "a@b@c", "-x", "@example.org", "|id", "a,b", "é"]
PATHS: list[Any] = [42, True, None, [], "", "relative/path", "~/path", "/a\0b"]
WRONG: dict[str, list[Any]] = {
    "issuer": [*TEXTS, "with: colon"],
    "language": [*TEXTS, "C", "german", "../de", "de/../../x", "de\0", "de\n", "de:en"],
    "data-directory": PATHS,
    "key-file": PATHS,
    "runtime-directory": PATHS,
    "prompt-password": TEXTS,
    "prompt-code": TEXTS,
    "fail-delay": ["2", True, None, [], -0.1, 60.1, float("nan"), float("inf")],
    "person-timeout": ["600", False, None, {}, 9.9, 3600.1, float("nan")],
    "administrator-groups": ["sudo", ["sudo", 1], [""], None, {}],
    "notify": [True, None, 1, {}, [], "/bin/tell", "Mail", ["tell"], ["/bin/tell", 5], ["/a\0b"]],
    "notify-mail": [
        *(
            value.replace("a", "{account}", 1) if isinstance(value, str) else value
            for value in MAILBOXES
        ),
        *("all@example.org", "x@{account}.org", "{account}{account}", "{name}@example.org"),
    ],
    "notify-from": [*MAILBOXES, "{account}"],
}
FORMS = {
    "issuer": "a line of text",
    "language": "a language such as en, de or de_DE",
    "data-directory": "an absolute path",
    "key-file": "an absolute path",
    "runtime-directory": "an absolute path",
    "prompt-password": "a line of text",
    "prompt-code": "a line of text",
    "fail-delay": "0 to 60",
    "person-timeout": "10 to 3600",
    "administrator-groups": "a list of groups",
    "notify": "off, mail, or a command: [/absolute/path/of/program, argument, ...]",
    "notify-mail": "a mail address with {account} in it",
    "notify-from": "a mail address",
}


def test_every_option_is_tested() -> None:
    """This file knows every option of the table, in no other way than by its name."""
    names = [option.name for option in OPTIONS]
    assert names == list(FLIPPED) == list(WRONG) == list(FORMS)
    assert [o.attribute for o in OPTIONS] == [f.name for f in dataclasses.fields(Config)]


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "{}", "---\n"])
def test_nothing_said(text: str) -> None:
    """A file that says nothing means the defaults."""
    assert config.parse(text, "f") == DEFAULTS


@pytest.mark.parametrize("name", FLIPPED)
def test_every_option_flipped(name: str) -> None:
    """An option changes its own value and no other."""
    written, value = FLIPPED[name]
    found = config.parse(yaml.safe_dump({name: written}), "f")
    assert found == dataclasses.replace(DEFAULTS, **{name.replace("-", "_"): value})


@pytest.mark.parametrize(
    ("written", "value"),
    [("off", None), ('"off"', None), ("mail", "mail"), ("[/bin/tell]", ("/bin/tell",))],
)
def test_notices(written: str, value: Any) -> None:
    """Notices are off, mailed or a command's, as an administrator writes it."""
    assert config.parse(f"notify: {written}", "f").notify == value


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in WRONG.items() for v in values])
def test_a_wrong_value(name: str, value: Any) -> None:
    """A value of the wrong type or out of its range names file, key and expected form."""
    with pytest.raises(ConfigError) as caught:
        config.parse(yaml.safe_dump({name: value}), "/etc/f.yaml")
    assert str(caught.value).startswith(f"/etc/f.yaml: {name}: expected ")
    assert FORMS[name] in str(caught.value)


@pytest.mark.parametrize("key", ["Issuer", "data_directory", "windows", 1, None, True])
def test_an_unknown_key(key: Any) -> None:
    """An unknown key is an error that names it, and the hint names those that there are."""
    with pytest.raises(ConfigError, match="f: unknown option") as caught:
        config.parse(yaml.safe_dump({key: "x"}), "f")
    assert repr(key) in str(caught.value)
    assert all(option.name in (caught.value.hint or "") for option in OPTIONS)


@pytest.mark.parametrize(
    "text",
    [
        "issuer: [",
        "issuer: a: b",
        "\tissuer: a",
        "? [a]\n: b",
        "issuer: !!python/object/apply:os.system [true]",
        "issuer: &a [*a]\nx: *b",
        "issuer: \x00",
        "issuer: 2020-99-99",
        "fail-delay: !!int abc",
        "fail-delay: !!float abc",
        "- issuer",
        "issuer",
        "42",
        "a: 1\n---\nb: 2",
    ],
)
def test_what_is_no_configuration(text: str) -> None:
    """What is not YAML, or not lines of `option: value`, is an error that names the file."""
    with pytest.raises(ConfigError, match=r"^/etc/f\.yaml"):
        config.parse(text, "/etc/f.yaml")


def test_an_option_said_twice() -> None:
    """An option that stands there twice is a contradiction, and the error names it."""
    with pytest.raises(ConfigError, match="issuer"):
        config.parse("issuer: one\nfail-delay: 1\nissuer: two\n", "f")


def test_the_reference_is_the_defaults() -> None:
    """The shipped configuration is the reference: it parses to the defaults, and still does
    with every option taken out of its comment."""
    text = config.reference()
    assert SHIPPED.read_text(encoding="utf-8").strip() == text.strip()
    assert config.parse(text, "f") == DEFAULTS
    lines = (line.lstrip("#") if line.startswith("#") else "" for line in text.splitlines())
    said = "\n".join(line for line in lines if not line.startswith(" "))
    assert [line.partition(":")[0] for line in said.split("\n") if line] == list(FLIPPED)
    found = config.parse(said, "f")
    assert dataclasses.replace(found, issuer=DEFAULTS.issuer) == DEFAULTS


@pytest.mark.parametrize("issuer", ["Example", "Söhne & Co", "#1", "yes", "42", "'", "a b"])
def test_a_reference_with_an_issuer(issuer: str) -> None:
    """The configuration that set-up writes says the issuer, whatever it is."""
    found = config.parse(config.reference(issuer), "f")
    assert found == dataclasses.replace(DEFAULTS, issuer=issuer)


def test_a_file_is_read(tmp_path: Path) -> None:
    """`load` reads UTF-8 whatever the locale, and names the file."""
    path = tmp_path / "f.yaml"
    path.write_bytes("issuer: Söhne\n".encode())
    assert config.load(path).issuer == "Söhne"
    path.write_bytes(b"issuer: \xff\n")
    with pytest.raises(ConfigError, match=str(path)):
        config.load(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Where nothing was set up, the hint is the command that sets up."""
    with pytest.raises(ConfigError, match="not there") as caught:
        config.load(tmp_path / "f.yaml")
    assert caught.value.hint == "pam-totp setup"
    with pytest.raises(ConfigError, match=str(tmp_path)):
        config.load(tmp_path)


def test_what_was_found_is_said() -> None:
    """An error names the file, the option, the expected form, and what stands there, cut."""
    with pytest.raises(ConfigError) as caught:
        config.parse("fail-delay: soon", "f.yaml")
    assert str(caught.value) == (
        "f.yaml: fail-delay: expected a number of seconds, 0 to 60, found 'soon'"
    )
    with pytest.raises(ConfigError) as caught:
        config.parse(f"data-directory: {'x' * 500}", "f.yaml")
    assert str(caught.value).endswith(f"found '{'x' * 80}'")
