"""`pam-totp`: the commands, and the one place that turns exceptions into exit codes.

0    done             2    the command line was not understood
1    not done         70   a fault of the program
130  Ctrl-C           141  whoever read the output went away
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from pam_totp import __version__, config
from pam_totp.bridge.log import describe
from pam_totp.cli import (
    account,
    accounts,
    authenticator,
    doctor,
    enroll,
    events,
    invite,
    key,
    policy,
    prune,
    recovery_codes,
    rehearse,
    reset,
    setup,
    stack,
    status,
    store,
)
from pam_totp.cli.administrator import PROGRAM, Administrator
from pam_totp.cli.terminal import hint, plain, say
from pam_totp.errors import PamTotpError

_NOT_DONE = 1
_USAGE = 2
_FAULT = 70  # EX_SOFTWARE of sysexits.h
_INTERRUPTED = 130
_BROKEN_PIPE = 141


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=config.DEFAULT_PATH,
    help=f"Another configuration than {config.DEFAULT_PATH}.",
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@click.pass_obj
def cli(administrator: Administrator, path: Path) -> None:
    """Logins with a password and the code of an authenticator app."""
    administrator.path = Path(os.path.abspath(path))


for _command in (
    setup.setup,
    enroll.enroll,
    invite.invite,
    authenticator.authenticator,
    recovery_codes.recovery_codes,
    status.status,
    accounts.lock,
    accounts.unlock,
    account.account,
    prune.prune,
    reset.reset,
    policy.policy,
    rehearse.test,
    events.events,
    stack.stack,
    key.key,
    store.store,
    doctor.doctor,
):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    administrator = Administrator(words)
    _settle()
    try:
        code = _run(words, administrator)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nothing may be written any more, by the interpreter's end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    return code


def _run(words: list[str], administrator: Administrator) -> int:
    try:
        return _invoke(words, administrator)
    except click.ClickException as error:
        return _misunderstood(error)
    except PamTotpError as error:
        return _failed(str(error), error.hint and administrator.here(error.hint))
    except (KeyboardInterrupt, click.Abort):
        click.echo(err=True)
        return _INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        what = error.strerror or type(error).__name__
        return _failed(f"{error.filename}: {what}" if error.filename else what, None)
    except Exception as error:  # noqa: BLE001 -- no traceback: its lines could hold a secret
        return _fault(error)


def _invoke(words: list[str], administrator: Administrator) -> int:
    """Run the command, without click's own way of ending."""
    try:
        with cli.make_context(PROGRAM, words, obj=administrator) as context:
            cli.invoke(context)
    except click.exceptions.Exit as done:  # after --help
        return done.exit_code
    return 0


def _failed(message: str, what_next: str | None) -> int:
    say(plain(message))
    if what_next:
        hint(plain(what_next))
    return _NOT_DONE


def _misunderstood(error: click.ClickException) -> int:
    say(error.format_message())
    context = getattr(error, "ctx", None)
    hint(f"{context.command_path if context else PROGRAM} --help")
    return _USAGE


def _fault(error: Exception) -> int:
    """Name types and places, and no word of the exception's own."""
    say(f"a fault of the program: {describe(error)}")
    hint("what was done until then stands; please report this line")
    return _FAULT


def _settle() -> None:
    """Leave no secret in files that others could read, core dumps included, and fail at no
    character that a terminal does not have."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
