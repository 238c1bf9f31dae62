"""What people see of their own account, and change of it, once they have enrolled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from pam_totp import private_file, sheet
from pam_totp.cli.administrator import Administrator
from pam_totp.cli.enrollment_page import show_recovery_codes
from pam_totp.cli.oneself import Oneself, ask_again, conversation
from pam_totp.cli.papers import document, name_paper
from pam_totp.cli.terminal import confirm, local, plain, say, terminal
from pam_totp.recovery import FEW
from pam_totp.selfservice.client import Device
from pam_totp.words import console

_AT_A_TERMINAL: Final = "run it at a terminal, for instance by ssh -t"


def status(administrator: Administrator, *, as_json: bool) -> None:
    """Show what there is of one's own account."""
    with conversation(administrator) as oneself:
        account = oneself.account
        if as_json:
            click.echo(json.dumps(_as_json(oneself), indent=2))
            return
        for line in _lines(oneself):
            click.echo(line)
        if account.enrolled and account.recovery_codes <= FEW:
            say(oneself.say(console.FEW_CODES))
        if not account.enrolled and account.self_enrollment:
            say(oneself.say(console.NOT_YET))


def rename(administrator: Administrator, name: str, new: str) -> None:
    """Call an authenticator of one's own something else."""

    def change(oneself: Oneself) -> str:
        oneself.client.rename(name, new)
        return oneself.say(console.RENAMED, name=plain(name), new=plain(new))

    click.echo(_changed(administrator, change))


def remove(administrator: Administrator, name: str, *, yes: bool) -> None:
    """Remove an authenticator of one's own."""

    def change(oneself: Oneself) -> str:
        question = oneself.say(console.REMOVE, name=plain(name))
        confirm(question, yes=yes, instead=administrator.again("--yes"))
        oneself.client.remove(name)
        return oneself.say(console.REMOVED, name=plain(name))

    click.echo(_changed(administrator, change))


def resync(administrator: Administrator, name: str) -> None:
    """Tell the service what an authenticator's clock or counter shows, by two codes in a row."""
    with _enrolled(administrator) as oneself, terminal(_AT_A_TERMINAL) as person:
        oneself.prove(person)
        first = ask_again(person, oneself.say)
        person.show(oneself.say(console.NEXT_CODE))
        second = first
        while second == first:
            second = ask_again(person, oneself.say)
        oneself.client.resync(name, (first, second))
        person.show(oneself.say(console.IN_STEP, name=plain(name)))


def recovery_codes(
    administrator: Administrator, sheet_file: Path | None, *, new: bool, yes: bool, as_json: bool
) -> None:
    """Count one's own recovery codes, or make new ones."""
    if new and as_json:
        raise click.UsageError("--new --json is for administrators: yours are shown to you")
    if not new:
        _count(administrator, as_json=as_json)
        return
    with _enrolled(administrator) as oneself, terminal(_AT_A_TERMINAL) as person:
        oneself.must_be_open()  # before anything is asked
        left = oneself.account.recovery_codes
        question = oneself.say(console.NEW_CODES, number=left)
        confirm(question, yes=yes, instead=administrator.again("--yes"))
        oneself.prove(person)
        if sheet_file is None:
            show_recovery_codes(person, oneself.client.new_recovery_codes(), oneself.say)
            return
        with private_file.PrivateFile(sheet_file) as file:
            account = oneself.account
            codes = oneself.client.new_recovery_codes()
            paper = sheet.RecoveryPage(account.account, account.issuer, codes)
            page = sheet.recovery_page(paper, oneself.say)
            file.write(document(account.account, page, oneself.say))
        name_paper(sheet_file)


def _count(administrator: Administrator, *, as_json: bool) -> None:
    with conversation(administrator) as oneself:
        left = oneself.account.recovery_codes
        if as_json:
            click.echo(json.dumps({"account": oneself.account.account, "left": left}))
            return
        oneself.must_have_enrolled(administrator.command("enroll"))
        click.echo(oneself.say(console.CODES_LEFT, number=left))
        if left <= FEW:
            say(oneself.say(console.FEW_CODES))


def _changed(administrator: Administrator, change: Callable[[Oneself], str]) -> str:
    """Change something once the person has proved who it is."""
    with _enrolled(administrator) as oneself, terminal(_AT_A_TERMINAL) as person:
        oneself.prove(person)
        return change(oneself)


@contextmanager
def _enrolled(administrator: Administrator) -> Iterator[Oneself]:
    """Talk about an account that has something to change.  Raises EnrollmentError."""
    with conversation(administrator) as oneself:
        oneself.must_have_enrolled(administrator.command("enroll"))
        yield oneself


def _lines(oneself: Oneself) -> list[str]:
    say_, account = oneself.say, oneself.account
    lines = [say_(console.ACCOUNT, name=plain(account.account))]
    lines += [f"  {_device(oneself, one)}" for one in account.devices]
    if account.enrolled:
        lines.append(say_(console.CODES_LEFT, number=account.recovery_codes))
    else:
        lines.append(say_(console.NOTHING))
    lines += filter(None, [oneself.locked()])
    if not account.self_enrollment:
        lines.append(account.why_not)
    return lines


def _device(oneself: Oneself, one: Device) -> str:
    if one.last_used is None:
        return oneself.say(console.NEVER_USED, name=plain(one.name))
    used = f"{local(one.last_used):%Y-%m-%d %H:%M}"
    return oneself.say(console.LAST_USED, name=plain(one.name), clock=used)


def _as_json(oneself: Oneself) -> dict[str, Any]:
    """Return one's own account as scripts read it, times as ISO 8601."""
    account = oneself.account
    devices = [
        {
            **asdict(one.parameters),
            "name": one.name,
            "created": local(one.created).isoformat(),
            "last_used": local(one.last_used).isoformat() if one.last_used else None,
            "confirmed": one.confirmed,
        }
        for one in account.devices
    ]
    until = account.locked_until
    return {
        "account": account.account,
        "enrolled": account.enrolled,
        "authenticators": devices,
        "recovery_codes": account.recovery_codes,
        "locked": account.locked,
        "locked_until": None if until is None else local(until).isoformat(),
        "self_enrollment": account.self_enrollment,
    }
