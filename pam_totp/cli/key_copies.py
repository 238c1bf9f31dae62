"""`pam-totp key export | import`: copies of the sealing keys, and the way back from them."""

from __future__ import annotations

import platform
from pathlib import Path

import click

from pam_totp import clock, key_copy, keyfile, lost_key, passphrase, private_file
from pam_totp.cli import asked
from pam_totp.cli.administrator import Administrator
from pam_totp.cli.key_store import NotOurs, WrongKeys, note, opened
from pam_totp.cli.papers import name_paper
from pam_totp.cli.terminal import many, say, terminal
from pam_totp.credential import Credential
from pam_totp.errors import PamTotpError
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.seal import Keyring


@click.command("export", short_help="Write the keys to a file, under a passphrase, or on paper.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--paper", is_flag=True, help="In clear, as lines to be printed or copied by hand.")
@click.pass_obj
def export_(administrator: Administrator, file: Path | None, *, paper: bool) -> None:
    """Write the keys to FILE, under a passphrase, to be kept apart from the data.

    The passphrase is asked for twice, or is the first line of standard input. With --paper the
    keys stand there in clear; without FILE they are shown at the terminal.
    """
    loaded = administrator.config()
    ring, made_on = keyfile.load(loaded.key_file), keyfile.dates(loaded.key_file)
    if paper:
        _on_paper(administrator, key_copy.paper(ring, made_on, platform.node()), file)
    elif file is None:
        raise click.UsageError("FILE, --paper, or both")
    else:
        chosen = asked.chosen("Passphrase", administrator.again())
        passphrase.check(chosen)
        private_file.create(file, key_copy.sealed(ring, made_on, chosen))
    if file is not None:
        name_paper(file)
    note(administrator, "key-exported", ", ".join(ring.keys))


def _on_paper(administrator: Administrator, text: str, file: Path | None) -> None:
    if file is not None:
        private_file.create(file, text.encode())
        return
    with terminal(f"{administrator.again()} FILE") as person:
        person.show(text)


@click.command("import", short_help="Put keys back from a copy.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def import_(administrator: Administrator, file: Path) -> None:
    """Put keys back from FILE: what `key export` wrote, its paper typed, or a copy of the key file.

    Keys that are there stay, and the current one current. Nothing changes unless they open
    secrets that are there and that nothing else opens.
    """
    loaded = administrator.config()
    place = loaded.key_file

    def phrase() -> str:
        return asked.given("Passphrase", administrator.again())

    new, made_on = key_copy.read(file.read_bytes(), str(file), phrase)
    if isinstance(place, Credential):
        raise NotOurs(
            f"the key is {place}, which is not this program's to write",
            hint="give the service the copy with LoadCredential=, and: systemctl restart pam-totpd",
        )
    with opened(loaded, new) as store, store.writers_lock():
        there = lost_key.known(place)
        opens = _see_what_they_open(store, there, new)
        if there is None:
            keyfile.put_aside(place, clock.now())
        keys = {**new.keys, **(there.keys if there else {})}
        keyfile.write(place, Keyring((there or new).current, keys), made_on)
    note(administrator, "key-imported", ", ".join(new.keys))
    click.echo(f"{place}: {', '.join(new.keys)} put back; {many(opens, 'secret')} opened by it")


def _see_what_they_open(store: DirectoryStore, there: Keyring | None, new: Keyring) -> int:
    """Return how many secrets the new keys open that those that are there do not.

    Raises WrongKeys where there are such secrets and they open none, or where nothing wants them.
    """
    closed = {
        name: id_
        for name, id_ in store.files.sealed_under().items()
        if id_ and not (there and id_ in there.keys)
    }
    opens = sum(_opens(store, name) for name in closed)
    if not opens and (closed or there):
        raise WrongKeys(
            "these keys open nothing that is closed now; nothing was changed",
            hint="pam-totp key list",
        )
    missing = set(closed.values()) - new.keys.keys()
    if missing:
        say(f"still missing: {', '.join(sorted(missing))}")
    return opens


def _opens(store: DirectoryStore, name: str) -> bool:
    try:
        store.read_credentials(name)
    except (PamTotpError, FileNotFoundError):
        return False
    return True
