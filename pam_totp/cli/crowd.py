"""Who is meant by a file or a group, and what is said about the file."""

from __future__ import annotations

import shlex
from pathlib import Path

from pam_totp import nss
from pam_totp.bulk import candidates as found_in
from pam_totp.bulk import roster, spreadsheet
from pam_totp.bulk.candidates import Candidate, Names
from pam_totp.bulk.spreadsheet import BadFile, Faults
from pam_totp.cli.policy_change import UnknownGroup
from pam_totp.cli.terminal import hint, plain, say
from pam_totp.context import Context
from pam_totp.enrollment import Wanted
from pam_totp.otp import Parameters


def candidates(
    world: Context, file: Path | None, group: str | None, called: str, usual: Parameters
) -> tuple[list[Candidate], list[str]]:
    """Return everybody whom a file lists or a group has, and the members of the group whom nobody
    knows; `called` and `usual` are for what the file leaves open.

    Raises BadFile, whose faults were said, UnknownGroup, NameServiceError.
    """
    names = Names(world.person, nss.everyone())
    if file is not None:
        return _of_file(file, names, called, usual), []
    people, gone = found_in.of_group(_group(group or ""), names)
    return [Candidate(person, called, Wanted(usual)) for person in people], gone


def _of_file(file: Path, names: Names, called: str, usual: Parameters) -> list[Candidate]:
    faults = Faults(str(file))
    try:
        listed = roster.parse(spreadsheet.read(file), faults, usual)
        found = found_in.of_entries(listed.entries, names, called, faults)
        faults.check()
    except BadFile as error:
        for fault in error.faults:
            say(plain(fault))
        raise
    for note in listed.notes:
        say(plain(note))
    if listed.has_secrets and spreadsheet.readable_by_others(file):
        say(f"{plain(str(file))} holds secrets, and others can read it")
        hint(f"chmod 0600 {shlex.quote(str(file))}")
    return found


def _group(name: str) -> nss.Group:
    found = nss.group(name)
    if found is None:
        look = f"getent group {shlex.quote(name)}"
        raise UnknownGroup(f"there is no group called {name!r}", hint=look)
    return found
