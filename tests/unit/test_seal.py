"""Sealing: a record opens in its own place, under its own key, unaltered, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp import keyfile
from pam_totp.errors import SealError, StoreDamaged, StoreError, UnknownKey
from pam_totp.store.seal import Keyring, Place
from tests.unit.world import keyring

PLACE = Place("store", "credentials", "alice", "credentials")
PLAIN = b"what nobody may read" * 5


def test_it_opens_where_it_belongs() -> None:
    """A sealed record opens with its version, and does not show what it holds."""
    sealed = keyring().seal(PLAIN, PLACE, 7)
    assert keyring().open(sealed, PLACE) == (7, PLAIN)
    assert PLAIN[:8] not in sealed


def test_no_two_are_alike() -> None:
    """The same record sealed twice has another salt, nonce and text."""
    first, second = (keyring().seal(PLAIN, PLACE, 1) for _ in range(2))
    assert first[24:40] != second[24:40]
    assert first[40:52] != second[40:52]
    assert first[52:] != second[52:]


@pytest.mark.parametrize("part", ["store", "kind", "account", "record"])
def test_it_cannot_be_moved(part: str) -> None:
    """A record of another store, type, account or id does not open."""
    sealed = keyring().seal(PLAIN, PLACE, 1)
    with pytest.raises(SealError):
        keyring().open(sealed, replace(PLACE, **{part: "bob"}))


def test_places_do_not_run_together() -> None:
    """Two places are never the same bytes, where one's end could be the other's beginning."""
    assert Place("a", "bc", "d", "").encoded() != Place("ab", "c", "d", "").encoded()
    assert Place("a", "b", "", "c").encoded() != Place("a", "b", "c", "").encoded()


@given(st.lists(st.text(max_size=3), min_size=8, max_size=8))
def test_any_two_places(parts: list[str]) -> None:
    """Places differ as bytes wherever they differ."""
    one, other = Place(*parts[:4]), Place(*parts[4:])
    assert (one == other) == (one.encoded() == other.encoded())


@pytest.mark.parametrize("bit", [0x01, 0x80, 0xFF])
def test_no_byte_can_be_altered(bit: int) -> None:
    """Whichever byte is altered, magic, key id, version, salt, nonce, text or tag: it does
    not open."""
    sealed = keyring().seal(PLAIN, PLACE, 1)
    for at in range(len(sealed)):
        altered = bytearray(sealed)
        altered[at] ^= bit
        with pytest.raises(SealError):
            keyring().open(bytes(altered), PLACE)


def test_nothing_can_be_cut_or_added() -> None:
    """A record cut anywhere, or with something behind it, does not open."""
    sealed = keyring().seal(PLAIN, PLACE, 1)
    for end in range(len(sealed)):
        with pytest.raises(SealError):
            keyring().open(sealed[:end], PLACE)
    with pytest.raises(SealError):
        keyring().open(sealed + b"\0", PLACE)


def test_another_version_cannot_be_claimed() -> None:
    """The version that a record is sealed with cannot be exchanged for another."""
    old, new = (keyring().seal(PLAIN, PLACE, version) for version in (1, 2))
    with pytest.raises(SealError):
        keyring().open(old[:16] + new[16:24] + old[24:], PLACE)


def test_another_key() -> None:
    """Under another key of the same id it does not open, and under an unknown id the error
    says to look for the key."""
    sealed = keyring().seal(PLAIN, PLACE, 1)
    with pytest.raises(SealError):
        keyring(byte=b"x").open(sealed, PLACE)
    with pytest.raises(UnknownKey) as caught:
        keyring("feedbeef").open(sealed, PLACE)
    assert "key file" in (caught.value.hint or "")


def test_keys_can_change() -> None:
    """A ring opens what any of its keys has sealed, and seals under the current one."""
    old, new = keyring("00000001", b"1"), keyring("00000002", b"2")
    both = Keyring("00000002", {**old.keys, **new.keys})
    assert both.open(old.seal(PLAIN, PLACE, 1), PLACE) == (1, PLAIN)
    assert new.open(both.seal(PLAIN, PLACE, 2), PLACE) == (2, PLAIN)


def test_a_fingerprint_is_keyed() -> None:
    """A fingerprint is the same for the same text and key, and for nothing else."""
    one = keyring().fingerprint("alice\x00123456")
    assert one == keyring().fingerprint("alice\x00123456")
    assert one != keyring().fingerprint("bob\x00123456")
    assert one != keyring(byte=b"x").fingerprint("alice\x00123456")
    assert len(one) == 16
    keyring().fingerprint("\udcff\ud800")


def test_a_ring_shows_no_key() -> None:
    """No repr of a ring shows a key."""
    assert "kkkk" not in repr(keyring())
    assert b"k".hex() * 4 not in repr(keyring())


def test_a_key_file(tmp_path: Path) -> None:
    """A new key file is read back, is its owner's alone and never replaced."""
    path = tmp_path / "seal.key"
    keyfile.create(path)
    ring = keyfile.load(path)
    assert path.stat().st_mode & 0o777 == 0o400
    assert ring.open(ring.seal(PLAIN, PLACE, 1), PLACE) == (1, PLAIN)
    kept = path.read_bytes()
    with pytest.raises(StoreError):
        keyfile.create(path)
    assert path.read_bytes() == kept


def test_a_key_file_of_two(tmp_path: Path) -> None:
    """The first key is the current one; comments and empty lines are none."""
    path = key_file(tmp_path, f"# two\n00000002 {'22' * 32}\n\n00000001 {'11' * 32}\n")
    ring = keyfile.load(path)
    assert ring.current == "00000002"
    assert set(ring.keys) == {"00000001", "00000002"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        f"0000000 {'11' * 32}\n",
        f"00000001 {'11' * 31}\n",
        f"00000001 {'11' * 33}\n",
        f"00000001  {'11' * 32}\n",
        f"0000000G {'11' * 32}\n",
        f"00000001 {'1G' * 32}\n",
        f"00000001 {'11' * 32} more\n",
        f"00000001 {'11' * 32}\nrubbish\n",
        "\xff\xfe",
    ],
)
def test_a_broken_key_file(tmp_path: Path, text: str) -> None:
    """A key file of another form is damage; the error says the form and shows no key."""
    with pytest.raises(StoreDamaged, match="64 hex digits") as caught:
        keyfile.load(key_file(tmp_path, text))
    assert "1111" not in str(caught.value)


def test_a_key_said_twice(tmp_path: Path) -> None:
    """Two keys of one id are damage: which of them is meant cannot be known."""
    text = f"00000001 {'11' * 32}\n00000001 {'22' * 32}\n"
    with pytest.raises(StoreDamaged):
        keyfile.load(key_file(tmp_path, text))


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o640, 0o420, 0o402])
def test_a_key_file_that_others_reach(tmp_path: Path, mode: int) -> None:
    """A key file that others may read or write is not used, and the hint closes it."""
    path = key_file(tmp_path, f"00000001 {'11' * 32}\n")
    path.chmod(mode)
    with pytest.raises(StoreDamaged) as caught:
        keyfile.load(path)
    assert "chmod" in (caught.value.hint or "")


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    """Without a key file the hint says to put it back, and what to do on a new machine."""
    with pytest.raises(StoreError, match="not there") as caught:
        keyfile.load(tmp_path / "seal.key")
    assert "copy" in (caught.value.hint or "")
    assert "setup" in (caught.value.hint or "")


def key_file(directory: Path, text: str) -> Path:
    """Write a key file as it must be but for its text."""
    path = directory / "seal.key"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o400)
    return path
