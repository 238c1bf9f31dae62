"""What is said to people, in their language.

English stands in `pam_totp/words/`, the translations in gettext's catalogs.  A language comes
with each call and not from this process's locale: one process talks to many people.
"""

from __future__ import annotations

import gettext
import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

DOMAIN: Final = "pam-totp"
DIRECTORY: Final = Path("/usr/share/locale")

_LONGEST: Final = 200  # characters, of a list of languages too
_LANGUAGE: Final = re.compile(r"([a-z]{2,3})(_[A-Z]{2})?(\.[A-Za-z0-9-]+)?(@[a-z]+)?", re.ASCII)
_PLACE: Final = re.compile(r"\{(\w+)\}|[{}]")


class Speech:
    """Says things in one language; what it has no words for, in English.  It never raises."""

    def __init__(self, catalog: gettext.NullTranslations) -> None:
        self._catalog = catalog

    def __call__(self, message: str, **values: object) -> str:
        """Return `message` translated, each `{named}` place taken by its value as it is."""
        return _said(self._catalog.gettext(message), (message, message), message, values)

    def many(self, messages: tuple[str, str], number: int, **values: object) -> str:
        """Return the one of `messages` (one, many) that goes with `number`, which is the value
        of `{number}`."""
        english = messages[number != 1]
        translated = self._catalog.ngettext(*messages, number)
        return _said(translated, messages, english, {"number": number, **values})


ENGLISH: Final = Speech(gettext.NullTranslations())


def speech(language: str = "") -> Speech:
    """Return how things are said in a language: `de`, `de_DE.UTF-8`, `C`, or several with
    colons between them, the first that there is.  Anything else is English.

    SECURITY: a client of an application chooses it.  What does not look like a language never
    becomes part of a path.
    """
    if len(language) > _LONGEST:
        return ENGLISH
    for one in language.split(":"):
        found = _LANGUAGE.fullmatch(one)
        if found is None or found[1] == "en":
            return ENGLISH
        catalog = _catalog(found[1] + (found[2] or "")) or _catalog(found[1])
        if catalog is not None:
            return catalog
    return ENGLISH


def locale_of(environ: Mapping[str, str]) -> str:
    """Return the locale for words that an environment names, "" if it names none."""
    named = (environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return next((locale for locale in named if locale), "")


def language_of(environ: Mapping[str, str]) -> str:
    """Return the languages that a program's environment asks for, "" if it asks for none: as
    gettext has it, LANGUAGE goes before the locale, but not before C."""
    locale = locale_of(environ)
    return (is_language(locale) and environ.get("LANGUAGE")) or locale


def is_language(text: str) -> bool:
    """Whether a text looks like the name of a language, such as `de` or `de_DE.UTF-8`."""
    return len(text) <= _LONGEST and _LANGUAGE.fullmatch(text) is not None


def languages() -> list[str]:
    """Return the languages in which everything can be said here, by name."""
    found = (path.parts[-3] for path in _directory[0].glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    return sorted({"en", *found})


def read_from(directory: Path) -> None:
    """Take the catalogs of this directory, DIRECTORY until now, from here on."""
    _directory[:] = [directory]
    _catalog.cache_clear()


_directory: Final = [DIRECTORY]


@lru_cache(maxsize=64)  # what a client can ask for is more
def _catalog(name: str) -> Speech | None:
    path = _directory[0] / name / "LC_MESSAGES" / f"{DOMAIN}.mo"
    try:
        with path.open("rb") as file:
            return Speech(gettext.GNUTranslations(file))
    except (OSError, ValueError, LookupError, struct.error):  # not there, or no catalog
        return None


def _said(
    translated: str, originals: tuple[str, str], english: str, values: Mapping[str, object]
) -> str:
    """Return a translation with its values, or the English where the translation has other
    places for values than the originals have."""
    one, many = (_places(text) for text in originals)
    right = (one & many) <= _places(translated) <= (one | many)
    return _filled(translated if right else english, values)


def _places(text: str) -> set[str]:
    return {found[0] for found in _PLACE.finditer(text)}


def _filled(text: str, values: Mapping[str, object]) -> str:
    # Not str.format, for which a place is an expression.
    return _PLACE.sub(lambda found: str(values.get(found[1], found[0])), text)
