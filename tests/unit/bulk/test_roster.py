"""`people.csv`: what is taken, and what is said about what is not."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp.account import Person
from pam_totp.bulk import spreadsheet
from pam_totp.bulk.candidates import Names, of_entries, of_group
from pam_totp.bulk.roster import COLUMNS, Roster, parse
from pam_totp.bulk.spreadsheet import LARGEST, BadFile, Faults
from pam_totp.errors import NameServiceError
from pam_totp.otp import Parameters
from pam_totp.token_secret import FORM

SECRET = base64.b32encode(b"k" * 20).decode()
SHORT = "JBSWY3DPEHPK3PXP"
HEADER = "user,name,type,secret,digits,algorithm,period,counter\n"


def read(text: str | bytes) -> Roster:
    """Return what a file says that has no fault."""
    faults = Faults("people.csv")
    found = parse(text.encode() if isinstance(text, str) else text, faults)
    faults.check()
    return found


def faults_of(text: str | bytes) -> tuple[str, ...]:
    """Return what is said about a file that has faults."""
    with pytest.raises(BadFile) as raised:
        read(text)
    assert raised.value.hint
    assert "nothing was changed" in str(raised.value)
    return raised.value.faults


# -- what is taken ----------------------------------------------------------------------------


def test_every_column() -> None:
    """Every column is taken, in any order, whatever the case of its name and its words."""
    (token, phone) = read(
        "Counter,ALGORITHM,Digits,Secret,Type,Name,User,period\n"
        f"7,sha256,8,{SECRET.lower()},HOTP,key fob,alice,\n"
        ",,,,,,bob,60\n"
    ).entries
    assert (token.line, token.user, token.name) == (2, "alice", "key fob")
    assert token.wanted.parameters == Parameters("SHA256", 8, type="hotp")
    assert token.wanted.secret is not None
    assert token.wanted.secret.reveal() == b"k" * 20
    assert token.wanted.counter == 7
    assert (phone.user, phone.name, phone.wanted.secret) == ("bob", "", None)
    assert phone.wanted.parameters == Parameters(period=60)


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n ,\n"])
def test_names_alone(end: str) -> None:
    """A file of one name a line needs no header, and may have one; empty lines at the end are
    none."""
    for text in ("alice\nbob", "user\nalice\nbob", "User\nalice\nbob"):
        assert [entry.user for entry in read(text + end).entries] == ["alice", "bob"]


def test_what_a_line_leaves_open() -> None:
    """What the command line says counts where a line says nothing, and nowhere else."""
    usual, faults = Parameters(digits=8, period=60), Faults("people.csv")
    one, other = parse(b"user,digits\nalice,\nbob,6\n", faults, usual).entries
    assert one.wanted.parameters == usual
    assert other.wanted.parameters == Parameters(digits=6, period=60)


def test_what_excel_writes() -> None:
    """A byte-order mark and Windows line ends are taken, and said in one sentence; so are
    semicolons, quotation marks, and empty columns at the end."""
    found = read(b'\xef\xbb\xbf"user";"name"\r\n"m\xc3\xbcller";"my ""new"" phone; mine"\r\n;\r\n')
    (entry,) = found.entries
    assert (entry.user, entry.name) == ("müller", 'my "new" phone; mine')
    (said,) = found.notes
    assert said.startswith("people.csv has a byte-order mark at its beginning and Windows line")


def test_a_usual_file_is_not_talked_about() -> None:
    """Nothing is said where there is nothing to say; whether a file has secrets is known."""
    assert read("user\nalice\n").notes == ()
    assert not read("user\nalice\n").has_secrets
    assert read(f"user,secret\nalice,{SECRET}\n").has_secrets


# -- what is not taken ------------------------------------------------------------------------

BAD = [
    # the file, the line, what is said, the expected form
    ("", 1, "nobody in the file", "a person on each line"),
    ("\n\n", 1, "nobody in the file", "a person on each line"),
    ("user,name\n", 1, "nobody below the names of the columns", "a person on each line"),
    ("alice,phone\n", 1, "it does not name the columns", "user and, where wanted, name"),
    (",\n", 1, "nobody in the file", "a person on each line"),
    ("user,colour\nalice,red\n", 1, "there is no column 'colour'", "name, type, secret"),
    ("user,name,Name\na,b,c\n", 1, "the column name stands there twice", "each column once"),
    ("user\nalice\n\nbob\n", 3, "an empty line", "a person on each line up to the last"),
    ("user,name\nalice,a\n,\nbob,b\n", 3, "an empty line", "a person on each line"),
    ("user,name\nalice\n", 2, "1 values in 2 columns", "a value, which may be empty, for each"),
    ("user,name\na,b,c\n", 2, "3 values in 2 columns", "a value, which may be empty, for each"),
    ("name,user\nphone,\n", 2, "no user", "a login name, as getent passwd has it"),
    ("user\nalice\nbob\nalice\n", 4, "'alice' is a user in line 2 already", "each person once"),
    ('user,name\na,"b\nc",d\n', 2, "a quotation mark that is not closed", "one line for each row"),
    ('user,name\na,"b" c\n', 2, "a quotation mark that is not closed", "one line for each row"),
    ("user\nal\0ice\n", 2, "a control character", "printable characters alone"),
    ("user\nal\x1b[2Jice\n", 2, "a control character", "printable characters alone"),
    ("user\na\rb\n", 2, "a control character", "one line for each row"),
    ("user\nal\u202eice\n", 2, "a control character", "printable characters alone"),
    (f"user,name\na,{'x' * 41}\n", 2, "a value of name that cannot be one", "1 to 40 printable"),
    ("user,type\na,yubikey\n", 2, "a value of type that cannot be one", "totp or hotp"),
    ("user,digits\na,9\n", 2, "a value of digits that cannot be one", "6, 7 or 8"),
    ("user,digits\na,six\n", 2, "a value of digits that cannot be one", "6, 7 or 8"),
    ("user,digits\na,٦\n", 2, "a value of digits that cannot be one", "6, 7 or 8"),
    ("user,algorithm\na,MD5\n", 2, "a value of algorithm that", "SHA1, SHA256 or SHA512"),
    ("user,period\na,10\n", 2, "a value of period that cannot be one", "15 to 120 seconds"),
    ("user,counter\na,1\n", 2, "a counter for totp", "a whole number from 0 on, for hotp alone"),
    ("user,type,counter\na,hotp,-1\n", 2, "a value of counter that", "a whole number from 0"),
    ("user,type,period\na,hotp,30\n", 2, "a period for hotp", "15 to 120 seconds, for totp alone"),
    (f"user,secret\na,{SHORT}\n", 2, "the secret has 80 bits, and 128 are the least", FORM),
    ("user,secret\na,not base32!\n", 2, "is no character of base32", FORM),
    ("user,secret\na,0x00ff\n", 2, "the secret has 16 bits", FORM),
    (f"user,secret\na,{SECRET}\nb,{SECRET}\n", 3, "the secret of line 2", "a secret of their own"),
    ("user\nalice\n".encode("utf-16"), 1, "the file is in UTF-16", "save it as 'CSV UTF-8'"),
    ("user\nalice\n".encode("utf-16-be"), 1, "the file is in UTF-16", "save it as 'CSV UTF-8'"),
    ("user\nalice\nmüller\n".encode("latin-1"), 3, "that is not UTF-8", "'CSV UTF-8'"),
]


@pytest.mark.parametrize(("text", "line", "what", "expected"), BAD)
def test_bad_files(text: str | bytes, line: int, what: str, expected: str) -> None:
    """Each fault is one sentence with the file, its line and the expected form."""
    first = faults_of(text)[0]
    before, _, form = first.partition("; expected: ")
    assert before.startswith(f"people.csv, line {line}: ")
    assert what in before
    assert expected in form


def test_lines_are_the_files() -> None:
    """The line is the one of the file, also after a value that has a line break in it, which
    spoils no other row than its own."""
    text = 'user,name\nalice,"one\ntwo"\nbob,b\nbob,c\n'
    assert any("line 5: 'bob' is a user in line 4 already" in f for f in faults_of(text))


def test_all_faults_are_found_at_once() -> None:
    """All errors of a file are counted; the first twenty, in their order, are shown."""
    text = "user,digits\n" + "".join(f"user{n},9\n" for n in range(100)) + "\n\nx,6\n"
    with pytest.raises(BadFile, match="102 errors, of which 20 are shown") as raised:
        read(text)
    lines = [int(f.split(" ")[2].rstrip(":")) for f in raised.value.faults]
    assert lines == list(range(2, 22))


SECRET_COLUMNS = [column for column in COLUMNS if column != "secret"]


@pytest.mark.parametrize("column", SECRET_COLUMNS)
@pytest.mark.parametrize("secret", [SECRET, SHORT, SECRET.lower(), (b"k" * 20).hex(), "7" * 26])
def test_no_secret_is_shown(column: str, secret: str) -> None:
    """A secret in the wrong column, in the header or in a file without one, is in no error."""
    rows = {
        f"user,{column},type\nbob,{secret},bad\n",
        f"{HEADER}{secret},,bad,,,,,\n",
        f"{HEADER}{secret},,,,,,,\n{secret},,,,,,,\n",
        f"user,{secret}\nbob,x\n",
        f"bob,{secret}\n",
        f"user,secret\nalice,{secret[:-1]}!\n",
        f'user,secret\nalice,"{secret}\n',
    }
    for text in rows:
        said = "".join(faults_of(text)).lower()
        assert secret.lower()[:12] not in said


def test_a_secret_for_a_user_is_not_shown() -> None:
    """Where NSS knows no such name, because it is a secret, the name is not shown."""
    faults = Faults("people.csv")
    of_entries(parse(SECRET.encode(), faults).entries, Names(lambda _: None, ()), "phone", faults)
    with pytest.raises(BadFile) as raised:
        faults.check()
    assert SECRET not in "".join(raised.value.faults)


def test_a_hundred_thousand_lines() -> None:
    """100,000 lines are read in seconds, right ones and wrong ones alike."""
    right = HEADER + "".join(f"user{n},phone,totp,,6,SHA1,30,\n" for n in range(100_000))
    before = time.monotonic()
    assert len(read(right).entries) == 100_000
    assert len(faults_of(right.replace("totp", "tot"))) == 20
    assert time.monotonic() - before < 30


def test_what_is_too_large(tmp_path: Path) -> None:
    """A file that is too large is not read whole, and is refused with what to do; one that is
    not there is told so."""
    path = tmp_path / "people.csv"
    path.write_bytes(b"")
    with path.open("r+b") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(BadFile, match="larger than 16 MiB") as raised:
        spreadsheet.read(path)
    assert raised.value.hint == "split the file"
    with pytest.raises(BadFile, match="No such file") as raised:
        spreadsheet.read(tmp_path / "none")
    assert raised.value.hint


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Whatever bytes a file has: people, or faults with a line, and no other error."""
    faults = Faults("people.csv")
    found = parse(data, faults)
    for entry in found.entries:
        assert entry.user.isprintable()
    assert found.entries or faults.count


# -- who they are -----------------------------------------------------------------------------

ALICE, BOB = Person("alice", 1001, 100), Person("bob", 1002, 200)
PEOPLE = {"alice": ALICE, "ALICE": ALICE, "bob": BOB}


def identified(text: str, names: Names) -> tuple[list[str], tuple[str, ...]]:
    """Return the accounts of a file, and its faults."""
    faults = Faults("people.csv")
    found = of_entries(parse(text.encode(), faults).entries, names, "phone", faults)
    accounts = [one.person.name for one in found]
    try:
        faults.check()
    except BadFile as error:
        return accounts, error.faults
    return accounts, ()


def test_who_is_nobody() -> None:
    """A name that NSS does not know is a fault with its line."""
    _, (said,) = identified("alice\nmallory\nbob\n", Names(PEOPLE.get, ()))
    assert said == (
        "people.csv, line 2: there is no account called 'mallory'; "
        "expected: a login name, as getent passwd has it"
    )


def test_one_person_under_two_names() -> None:
    """Two spellings that NSS takes for one account are one person twice."""
    _, (said,) = identified("alice\nALICE\n", Names(PEOPLE.get, ()))
    assert said.startswith("people.csv, line 2: 'ALICE' is 'alice' of line 1; ")


def test_names_are_nsss_own() -> None:
    """An account is named as NSS names it, whatever the file has."""
    assert identified("ALICE\nbob\n", Names(PEOPLE.get, ())) == (["alice", "bob"], ())


def test_nss_is_asked_once() -> None:
    """Who is listed is not asked for one by one; a directory that lists nobody is."""
    asked: list[str] = []

    def lookup(name: str) -> Person | None:
        asked.append(name)
        return PEOPLE.get(name)

    assert identified("alice\nbob\n", Names(lookup, [ALICE])) == (["alice", "bob"], ())
    assert asked == ["bob"]


def test_nss_that_cannot_say() -> None:
    """A directory that does not answer is no "there is no such name"."""

    def lookup(_: str) -> Person | None:
        raise NameServiceError("NSS could not look up")

    with pytest.raises(NameServiceError):
        identified("alice\n", Names(lookup, ()))


def test_a_group() -> None:
    """A group is its listed members, and whose primary group it is, each once, by name; members
    whom nobody knows are named."""
    staff = ("staff", 100, frozenset({"bob", "ALICE", "mallory"}))
    people, gone = of_group(staff, Names(PEOPLE.get, [ALICE]))
    assert ([person.name for person in people], gone) == (["alice", "bob"], ["mallory"])
