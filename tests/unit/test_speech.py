"""Words for people in their language, whatever language is asked for."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp import config, context, speech
from pam_totp.words import login as words

PO: Final = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n==2 ? 1 : 2);\\n"

msgid "Right."
msgstr "Richtig: äöü€"

msgid "{who} has {what}"
msgstr "{what} hat {who}"

msgid "broken {a}"
msgstr "%s"

msgid "one"
msgid_plural "{number} of {box}"
msgstr[0] "eins"
msgstr[1] "zwei in {box}, also {number}"
msgstr[2] "viele: {number} aus {box}"
"""
BROKEN: Final = (
    "kaputt",
    "kaputt {b}",
    "kaputt {a",
    "kaputt a}",
    "kaputt {a} {b}",
    "kaputt {a!r}",
    "kaputt {a.__class__}",
    "kaputt {a:>999999999}",
    "kaputt {} {a}",
    "kaputt {{a}}",
)
ENGLISH_LANGUAGES: Final = ("", "en", "en_US.UTF-8", "C", "C.UTF-8", "POSIX", "fr_FR", "xx")
HOSTILE: Final = (
    "..",
    "../evil",
    "de/../evil",
    "/evil",
    "./de",
    "de/",
    "de\0",
    "de_DE\n",
    "\nde",
    "de DE",
    "de_DE.UTF-8/../../evil",
    "de_DE@../evil",
    "DE",
    "dé",
    "d\N{CYRILLIC SMALL LETTER IE}",
    "\udcff\udcfe",
    "de_DE.{0}%s",
    ":de",
    "x" * 5_000_000,
    "de:" * 2_000_000,
    "de_DE." + "a" * 5_000_000,
)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path) -> Iterator[Path]:
    """Catalogs of a test's own in German and in Austrian, and one more outside of them."""
    made = tmp_path / "locale"
    compile_po(PO, made / "de")
    compile_po(PO.replace("Richtig", "Passt"), made / "de_AT")
    compile_po(PO.replace("Richtig", "Draußen"), tmp_path / "evil")
    speech.read_from(made)
    yield made
    speech.read_from(speech.DIRECTORY)


def compile_po(text: str, directory: Path) -> None:
    """Make a catalog for a language's directory."""
    place = directory / "LC_MESSAGES"
    place.mkdir(parents=True)
    command = ["msgfmt", "--output-file", place / "pam-totp.mo", "-"]
    subprocess.run(command, input=text.encode(), check=True)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("de", "Richtig: äöü€"),
        ("de_DE.UTF-8", "Richtig: äöü€"),
        ("de_CH", "Richtig: äöü€"),
        ("de_DE@euro", "Richtig: äöü€"),
        ("de_AT.UTF-8", "Passt: äöü€"),
        ("fr:de", "Richtig: äöü€"),
        ("en:de", "Right."),
        *((language, "Right.") for language in ENGLISH_LANGUAGES),
    ],
)
def test_the_language_that_was_asked_for(language: str, said: str) -> None:
    """A territory's own words go before its language's; of what there is not, English."""
    assert speech.speech(language)("Right.") == said


@pytest.mark.parametrize("language", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_language_is_english(language: str) -> None:
    """What is no language's name is English, and leads to no file, inside or outside."""
    assert speech.speech(language)("Right.") == "Right."


@given(st.text() | st.text(alphabet="de_AT.:/@\0C"))
def test_any_text_is_a_language(language: str) -> None:
    """Whatever is asked for gives words, and those of no file outside the directory."""
    said = speech.speech(language)("Right.")
    assert said in ("Right.", "Richtig: äöü€", "Passt: äöü€")
    assert said == "Right." or "de" in language


def test_the_same_language_is_read_once(directory: Path) -> None:
    """A catalog stays in memory, and so does that there is none."""
    german = speech.speech("de_DE.UTF-8")
    shutil.rmtree(directory)
    assert speech.speech("de_CH@euro") is german
    assert speech.speech("fr") is speech.ENGLISH


def test_no_catalogs(tmp_path: Path) -> None:
    """Without catalogs everything is English."""
    speech.read_from(tmp_path / "none")
    assert speech.speech("de")("Right.") == "Right."


def test_a_damaged_catalog(directory: Path) -> None:
    """A catalog that is cut off or changed anywhere raises nothing, and where it is none of
    gettext's any more the words are English."""
    path = directory / "de/LC_MESSAGES/pam-totp.mo"
    whole = path.read_bytes()
    cut = [whole[:length] for length in range(len(whole))]
    flipped = [
        whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :]
        for at in range(len(whole))
        for mask in (0x01, 0x10, 0xFF)
    ]
    for damaged in cut + flipped:
        path.write_bytes(damaged)
        speech.read_from(directory)
        say = speech.speech("de")
        assert isinstance(say("Right."), str)
        for number in (0, 1, 2):
            assert isinstance(say.many(("one", "{number} of {box}"), number, box="x"), str)
    path.write_bytes(b"")
    speech.read_from(directory)
    assert speech.speech("de")("Right.") == "Right."


def test_values_stand_where_a_translation_wants_them() -> None:
    """Values go to their names' places, in the order of the language."""
    assert speech.speech("de")("{who} has {what}", who="A", what=7) == "7 hat A"
    assert speech.speech()("{who} has {what}", who="A", what=7) == "A has 7"


@pytest.mark.parametrize("language", ["", "de"])
@pytest.mark.parametrize(
    "value", ["{what}", "{who}", "{", "}", "{0}", "{who.__class__}", "%s", "\\1", "\\g<0>", "{{x}}"]
)
def test_values_are_data(language: str, value: str) -> None:
    """Whatever stands in a value stands in what is said, once and unchanged."""
    said = speech.speech(language)("{who} has {what}", who=value, what="")
    assert said.strip() in (f"{value} has", f"hat {value}")


@pytest.mark.parametrize("translation", BROKEN)
def test_a_broken_translation_is_not_said(directory: Path, translation: str) -> None:
    """Where a translation has other places than the English, the English is said."""
    compile_po(PO.replace('"%s"', f'"{translation}"'), directory / "it")
    assert speech.speech("it")("broken {a}", a="x") == "broken x"


def test_a_value_that_is_missing() -> None:
    """A place without a value stays as it is: a mistake of ours refuses nobody."""
    assert speech.speech("de")("{who} has {what}", who="A") == "{what} hat A"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("", {0: "0 of {b}", 1: "one", 2: "2 of {b}", 5: "5 of {b}"}),
        ("de", {0: "viele: 0 aus {b}", 1: "eins", 2: "zwei in {b}, also 2"}),
    ],
)
def test_one_and_many(language: str, said: dict[int, str]) -> None:
    """The number chooses the form as the language has it, and may be left out of one's."""
    say = speech.speech(language)
    for number, words_ in said.items():
        assert say.many(("one", "{number} of {box}"), number, box="{b}") == words_


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, ""),
        ({"LANG": ""}, ""),
        ({"LANG": "de_DE.UTF-8"}, "de_DE.UTF-8"),
        ({"LANG": "de", "LC_MESSAGES": "fr"}, "fr"),
        ({"LANG": "de", "LC_MESSAGES": "fr", "LC_ALL": "en_GB"}, "en_GB"),
        ({"LANG": "de", "LC_ALL": ""}, "de"),
        ({"LANG": "de", "LANGUAGE": "fr:en"}, "fr:en"),
        ({"LANG": "C", "LANGUAGE": "fr:en"}, "C"),
        ({"LC_ALL": "C.UTF-8", "LANGUAGE": "de", "LANG": "de"}, "C.UTF-8"),
        ({"LANGUAGE": "de"}, ""),
        ({"LC_CTYPE": "de_DE.UTF-8", "LC_TIME": "de_DE.UTF-8"}, ""),
    ],
)
def test_the_language_of_an_environment(environ: dict[str, str], language: str) -> None:
    """LC_ALL, LC_MESSAGES, LANG, the first that is not empty; LANGUAGE as gettext has it."""
    assert speech.language_of(environ) == language


def test_the_hosts_language(catalogs: Path) -> None:
    """Where an application does not say, the host's option does; where it does, that holds,
    English included."""
    options = config.parse("language: de", "a test")
    host = context.Context(options, store=None)  # type: ignore[arg-type]
    assert host.speech()(words.WRONG_CODE) == "Der Code ist falsch."
    for locale in ("C.UTF-8", "en_US.UTF-8", "../de"):
        assert host.speech(locale)(words.WRONG_CODE) == words.WRONG_CODE
    english = context.Context(config.parse("", "a test"), store=None)  # type: ignore[arg-type]
    assert english.speech()(words.WRONG_CODE) == words.WRONG_CODE
    assert english.speech("de_DE.UTF-8")(words.WRONG_CODE) == "Der Code ist falsch."
