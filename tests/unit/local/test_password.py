"""Passwords of local accounts."""

from __future__ import annotations

import hashlib
import re
import threading
from pathlib import Path

import pytest

from pam_totp.local import password
from pam_totp.local.account import BadName, check_name
from pam_totp.local.password import PasswordRefused, Verifier, check, verifier

GOOD = "seven green bicycles"


def test_a_password_is_right_or_wrong() -> None:
    """Its own hash knows it, another one does not, and what is shown of it is no secret."""
    kept = verifier(GOOD)
    assert kept.matches(GOOD)
    assert not kept.matches(GOOD + " ")
    assert not kept.matches("")
    assert verifier(GOOD).salt != kept.salt
    assert repr(kept.digest) not in repr(kept)


def test_it_is_scrypt() -> None:
    """What is kept is RFC 7914's scrypt, with the parameters that stand beside it."""
    kept = verifier(GOOD, lambda size: bytes(range(size)))
    made = hashlib.scrypt(
        GOOD.encode(), salt=bytes(range(16)), n=2**15, r=8, p=1, maxmem=2**26, dklen=32
    )
    assert (kept.digest, kept.n, kept.r, kept.p) == (made, 2**15, 8, 1)


def test_one_that_was_made_with_less() -> None:
    """It still opens, and says that it should be made anew."""
    less = hashlib.scrypt(GOOD.encode(), salt=b"salt", n=2**10, r=8, p=1, dklen=32)
    kept = Verifier(b"salt", less, 2**10, 8, 1)
    assert kept.matches(GOOD)
    assert kept.outdated
    assert not verifier(GOOD).outdated


def test_spellings_of_one_password() -> None:
    """A keyboard that sends e and an accent, and one that sends both as one, say the same."""
    assert verifier("caf\u00e9 on the corner").matches("cafe\u0301 on the corner")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at least 15"),
        ("fourteen chars", "at least 15"),
        ("x" * 7 + "y" * 122, "at most 128 bytes"),
        ("a tab\tis no good here", "control"),
        ("Correct Horse Battery Staple", "first passwords"),
        ("correct-horse-battery-staple1", "first passwords"),
        ("passwordpassword", "first passwords"),
        ("aaaaaaaaaaaaaaaaaa", "first passwords"),
        ("abababababababababab", "first passwords"),
        ("secretsecretsecret", "first passwords"),
        ("123456789012345678", "first passwords"),
        ("abcdefghijklmnopq", "first passwords"),
        ("9876543210987654", "first passwords"),
        ("pam-totp-admin 2026", "account's name"),
        ("PamTotpAdminPamTotp", "account's name"),
    ],
)
def test_what_cannot_be_one(text: str, why: str) -> None:
    """Each gets a sentence."""
    with pytest.raises(PasswordRefused, match=why):
        check(text, "pam-totp-admin")


@pytest.mark.parametrize(
    "text",
    [GOOD, "x7!kq-Rr02.Lm#9t", "дождь над крышами города", "der alice ihr ganz langer Satz"],
)
def test_what_can_be_one(text: str) -> None:
    """Long ones of any script, signs or words."""
    check(text, "alice")


def test_the_list() -> None:
    """Each entry stands as it is looked for, once, and is long enough to be worth a line or has
    digits around it to be so."""
    lines = Path(password.__file__).with_name("common.txt").read_text().splitlines()
    entries = [line for line in lines if not line.startswith("#")]
    assert len(entries) > 200
    assert sorted(set(entries)) == entries
    assert [line for line in entries if re.sub(r"[\W_]+", "", line.casefold()) != line] == []


def test_two_at_once() -> None:
    """However many are checked at a time, two are hashed."""
    kept, most, now, lock = verifier(GOOD), [0], [0], threading.Lock()
    hashing = password.Scrypt

    class Counted(hashing):  # type: ignore[misc, valid-type]
        def derive(self, given: bytes) -> bytes:
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            try:
                return bytes(super().derive(given))
            finally:
                with lock:
                    now[0] -= 1

    password.Scrypt = Counted  # type: ignore[misc]
    try:
        threads = [threading.Thread(target=kept.matches, args=("wrong",)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        password.Scrypt = hashing  # type: ignore[misc]
    assert most[0] <= 2


@pytest.mark.parametrize("name", ["alice", "_svc", "a.b-c_d9", "x" * 32])
def test_names(name: str) -> None:
    """A name as useradd takes it."""
    check_name(name)


@pytest.mark.parametrize("name", ["", "Alice", "9lives", "a b", "-x", "x" * 33, "ä", "a/b", "a\n"])
def test_names_that_cannot_be(name: str) -> None:
    """Anything else gets the expected form."""
    with pytest.raises(BadName) as caught:
        check_name(name)
    assert caught.value.hint
