"""Turning services on: what would change, and the change.

Turning them off is libexec/stack-off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from pam_totp.stack import block, change, sshd, trial
from pam_totp.stack.change import Change
from pam_totp.stack.compose import ByHand, Composition, Variant, compose
from pam_totp.stack.pamfile import StackError, load
from pam_totp.stack.tree import Tree
from pam_totp.stack.trial import Trial

SSHD: Final = "sshd"
_OPENVPN: Final = "openvpn"
# How long a change may stand of which nobody has said that it is to stay: a rehearsal's time.
_GUARD: Final = 600  # seconds


class State(Enum):
    """Whether a service asks for a code, and by which lines."""

    OFF = "no"
    ON = "yes"
    STALE = "yes, otherwise than it would be composed now"
    EDITED = "yes, by a block that was edited since it was written"
    BY_HAND = "yes, by lines written by hand"


@dataclass(frozen=True, slots=True)
class Look:
    """A service as it is, and what it would become."""

    service: str
    state: State
    composition: Composition | None  # None for lines written by hand
    said: str = ""  # of lines written by hand: which

    @property
    def wants_change(self) -> bool:
        """Whether enabling would write its file."""
        return self.composition is not None and self.composition.now != self.composition.wanted

    @property
    def asks_for_code_alone(self) -> bool:
        """Whether its stack is, or would be, one that comes after a key."""
        return self.composition is not None and self.composition.variant is Variant.CODE


def usual(service: str) -> Variant:
    """Return how a service comes by password and code unless it is said."""
    return Variant.COLLECT if service == _OPENVPN else Variant.BOTH


def look(
    tree: Tree, service: str, variant: Variant | None = None, *, local: bool | None = None
) -> Look:
    """Return how a service stands; what is not said stays as it is.

    Raises StackError where it cannot be composed.
    """
    try:
        how = variant or _variant_in_force(tree, service)
        local = _lets_in_local(tree, service) if local is None else local
        found = compose(tree, service, how, local=local and how is not Variant.CODE)
    except ByHand as error:
        return Look(service, State.BY_HAND, None, str(error))
    return Look(service, _state(found), found)


def drop_in_change(*, code_only: bool) -> Change | None:
    """Return what sshd's drop-in would become; one that is there stays as it is."""
    try:
        load(sshd.DROP_IN)
    except FileNotFoundError:
        return Change(SSHD, sshd.DROP_IN, None, sshd.drop_in(code_only=code_only))
    return None


@dataclass(frozen=True, slots=True)
class Done:
    """Changes that stand for now: the trial that they are under, and their copies."""

    trial: Trial
    copies: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """Who turns something on, when (UTC seconds), and for how long (seconds) unless confirmed."""

    who: str
    now: float
    seconds: int | None


def enable(
    root: Path, order: Order, changes: Sequence[Change], settle: Callable[[], None] = lambda: None
) -> Done:
    """Write the changes, sshd's drop-in first; `settle` is called before the stacks follow.

    They put themselves back after `order.seconds`, or in ten minutes, unless `trial.forget` is
    called before.  Raises StackError; then everything is as it was.
    """
    places: list[Path] = []
    # In this order they are put back: a stack that asks for the password again before the
    # settings of an sshd that checks it itself.
    ordered = sorted(changes, key=lambda one: one.path == sshd.DROP_IN)
    services = list(dict.fromkeys(one.service for one in changes))
    try:
        with change.lock(root, order.who):
            _no_trial(root)
            for one in ordered:
                change.unchanged(one)
            # One by one: if one fails, the ones before it are known.
            places.extend(change.keep(root, one, order.now) for one in ordered)
            begun = trial.begin(root, services, places, order.now, order.seconds or _GUARD)
            _write(ordered, settle)
    except BaseException:
        put_back(root, places)
        raise
    return Done(begun, tuple(places))


def _write(changes: Sequence[Change], settle: Callable[[], None]) -> None:
    """Write sshd's settings before its stack.

    SECURITY: a stack that asks for the code alone must never meet an sshd, or a login of one,
    that has not checked a key; `settle` sees to that.
    """
    for one in changes:
        if one.path == sshd.DROP_IN:
            change.replace(one.path, one.after)
    settle()
    for one in changes:
        if one.path != sshd.DROP_IN:
            change.replace(one.path, one.after)


def put_back(root: Path, places: Sequence[Path]) -> None:
    """Undo changes whose copies are there, and forget their trial."""
    if places:
        change.stack_off(root, ["--put-back", *places])


def _no_trial(root: Path) -> None:
    running = trial.current(root)
    if running is not None:
        raise StackError(
            f"a trial of {', '.join(running.services)} is under way",
            hint="from a second login: pam-totp stack confirm; or: "
            f"pam-totp stack disable {' '.join(running.services)}",
        )


def _state(found: Composition) -> State:
    if found.now is None or found.now == found.base:
        return State.OFF
    if any(one.edited for one in block.blocks(found.now, found.path)):
        return State.EDITED
    return State.ON if found.now == found.wanted else State.STALE


def _in_force(tree: Tree, service: str) -> list[str]:
    """Return the `auth` lines of the block that is there."""
    path = tree.root / "etc/pam.d" / service
    try:
        inside = [line for one in block.blocks(load(path), path) for line in one.inside]
    except FileNotFoundError:
        return []
    return [line for line in inside if line.startswith("auth")]


def _lets_in_local(tree: Tree, service: str) -> bool:
    return any(line.endswith("pam_totp.so local") for line in _in_force(tree, service))


def _variant_in_force(tree: Tree, service: str) -> Variant:
    """Return the variant of the block that is there, or the usual one."""
    asks = _in_force(tree, service)
    if not asks:
        return usual(service)
    if any(line.endswith("pam_totp.so collect") for line in asks):
        return Variant.COLLECT
    authfail = any(line.endswith("pam_totp.so authfail") for line in asks)
    return Variant.BOTH if authfail else Variant.CODE
