"""What the commands about the sealing keys share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pam_totp.cli.administrator import Administrator, noted
from pam_totp.config import Config
from pam_totp.errors import PamTotpError
from pam_totp.event import Event
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.seal import Keyring


class WrongKeys(PamTotpError):
    """The keys are not what the command needs."""


class NotOurs(PamTotpError):
    """The key is a credential, which is not this program's to write."""


@contextmanager
def opened(loaded: Config, ring: Keyring) -> Iterator[DirectoryStore]:
    """The store, for the time of the block."""
    store = DirectoryStore(loaded.data_directory, ring)
    try:
        yield store
    finally:
        store.close()


def note(administrator: Administrator, what: str, detail: str) -> None:
    """Log an act that is of no account."""
    world = administrator.context()
    event = Event(world.now(), "", what, detail=detail, actor=administrator.name)
    noted(world, event.of(administrator.origin))
