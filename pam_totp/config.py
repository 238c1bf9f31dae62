"""`pam-totp.yaml`: the static facts of a host.

The options stand in one table, in the order of the documentation; parser, shipped
configuration and test come from it.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from pam_totp import credential
from pam_totp.credential import Place
from pam_totp.errors import ConfigError
from pam_totp.speech import is_language

DEFAULT_PATH: Final = Path("/etc/pam-totp/pam-totp.yaml")
MAIL: Final = "mail"
# Whatever else an address may hold means more to one mail program or another.
MAILBOX: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*(@[A-Za-z0-9][A-Za-z0-9.-]*)?")

Notify = Literal["mail"] | tuple[str, ...] | None
"""By which way notices leave: the local mail, a command, or none."""


@dataclass(frozen=True, slots=True)
class Config:
    """A host's configuration; times are seconds."""

    issuer: str
    language: str
    data_directory: Path
    key_file: Place
    runtime_directory: Path
    prompt_password: str
    prompt_code: str
    fail_delay: float
    person_timeout: float
    administrator_groups: tuple[str, ...]
    notify: Notify
    notify_mail: str
    notify_from: str


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table: `parse` returns the value or raises ValueError saying the form."""

    name: str
    default: str
    parse: Callable[[Any], Any]
    meaning: str

    @property
    def attribute(self) -> str:
        return self.name.replace("-", "_")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("a line of text")
    return value


def _issuer(value: Any) -> str:
    if ":" in _text(value):
        raise ValueError("a line of text without a colon")
    return str(value)


def _language(value: Any) -> str:
    if not isinstance(value, str) or not is_language(value):
        raise ValueError("a language such as en, de or de_DE")
    return value


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise ValueError("an absolute path")
    return Path(value)


def _key_place(value: Any) -> Place:
    if isinstance(value, str) and value.startswith(credential.PREFIX):
        return credential.parse(value)
    try:
        return _path(value)
    except ValueError:
        raise ValueError("an absolute path, or credential:NAME") from None


def _seconds(least: float, most: float) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"a number of seconds, {least:g} to {most:g}")
        if not least <= value <= most:
            raise ValueError(f"{least:g} to {most:g} seconds")
        return float(value)

    return parse


def _groups(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ValueError("a list of groups: [sudo, wheel]")
    return tuple(value)


def _notify(value: Any) -> Notify:
    if value is False or value == "off":  # YAML takes off for false
        return None
    if value == MAIL:
        return MAIL
    words = isinstance(value, list) and all(isinstance(w, str) and "\0" not in w for w in value)
    if not words or not value or not value[0].startswith("/"):
        raise ValueError("off, mail, or a command: [/absolute/path/of/program, argument, ...]")
    return tuple(value)


def _notify_mail(value: Any) -> str:
    local, account, rest = str(value).partition("{account}")
    if not account or "@" in local or not _is_mailbox(f"{local}a{rest}"):
        raise ValueError("a mail address with {account} in it")
    return str(value)


def _mailbox(value: Any) -> str:
    if not _is_mailbox(value):
        raise ValueError("a mail address, or the name of an account of this machine")
    return str(value)


def _is_mailbox(value: Any) -> bool:
    return isinstance(value, str) and MAILBOX.fullmatch(value) is not None


OPTIONS: Final = (
    Option(
        "issuer",
        "the machine's name",
        _issuer,
        "What authenticator apps show above the account's name.",
    ),
    Option(
        "language",
        "en",
        _language,
        "In which language people are spoken to where the application does not say (it does\n"
        "by LC_ALL, LC_MESSAGES or LANG in the PAM environment): en or de. Prompts are not\n"
        "translated.",
    ),
    Option(
        "data-directory",
        "/var/lib/pam-totp",
        _path,
        "Where secrets and state are kept. Owned by root, mode 0700.",
    ),
    Option(
        "key-file",
        "/etc/pam-totp/seal.key",
        _key_place,
        "The key that seals the secrets. Keep a copy of it elsewhere: without it every\n"
        "account must enroll anew. Owned by root, mode 0400. credential:NAME is a systemd\n"
        "credential of pam-totpd.service; then logins need the service (docs/keys.md).",
    ),
    Option(
        "runtime-directory",
        "/run/pam-totp",
        _path,
        "Where the service makes its sockets. pam_totp.so looks in /run/pam-totp, fixed\n"
        "when it was built.",
    ),
    Option(
        "prompt-password",
        '"Password: "',
        _text,
        "How `collect` asks for the password. Applications match prompts by how they\n"
        "begin: what changes here changes in OpenVPN's plugin line too.",
    ),
    Option(
        "prompt-code",
        '"Verification code: "',
        _text,
        "How the code is asked for; the same holds.",
    ),
    Option(
        "fail-delay",
        "2",
        _seconds(0, 60),
        "How long a refusal takes at least, in seconds (0 to 60). The same for a wrong\n"
        "password and a wrong code, so that nobody learns which of the two it was; 2 is\n"
        "what pam_unix asks for.",
    ),
    Option(
        "person-timeout",
        "600",
        _seconds(10, 3600),
        "How long a person may take to answer a prompt, in seconds (10 to 3600).",
    ),
    Option(
        "administrator-groups",
        "[sudo, wheel, admin]",
        _groups,
        "The groups of this machine whose members are administrators, beside root and\n"
        "local accounts with that right (pam-totp account grant-admin).",
    ),
    Option(
        "notify",
        "off",
        _notify,
        "How people are told of enrollment, removal, reset, used recovery codes and locks\n"
        "of their accounts: off, mail (by /usr/sbin/sendmail), or a command, which gets the\n"
        "text on standard input: [/usr/local/sbin/tell, argument]. pam-totp-notify reads\n"
        "this when it starts: systemctl restart pam-totp-notify.",
    ),
    Option(
        "notify-mail",
        '"{account}"',
        _notify_mail,
        'Where `notify: mail` sends to, for instance "{account}@example.org".',
    ),
    Option(
        "notify-from",
        "root",
        _mailbox,
        "Whom it is from.",
    ),
)


def load(path: Path = DEFAULT_PATH) -> Config:
    """Return the configuration in the file at `path`.

    Raises ConfigError naming the file, the key and the expected form; unknown keys are errors.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: not there", hint="pam-totp setup") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Config:
    """Return the configuration that `text` says; `name` is what errors call it."""
    found = _read(text, name)
    known = {option.name: option for option in OPTIONS}
    for key in found:
        if key not in known:
            raise ConfigError(f"{name}: unknown option {key!r}", hint=f"known: {', '.join(known)}")
    return Config(**{o.attribute: _value(o, found, name) for o in OPTIONS})


def _read(text: str, name: str) -> dict[Any, Any]:
    try:
        node, found = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise ConfigError(f"{name}{line}: not YAML") from None
    except ValueError as error:  # a date that there is not, `!!int abc`
        raise ConfigError(f"{name}: {error}") from None
    if found is None:
        return {}
    if not isinstance(found, dict) or not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{name}: expected lines of the form `option: value`")
    _check_said_once([key for key, _ in node.value], name)
    return found


def _check_said_once(keys: list[yaml.Node], name: str) -> None:
    """Raise ConfigError for an option that stands there twice: YAML would take the last."""
    said: set[Any] = set()
    for key in keys:
        if str(key.value) in said:
            line = key.start_mark.line + 1
            raise ConfigError(f"{name}, line {line}: {key.value} stands there twice")
        said.add(str(key.value))


def _value(option: Option, found: dict[str, Any], name: str) -> Any:
    if option.name not in found:
        return _default(option)
    try:
        return option.parse(found[option.name])
    except ValueError as error:
        found_there = str(found[option.name])[:80]
        raise ConfigError(
            f"{name}: {option.name}: expected {error}, found {found_there!r}"
        ) from None


def _default(option: Option) -> Any:
    if option.name == "issuer":
        return platform.node() or "localhost"
    return option.parse(yaml.safe_load(option.default))


def reference(issuer: str | None = None) -> str:
    """Return the shipped configuration: every option, commented out, at its default."""
    lines = [
        "# pam-totp.yaml: the static facts of this host. Every option stands here at its",
        "# default; the service reads this file when it starts.",
        "",
    ]
    for option in OPTIONS:
        lines += [f"# {line}" for line in option.meaning.splitlines()]
        if option.name == "issuer" and issuer is not None:
            lines += [yaml.safe_dump({"issuer": issuer}, allow_unicode=True).rstrip(), ""]
        else:
            lines += [f"#{option.name}: {option.default}", ""]
    return "\n".join(lines)
