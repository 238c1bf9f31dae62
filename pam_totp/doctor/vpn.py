"""OpenVPN's configurations, and its auth-pam plugin's way of answering prompts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pam_totp.doctor.machine import Machine

_PLACES: Final = ("/etc/openvpn", "/etc/openvpn/server")
_PLUGIN: Final = re.compile(r"(?:^|/)openvpn-plugin-auth-pam\.so$")
_MOST_PAIRS: Final = 16  # the plugin's own limit


@dataclass(frozen=True, slots=True)
class Option:
    """One line of a configuration, its words without quotes."""

    number: int
    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Server:
    """A configuration that asks PAM through the plugin: `service`, and pairs of what a prompt
    begins with and what answers it."""

    file: Path
    options: tuple[Option, ...]
    plugin: Option
    service: str
    pairs: tuple[tuple[str, str], ...]

    def option(self, *begins: str) -> Option | None:
        """Return the last line that begins with these words, as OpenVPN takes it."""
        found = (o for o in reversed(self.options) if (o.name, *o.words)[: len(begins)] == begins)
        return next(found, None)

    def answer(self, prompt: str) -> str | None:
        """Return what the plugin answers to a prompt, None where it fails the login: the first
        pair that the prompt begins with, without regard to case, after what is neither letter
        nor digit."""
        asked = re.sub(r"^[\W_]+", "", prompt, flags=re.ASCII).lower()
        return next((value for name, value in self.pairs if asked.startswith(name.lower())), None)


def servers(machine: Machine) -> Iterator[Server]:
    """Yield the configurations of this machine that have the plugin, by name."""
    for place in _PLACES:
        # No directory, nor a pipe, which would be waited for.
        for file in filter(Path.is_file, sorted(machine.at(place).glob("*.conf"))):
            options = tuple(_options(file.read_text(errors="backslashreplace")))
            plugin = next((o for o in options if _is_plugin(o)), None)
            if plugin is not None:
                yield _server(file, options, plugin)


def _server(file: Path, options: tuple[Option, ...], plugin: Option) -> Server:
    service, *words = [word for text in plugin.words[1:] for word in text.split()] or [""]
    pairs = tuple(zip(words[::2], words[1::2], strict=False))[:_MOST_PAIRS]
    return Server(file, options, plugin, service, pairs)


def _is_plugin(option: Option) -> bool:
    return option.name == "plugin" and bool(option.words and _PLUGIN.search(option.words[0]))


def _options(text: str) -> Iterator[Option]:
    inside = ""  # of <ca> ... </ca>
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if inside:
            inside = "" if bare == f"</{inside}>" else inside
        elif begins := re.fullmatch(r"<([\w-]+)>", bare):
            inside = begins[1]
        elif words := _words(bare):
            yield Option(number, words[0].removeprefix("--"), tuple(words[1:]))


def _words(line: str) -> list[str]:
    if line.startswith(("#", ";")):
        return []
    words = shlex.shlex(line, posix=True, punctuation_chars=False)
    words.whitespace_split, words.commenters = True, "#;"
    try:
        return list(words)
    except ValueError:  # a quote that is not closed
        return line.split()
