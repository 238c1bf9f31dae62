"""`--from` and `--group`: many people are enrolled or invited at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from pam_totp import apps
from pam_totp.account import NOBODY
from pam_totp.bulk.candidates import Candidate
from pam_totp.bulk.enroller import Enroller, outcome_of
from pam_totp.bulk.inviter import Inviter
from pam_totp.bulk.result import Outcome
from pam_totp.cli import crowd
from pam_totp.cli.administrator import Administrator
from pam_totp.cli.bulk_run import Many, Run, people
from pam_totp.cli.terminal import confirm, local, say
from pam_totp.context import Context
from pam_totp.otp import Parameters

_OPTIONS: Final = (
    click.option(
        "--from",
        "from_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Everybody whom a file lists: names, or CSV with a column `user`.",
    ),
    click.option("--group", metavar="GROUP", help="Everybody in a group."),
    click.option(
        "--files",
        metavar="DIRECTORY",
        type=click.Path(path_type=Path),
        help="With --from and --group: write a page (HTML) for each, that only they can read.",
    ),
    click.option("--yes", is_flag=True, help="With --from and --group: do not ask."),
)


def many_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options, which come to it as `many`."""

    @wraps(command)
    def collected(*args: Any, **given: Any) -> None:
        file, group = given.pop("from_file"), given.pop("group")
        many = Many(file, group, files=given.pop("files"), yes=given.pop("yes"))
        command(*args, many=many, **given)

    for option in reversed(_OPTIONS):
        option(collected)
    return collected


def enroll_many(administrator: Administrator, many: Many, called: str, usual: Parameters) -> None:
    """Enroll everybody who is meant, durably, and hand out their pages; `called` and `usual` are
    for what a file leaves open.

    Raises BadFile, UnknownGroup, NotAll, NoAnswer, NotWritten, StoreError.
    """
    world = administrator.context()
    found, gone = crowd.candidates(world, many.file, many.group, called, usual)
    planned = _plan(world, found)
    own_secrets = all(one.wanted.secret is not None for one in found)
    _check_output(many, needed=not own_secrets)
    _say_unusual(found)
    if planned[Outcome.ENROLLED] + planned[Outcome.AGAIN]:
        confirm(_question(many, planned), yes=many.yes, instead=administrator.again("--yes"))
    enroller = Enroller(
        world.store, world.config.issuer, lambda: administrator.by(world), codes=many.codes
    )
    handed = planned[Outcome.ENROLLED] + planned[Outcome.AGAIN]
    Run(administrator, world, many, gone).run(enroller.run(found), len(found), handed)


def invite_many(administrator: Administrator, many: Many, valid: int) -> None:
    """Invite everybody who is meant, for `valid` seconds, durably, and hand out the invitations.

    Raises as `enroll_many` does.
    """
    world = administrator.context()
    candidates, gone = crowd.candidates(world, many.file, many.group, "", Parameters())
    found = [one.person for one in candidates]
    _check_output(many, needed=True)
    states = dict(world.store.accounts())
    handed = [one for one in found if states.get(one.name, NOBODY).enrolled is None]
    void = sum(states.get(one.name, NOBODY).invitation is not None for one in handed)
    if handed:
        question = f"Invite {people(len(handed))}?"
        if void:
            question = f"Earlier invitations become void, of {people(void)}.\n{question}"
        confirm(question, yes=many.yes, instead=administrator.again("--yes"))
    inviter = Inviter(
        world.store,
        world.config.issuer,
        lambda: administrator.by(world),
        valid,
        lambda until: _until(until, on_paper=many.prints),
    )
    Run(administrator, world, many, gone).run(inviter.run(found), len(found), len(handed))


def _until(at: int, *, on_paper: bool) -> str:
    """Return a moment (UTC seconds) as people read it, or as scripts do."""
    return f"{local(at):%Y-%m-%d %H:%M}" if on_paper else local(at).isoformat()


def _plan(world: Context, found: Sequence[Candidate]) -> Counter[Outcome]:
    states = dict(world.store.accounts())
    return Counter(outcome_of(states.get(one.person.name, NOBODY)) for one in found)


def _check_output(many: Many, *, needed: bool) -> None:
    if needed and not many.prints and not many.json:
        raise click.UsageError(
            "say where their secrets go: --sheet FILE, --files DIRECTORY or --json"
        )
    if many.codes and not many.prints and not many.json:
        raise click.UsageError("--recovery-codes goes with --sheet, --files or --json")


def _say_unusual(found: Sequence[Candidate]) -> None:
    number = sum(bool(apps.ignored(one.wanted.parameters)) for one in found)
    if number:
        say(f"settings that not every app goes by, for {people(number)}: their pages say so")


def _question(many: Many, planned: Counter[Outcome]) -> str:
    new, again, stay = (
        planned[kind] for kind in (Outcome.ENROLLED, Outcome.AGAIN, Outcome.SKIPPED)
    )
    lines = []
    if stay:
        lines.append(f"Left as they are, because they have enrolled: {people(stay)}.")
    if again:
        codes = ", with new recovery codes (earlier ones become void)" if many.codes else ""
        lines.append(f"Shown again what they have never used{codes}: {people(again)}.")
    if new:
        lines += [
            f"Newly enrolled: {people(new)}. From then on each of them needs a code wherever the",
            f"policy asks for one: {'hand the pages out' if many.prints else 'tell them'} first.",
        ]
    return "\n".join([*lines, "Go on?"])
