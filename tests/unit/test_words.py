"""The words that people see: all of them translated, into every language that there is."""

from __future__ import annotations

import ast
import importlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from pam_totp import speech

CHECKOUT: Final = Path(__file__).parents[2]
WORDS: Final = sorted((CHECKOUT / "pam_totp/words").glob("[!_]*.py"))
CATALOGS: Final = sorted((CHECKOUT / "po").glob("*/*.po"))
LANGUAGES: Final = sorted(path.name for path in (CHECKOUT / "po").iterdir())


@dataclass(frozen=True)
class Entry:
    """One message of a catalog: English, one and many of it, and as many translations as its
    language has forms."""

    english: tuple[str, ...]
    translations: tuple[str, ...]
    fuzzy: bool


def entries(catalog: str) -> list[Entry]:
    """Return the messages of a catalog in the form of `msgcat --no-wrap`, less its header."""
    found = []
    for block in catalog.split("\n\n"):
        lines = block.splitlines()
        texts: list[tuple[str, str]] = []
        for line in lines:
            keyword, _, quoted = line.partition(" ")
            if line.startswith('"'):
                texts[-1] = (texts[-1][0], texts[-1][1] + ast.literal_eval(line))
            elif keyword.startswith("msg"):
                texts.append((keyword, ast.literal_eval(quoted)))
        english = tuple(text for keyword, text in texts if keyword.startswith("msgid"))
        said = tuple(text for keyword, text in texts if keyword.startswith("msgstr"))
        fuzzy = any(line.startswith("#,") and "fuzzy" in line for line in lines)
        if english not in ((), ("",)):
            found.append(Entry(english, said, fuzzy))
    return found


def run(*command: str | Path) -> str:
    """Run a tool of gettext's, which must succeed without a word of warning."""
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", cwd=CHECKOUT)
    assert done.stderr == ""
    return done.stdout


@cache
def marked(*sources: Path) -> list[Entry]:
    """Return what is marked for translation in Python files."""
    keywords = ("--keyword=", "--keyword=N_", "--keyword=P_:1,2")
    form = ("--language=Python", "--from-code=UTF-8", "--no-wrap")
    pot = run("xgettext", *form, *keywords, "-o", "-", *sources)
    return entries(pot)


def translated(catalog: Path) -> list[Entry]:
    """Return what stands in a .po file."""
    assert catalog.exists(), "no translation of this area"
    return entries(run("msgcat", "--no-wrap", catalog))


def every_entry() -> Iterator[tuple[str, Entry]]:
    """Yield the language and the entry of all there are."""
    for catalog in CATALOGS:
        for entry in translated(catalog):
            yield catalog.parent.name, entry


def test_the_tools_see_words() -> None:
    """These tests find what there is."""
    (locked,) = (one for one in marked(*WORDS) if one.english[0].startswith("Too many wrong codes"))
    assert locked.english == ("Too many wrong codes. Locked until {clock}.",)
    assert "de" in LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("words", WORDS, ids=lambda path: path.stem)
def test_complete(words: Path, language: str) -> None:
    """Each text of an area has its translation, none is a guess, and none is left over."""
    there = translated(CHECKOUT / f"po/{language}/{words.stem}.po")
    assert {one.english for one in there} == {one.english for one in marked(words)}
    assert [one for one in there if one.fuzzy or not all(one.translations)] == []


@pytest.mark.parametrize("catalog", CATALOGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_catalog(catalog: Path, tmp_path: Path) -> None:
    """A catalog belongs to an area, keeps nothing of former times, and gettext has nothing to
    say about it."""
    assert catalog.stem in [words.stem for words in WORDS]
    assert "#~" not in catalog.read_text()
    run("msgfmt", "--check", "-o", tmp_path / "any.mo", catalog)


def test_places_and_ends() -> None:
    """A translation has the places of the English; a prompt ends in the same blank."""
    for language, entry in every_entry():
        one, many = (speech._places(text) for text in (entry.english[0], entry.english[-1]))
        for text in entry.translations:
            assert one & many <= speech._places(text) <= one | many, (language, text)
            blank = len(text) - len(text.rstrip())
            assert text[len(text) - blank :] == entry.english[0][len(entry.english[0].rstrip()) :]


def test_one_text_one_translation() -> None:
    """A text of two areas has one translation: only one of them could be said."""
    said: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
    for language, entry in every_entry():
        key = (language, entry.english)
        assert said.setdefault(key, entry.translations) == entry.translations


@pytest.mark.parametrize("words", WORDS, ids=lambda path: path.stem)
def test_nothing_is_left_unmarked(words: Path) -> None:
    """Every constant of an area is marked, or it would stay English."""
    known = {one.english for one in marked(words)}
    module = importlib.import_module(f"pam_totp.words.{words.stem}")
    for name, value in vars(module).items():
        if name.isupper() and not callable(value):  # but for the marks themselves
            assert ((value,) if isinstance(value, str) else value) in known, name


def test_words_stand_in_one_place() -> None:
    """Outside pam_totp/words nothing is marked."""
    others = [path for path in (CHECKOUT / "pam_totp").rglob("*.py") if path not in WORDS]
    assert marked(*sorted(others)) == []


def test_all_of_it_is_said(catalogs: Path) -> None:
    """Through the compiled catalog every text is said as its .po file has it."""
    for language, entry in every_entry():
        say = speech.speech(language)
        if len(entry.english) == 1:
            assert say(entry.english[0]) == entry.translations[0]
        else:
            one, many = entry.english
            for number, said in ((1, entry.translations[0]), (5, entry.translations[-1])):
                assert say.many((one, many), number) == said.replace("{number}", str(number))
