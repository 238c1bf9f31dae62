"""`pam-totp key`: the sealing keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from pam_totp import clock, keyfile, lost_key, passphrase, private_file, rotation
from pam_totp.cli import asked
from pam_totp.cli.administrator import Administrator, noted
from pam_totp.cli.papers import name_paper
from pam_totp.cli.progress import Progress
from pam_totp.cli.terminal import confirm, hint, many, plain, say, table
from pam_totp.config import Config
from pam_totp.context import Context, from_config
from pam_totp.errors import PamTotpError
from pam_totp.event import Event
from pam_totp.secret import Secret
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.seal import KEY_BYTES, Keyring

WHAT = "key file"
_FIRST = 10  # names that are shown


class WrongKeys(PamTotpError):
    """The keys are not what the command needs."""


@click.group()
def key() -> None:
    """The keys that seal the secrets."""


@key.command("list", short_help="Show the keys, and how many secrets each seals.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON.")
@click.pass_obj
def list_(administrator: Administrator, *, as_json: bool) -> None:
    """Show the keys by their ids, and how many secrets each seals; the keys themselves not."""
    loaded = administrator.config()
    ring = keyfile.load(loaded.key_file)
    with _store(loaded, ring) as store:
        found = rotation.under(store)
    ids = [*ring.keys, *(id_ for id_ in found if id_ not in ring.keys)]
    rows = [(id_, found.get(id_, 0), _stands(id_, ring)) for id_ in ids]
    if as_json:
        names = ("id", "secrets", "is")
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2))
        return
    table(("Key", "Secrets", "Is"), [(id_, str(number), is_) for id_, number, is_ in rows])
    if any(id_ not in ring.keys for id_ in ids):
        lost_ = administrator.command("key", "lost")
        hint(f"{administrator.command('key', 'import', 'FILE')}; without a copy of it: {lost_}")
    elif len(ring.keys) > 1:
        hint(f"{administrator.command('key', 'rotate')} ends the rotation that was begun")


def _stands(id_: str, ring: Keyring) -> str:
    if id_ == ring.current:
        return "current"
    return "old" if id_ in ring.keys else "missing: what it sealed cannot be opened"


@key.command(short_help="Make a new key, and seal everything anew.")
@click.pass_obj
def rotate(administrator: Administrator) -> None:
    """Make a new key and seal everything anew, while logins go on.

    It can be interrupted at any moment: run again, it goes on. The old key leaves the key file
    when nothing is sealed under it.
    """
    loaded = administrator.config()
    path = loaded.key_file
    world = administrator.context()
    with _store(loaded, keyfile.load(path)) as store:
        if not rotation.begin(store, path):
            say("going on with a rotation that was cut short")
        accounts = len(store.files.accounts())
        with Progress(accounts) as bar:
            gone = rotation.go_on(store, path, bar.advance)
        current = keyfile.load(path).current
    _noted(administrator, world, "key-rotated", f"key {current} in place of {', '.join(gone)}")
    click.echo(f"{many(accounts, 'secret')} under the new key {current}; {', '.join(gone)} is gone")
    hint(
        f"make a new copy: {administrator.command('key', 'export', 'FILE')}; backups until now "
        "need the old key: keep its copy as long as them"
    )


@key.command("export", short_help="Write the keys to a file, under a passphrase.")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def export_(administrator: Administrator, file: Path) -> None:
    """Write the keys to FILE, under a passphrase, to be kept apart from the data.

    The passphrase is asked for twice, or is the first line of standard input.
    """
    loaded = administrator.config()
    ring = keyfile.load(loaded.key_file)
    chosen = asked.chosen("Passphrase", administrator.again())
    passphrase.check(chosen)
    keys = {id_: ring.keys[id_].reveal().hex() for id_ in ring.keys}
    plain_ = json.dumps({"current": ring.current, "keys": keys}).encode()
    private_file.create(file, passphrase.seal(WHAT, plain_, chosen))
    name_paper(file)


@key.command("import", short_help="Put keys back from a file that `key export` wrote.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def import_(administrator: Administrator, file: Path) -> None:
    """Put keys back from FILE; those that are there stay, and the current one current.

    Nothing changes unless they open secrets that are there and that nothing else opens.
    """
    loaded = administrator.config()
    given = asked.given("Passphrase", administrator.again())
    new = _ring(passphrase.unseal(WHAT, file.read_bytes(), given))
    there = lost_key.known(loaded.key_file)
    with _store(loaded, there or new) as store, store.writers_lock():
        needed = rotation.under(store).keys() - set(there.keys if there else ())
        opens = needed & new.keys.keys()
        if there and not opens:
            raise WrongKeys("these keys open nothing that is closed now; nothing was changed")
        if needed - opens:
            say(f"still missing: {', '.join(sorted(needed - opens))}")
        keys = {**(there.keys if there else {}), **new.keys}
        keyfile.write(loaded.key_file, Keyring((there or new).current, keys))
    _noted(administrator, administrator.context(), "key-imported", ", ".join(new.keys))
    click.echo(f"{loaded.key_file}: {', '.join(new.keys)} put back")


@key.command(short_help="Start over where the key is lost for good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def lost(administrator: Administrator, *, yes: bool) -> None:
    """Start over where the key is lost for good, and no copy is left.

    Says who must enroll anew, and lets them do so by invitation. Policy, locks, local accounts
    with their passwords, and events stay.
    """
    loaded = administrator.config()
    ring = lost_key.known(loaded.key_file)
    with _store(loaded, ring or keyfile.made()) as store:
        accounts = lost_key.lost(store, ring)
        if ring is not None and not accounts:
            raise WrongKeys("the key is there and opens every secret: nothing is lost")
        _name(accounts)
        confirm(
            f"Start over without the secrets of {many(len(accounts), 'account')}? This cannot be "
            "taken back, even if the key is found.",
            yes=yes,
            instead=administrator.again("--yes"),
        )
        by_now = clock.now()
        by = administrator.by_at(by_now)
        events = lost_key.start_over(store, loaded.key_file, accounts, by)
    world = from_config(loaded)
    for event in events:
        noted(world, event)
    _noted(administrator, world, "key-lost", many(len(accounts), "account"))
    click.echo(f"{many(len(accounts), 'account')} must enroll anew, by invitation")
    if accounts:
        hint(administrator.command("invite", accounts[0]))


def _name(accounts: list[str]) -> None:
    for name in accounts[:_FIRST]:
        click.echo(f"{plain(name)} must enroll anew")
    if len(accounts) > _FIRST:
        click.echo(f"and {len(accounts) - _FIRST} more")


def _ring(data: bytes) -> Keyring:
    found = json.loads(data)
    keys = {id_: Secret(bytes.fromhex(text)) for id_, text in found["keys"].items()}
    if not all(len(one.reveal()) == KEY_BYTES for one in keys.values()):
        raise WrongKeys("the file holds something else than keys")
    return Keyring(found["current"], keys)


@contextmanager
def _store(loaded: Config, ring: Keyring) -> Iterator[DirectoryStore]:
    store = DirectoryStore(loaded.data_directory, ring)
    try:
        yield store
    finally:
        store.close()


def _noted(administrator: Administrator, world: Context, what: str, detail: str) -> None:
    """Log an act that is of no account."""
    event = Event(world.now(), "", what, detail=detail, actor=administrator.name)
    noted(world, event.of(administrator.origin))
