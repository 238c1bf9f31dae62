"""`pam-totp key list | rotate | export | import | lost`: the sealing keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pam_totp import clock, keyfile, lost_key, private_file, rotation
from pam_totp.cli import key_copies
from pam_totp.cli.administrator import Administrator, noted
from pam_totp.cli.key_store import NotOurs, WrongKeys, note, opened
from pam_totp.cli.progress import Progress
from pam_totp.cli.terminal import confirm, hint, many, plain, say, table
from pam_totp.context import from_config
from pam_totp.credential import Credential
from pam_totp.event import Event
from pam_totp.rotation import Resealed
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.seal import Keyring

_FIRST = 10  # names that are shown
_HANDED_OVER = """\
{file} holds the keys that the service is to have. Give it that file in the place of
the present one (LoadCredential=, or, where it is encrypted:
systemd-creds encrypt --name={name} {file} /etc/credstore.encrypted/{name}),
remove {file}, and: systemctl restart pam-totpd"""


@click.group()
def key() -> None:
    """The keys that seal the secrets."""


@key.command("list", short_help="Show the keys, and how many secrets each seals.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON.")
@click.pass_obj
def list_(administrator: Administrator, *, as_json: bool) -> None:
    """Show the keys by their ids, when they were made, and how many secrets each seals; not the
    keys themselves."""
    loaded = administrator.config()
    ring, made_on = keyfile.load(loaded.key_file), keyfile.dates(loaded.key_file)
    with opened(loaded, ring) as store:
        found = rotation.under(store)
    ids = [*ring.keys, *(id_ for id_ in found if id_ not in ring.keys)]
    rows = [(id_, found[id_], made_on.get(id_, ""), _stands(id_, ring)) for id_ in ids]
    if as_json:
        names = ("id", "secrets", "made", "is")
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2))
        return
    shown = [(id_, str(number), made or "unknown", is_) for id_, number, made, is_ in rows]
    table(("Key", "Secrets", "Made", "Is"), shown)
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
@click.option(
    "--to",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the key is a systemd credential: write to FILE what it is to be.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON.")
@click.pass_obj
def rotate(administrator: Administrator, file: Path | None, *, as_json: bool) -> None:
    """Make a new key and seal everything anew, while logins go on.

    It can be interrupted at any moment: run again, it goes on. An old key leaves the key file
    when nothing is sealed under it.
    """
    loaded = administrator.config()
    place = loaded.key_file
    with opened(loaded, keyfile.load(place)) as store:
        if isinstance(place, Credential):
            _rotate_credential(administrator, store, place, file, as_json=as_json)
            return
        if file is not None:
            raise click.UsageError(f"--to is for keys that are credentials: this one is {place}")
        if not rotation.begin(store, place, clock.now()):
            say("going on with a rotation that was cut short")
        done = _resealed(store, keyfile.load(place))
        gone = rotation.finish(store, place)
        ring = keyfile.load(place)
    note(administrator, "key-rotated", f"key {ring.current} in place of {_ids(gone) or 'none'}")
    _say_what_was_done(done, ring, gone, as_json=as_json)
    _insist_on_the_rest(administrator, done, ring)
    hint(
        f"make a new copy: {administrator.command('key', 'export', 'FILE')}; backups until now "
        "need the old key: keep its copy as long as them"
    )


def _rotate_credential(
    administrator: Administrator,
    store: DirectoryStore,
    place: Credential,
    file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Rotate in two steps, between which the administrator gives the service what stands in
    `file`."""
    ring, again = keyfile.load(place), administrator.command("key", "rotate", "--to", "FILE")
    if len(ring.keys) == 1:
        if file is None:
            raise NotOurs(f"the key is {place}, which is not this program's to write", hint=again)
        new = keyfile.made(others=ring)
        _hand_over(place, file, new, {new.current: keyfile.day(clock.now())})
        hint(f"then, to seal everything anew: {again}")
        return
    done = _resealed(store, ring)
    with store.writers_lock():
        gone = rotation.unused(store, ring)
    note(administrator, "key-rotated", f"key {ring.current} in place of {_ids(gone) or 'none'}")
    _say_what_was_done(done, ring, frozenset(), as_json=as_json)
    _insist_on_the_rest(administrator, done, _without(ring, gone))
    if file is None:
        say(f"{_ids(gone)} seals nothing any more, and is still in {place}")
        hint(again)
        return
    _hand_over(place, file, _without(ring, gone), {})


def _hand_over(place: Credential, file: Path, ring: Keyring, made_on: keyfile.Dates) -> None:
    text = keyfile.text_of(ring, {**keyfile.dates(place), **made_on})
    private_file.create(file, text.encode())
    say(_HANDED_OVER.format(file=plain(str(file)), name=place.name))


def _without(ring: Keyring, gone: frozenset[str]) -> Keyring:
    return Keyring(ring.current, {id_: k for id_, k in ring.keys.items() if id_ not in gone})


def _resealed(store: DirectoryStore, ring: Keyring) -> Resealed:
    accounts = rotation.outdated(store, ring)
    with Progress(len(accounts)) as bar:
        return rotation.reseal(store, accounts, bar.advance)


def _say_what_was_done(
    done: Resealed, ring: Keyring, gone: frozenset[str], *, as_json: bool
) -> None:
    if as_json:
        said: dict[str, Any] = {
            "current": ring.current,
            "resealed": done.number,
            "removed": sorted(gone),
            "refused": sorted(done.refused),
        }
        click.echo(json.dumps(said, indent=2))
        return
    what = f"; {_ids(gone)} is gone" if gone else ""
    click.echo(f"{many(done.number, 'secret')} under the new key {ring.current}{what}")


def _insist_on_the_rest(administrator: Administrator, done: Resealed, ring: Keyring) -> None:
    """Raise WrongKeys where an old key has to stay, and say whose secrets are damaged."""
    for account, error in list(done.refused.items())[:_FIRST]:
        say(plain(f"{account}: {error}"))
    old = sorted(set(ring.keys) - {ring.current})
    if old:
        rotate_again = administrator.command("key", "rotate")
        account = next(iter(done.refused), "USER")
        raise WrongKeys(
            f"{', '.join(old)} stays, because not everything that it sealed can be sealed anew",
            hint=f"{administrator.command('reset', account)}; then {rotate_again}",
        )


def _ids(ids: frozenset[str]) -> str:
    return ", ".join(sorted(ids))


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
    with opened(loaded, ring or keyfile.made()) as store:
        accounts = lost_key.lost(store, ring)
        if ring is not None and not accounts:
            raise WrongKeys(
                "the key is there, and no secret wants another one: nothing is lost",
                hint=administrator.command("doctor", "store"),
            )
        for name in accounts:
            click.echo(f"{plain(name)} must enroll anew")
        confirm(
            f"Start over without the secrets of {many(len(accounts), 'account')}? This cannot be "
            "taken back, even if the key is found.",
            yes=yes,
            instead=administrator.again("--yes"),
        )
        with Progress(len(accounts)) as bar:
            done: list[Event] = []

            def told(event: Event) -> None:
                done.append(event)
                bar.advance(1)

            by = administrator.by_at(clock.now())
            lost_key.start_over(store, loaded.key_file, accounts, by, told)
    world = from_config(loaded)
    for event in done:
        noted(world, event)
    note(administrator, "key-lost", many(len(accounts), "account"))
    click.echo(f"{many(len(accounts), 'account')} must enroll anew, by invitation")
    if accounts:
        hint(administrator.command("invite", accounts[0]))


for _command in (key_copies.export_, key_copies.import_):
    key.add_command(_command)
