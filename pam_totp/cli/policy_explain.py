"""`pam-totp policy explain`: what the policy makes of a login, and which rule it is from."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from typing import Any, Final

import click

from pam_totp import grace, people
from pam_totp.account import NOBODY, AdministratorLock
from pam_totp.cli.terminal import hint, moment, plain, table, wrapped
from pam_totp.context import Context
from pam_totp.errors import PolicyError
from pam_totp.impact import Standing, standing
from pam_totp.locks import Kind
from pam_totp.people import Known
from pam_totp.policy import reason
from pam_totp.policy.document import Policy, Rule, key
from pam_totp.policy.keys import KEYS, Key
from pam_totp.policy.resolve import Ruling, Situation, asks_in, ruling
from pam_totp.policy.values import Mfa, midnight
from pam_totp.source import Address, address_of, source_of
from pam_totp.stack import services_that_collect

ALL: Final = "all"
_MFA: Final = "mfa"


@dataclass(frozen=True, slots=True)
class Question:
    """A login that is asked about."""

    world: Context
    policy: Policy
    who: Known
    situation: Situation

    def made(self, name: str) -> Ruling:
        """Return what the policy says for one key."""
        return ruling(self.policy, self.situation, name)

    @property
    def place(self) -> str:
        """Where the login is, in words."""
        service, address = self.situation.service, self.situation.address
        at = f" at {service}" if service is not None else ""
        return at + (f" from {address}" if address is not None else "")


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of the login: "asked", "not asked", "enrolls" or "refused", in a sentence,
    with what to do about it ("" for nothing)."""

    standing: str
    sentence: str
    hint: str = ""


def question(world: Context, user: str, service: str | None, address: str | None) -> Question:
    """Return the login that is asked about.  Raises PolicyError, NameServiceError, StoreError."""
    person = world.person(user)
    name = person.name if person is not None else user
    who = Known(name, person, world.store.look(name))

    def member(group: str) -> bool | None:
        return None if person is None else world.belongs(person, group)

    is_known = person is not None or who.state != NOBODY
    found = None if address is None else _address(address)
    situation = Situation(name if is_known else None, world.now(), member, service, found)
    return Question(world, world.policy(), who, situation)


def show(asked: Question, name: str) -> None:
    """Print which rules say something of one key, or of all, what came out and what becomes of
    the login."""
    if name == ALL:
        rows = [(k.name, _value(k, asked.made(k.name)), _source(asked.made(k.name))) for k in KEYS]
        table(("Key", "Value", "From"), rows)
    else:
        _rules(asked, asked.made(key(name).name))
    if name not in (ALL, _MFA):
        because = _because(asked.made(name), asked.situation.now)
        click.echo(plain(f"{asked.who.name}{asked.place}: {because}"))
        return
    found = answer(asked)
    click.echo(wrapped(plain(found.sentence), sys.stdout))
    if found.hint:
        hint(plain(found.hint))


def as_json(asked: Question, name: str) -> str:
    """Return the same for scripts."""
    names = [k.name for k in KEYS] if name == ALL else [key(name).name]
    found, situation = answer(asked), asked.situation
    said = {
        "account": asked.who.name,
        "known": situation.user is not None,
        "service": situation.service,
        "address": None if situation.address is None else str(situation.address),
        "standing": found.standing,
        "because": found.sentence,
        "keys": {name: _key_as_json(asked, asked.made(name)) for name in names},
    }
    return json.dumps(said, indent=2)


def answer(asked: Question) -> Answer:  # noqa: PLR0911 -- one for each thing that decides
    """Return what becomes of the login, if its password is right."""
    name, place = asked.who.name, asked.place
    service, state = asked.situation.service, asked.who.state
    if state.disabled is not None:
        return _barred(asked, state.disabled, "disabled", "account enable")
    if service is not None and not asks_in(asked.policy, service):
        return Answer("not asked", f"{name} is not asked{place}: {_services(asked.policy)}")
    if asked.situation.user is None:
        why = "neither NSS nor the store knows that name, and the strictest rules hold"
        return Answer("refused", f"{name} is refused{place}: {why}", f"getent passwd {_word(name)}")
    if state.lock is not None:
        return _barred(asked, state.lock, "locked", "unlock")
    if asked.who.person is None:
        return Answer("refused", f"{name} is refused{place}: NSS does not know the name any more")
    made = asked.made(_MFA)
    enrolled = state.enrolled is not None
    if made.value is Mfa.OFF or (made.value is Mfa.OPTIONAL and not enrolled):
        return _without_code(asked, made)
    return _with_code(asked, made)


def _barred(asked: Question, by: AdministratorLock, how: str, lifts: str) -> Answer:
    name, reason_ = asked.who.name, f" ({by.reason})" if by.reason else ""
    why = f"{name} is refused{asked.place}: {how} by {by.by}{reason_}"
    return Answer("refused", why, _command(lifts, name))


def _locked(asked: Question) -> str:
    """Return which lock, of the account or from there, holds for a time."""
    codes, now = asked.who.state.codes, asked.situation.now
    if codes.locked(now):
        return f"locked until {moment(codes.locked_until, now)}, after wrong codes"
    here = (asked.who.name, Kind.PASSWORDS, source_of(str(asked.situation.address or "")))
    for held in asked.world.store.timed_locks(now):
        if (held.account, held.kind, held.source) == here:
            until = moment(held.until, now)
            return f"locked from {held.source} until {until}, after wrong passwords"
    return ""


def _without_code(asked: Question, made: Ruling) -> Answer:
    who, because = asked.who, _because(made, asked.situation.now)
    other = "" if who.person is None else asked.world.other_name(who.person)
    if other and who.person is not None and made.value is not Mfa.OFF:
        why = f"uid {who.person.uid} has enrolled as {other}"
        return Answer("refused", f"{who.name} is refused{asked.place}: {why}")
    tail = "" if made.value is Mfa.OFF else f", and {who.name} has not enrolled"
    return Answer("not asked", f"{who.name} is not asked for a code{asked.place}: {because}{tail}")


def _with_code(asked: Question, made: Ruling) -> Answer:
    who, now, place = asked.who, asked.situation.now, asked.place
    name, because = who.name, _because(made, now)
    if who.state.enrolled is None and _enrolls(asked):
        sentence = f"{name} sets up a code when logging in{place}: {because}, and has none yet"
        return Answer("enrolls", sentence)
    if who.state.enrolled is None:
        sentence = f"{name} is refused{place}: {because}, and {name} has not enrolled"
        return Answer("refused", sentence, _command("enroll", name))
    damage = people.damage(asked.world, who)
    if damage:
        return Answer("refused", f"{name} is refused{place}: {damage}", _command("status", name))
    until = _trusted_until(asked)
    if until is not None:
        why = f"a code was accepted from there, and grace lasts until {moment(until, now)}"
        return Answer("not asked", f"{name} is not asked for a code{place}: {why}")
    why = _locked(asked)
    if why:
        return Answer("refused", f"{name} is refused{place}: {why}", _command("unlock", name))
    tail = "" if made.value is Mfa.REQUIRED else f", and {name} has enrolled"
    return Answer("asked", f"{name} must use a code{place}: {because}{tail}")


def _enrolls(asked: Question) -> bool:
    """Whether the person can enroll in this login."""
    one = people.somebody(asked.world, asked.who, asked.policy.groups, asked.situation.now)
    service, address = asked.situation.service, asked.situation.address
    found = standing(
        asked.policy,
        one,
        service or "",
        address,
        asked.situation.now,
        mute=services_that_collect(),
    )
    return found is Standing.ENROLLS


def _trusted_until(asked: Question) -> float | None:
    """Return until when no new code is asked for here, None if one is."""
    situation, lasts = asked.situation, float(asked.made("grace").value)
    source = source_of(str(situation.address or ""))
    place = grace.place(asked.who.person, situation.service or "", source)
    if not grace.in_grace(asked.who.state, place, situation.now, lasts):
        return None
    return asked.who.state.trusted[place] + lasts


def _because(made: Ruling, now: float) -> str:
    """Return a value and its rule: `mfa=required for group staff (since 2027-02-01)`."""
    if made.rule is None:
        return f"{made.key.name}={_text(made.key, made.value)} (default)"
    said = f"{made.key.name}={_text(made.key, made.rule.values[made.key.name])}"
    day = made.rule.values.get("mfa-from") if made.key.name == _MFA else None
    since = ""
    if day is not None:
        begun = midnight(day) <= now
        since = f" (since {day})" if begun else f" (from {day} on, and until then optional)"
    return f"{said} for {made.rule.target}{since}"


def _services(policy: Policy) -> str:
    named = ",".join(policy.everywhere("services"))
    is_set = any("services" in rule.values for rule in policy.rules)
    return f"services={named}" + ("" if is_set else " (default)")


def _rules(asked: Question, made: Ruling) -> None:
    """Print the rules that say something of a key, the winner with its reason."""
    rows = [_row(asked, made, rule, how=how) for rule, how in made.considered]
    won = "won: " + reason.won(made) if made.rule is None else ""
    rows.insert(0, ("default", _text(made.key, made.key.default), "yes", won))
    table(("For", made.key.name, "Applies", ""), rows)
    click.echo()


def _row(asked: Question, made: Ruling, rule: Rule, *, how: bool | None) -> tuple[str, ...]:
    value = _text(made.key, rule.values[made.key.name])
    if made.key.name == _MFA and "mfa-from" in rule.values:
        value += f" from {rule.values['mfa-from']}"
    won = f"won: {reason.won(made)}" if rule is made.rule else ""
    return str(rule.target), value, reason.applies(rule, asked.situation, how=how), won


def _key_as_json(asked: Question, made: Ruling) -> dict[str, Any]:
    return {
        "value": _value(made.key, made),
        "rule": None if made.rule is None else str(made.rule.target),
        "why": reason.won(made),
        "rules": [
            {
                "rule": str(rule.target),
                "value": _text(made.key, rule.values[made.key.name]),
                "applies": how,
                "why": reason.applies(rule, asked.situation, how=how),
            }
            for rule, how in made.considered
        ],
    }


def _value(key_: Key, made: Ruling) -> str:
    return _text(key_, made.value)


def _source(made: Ruling) -> str:
    return "default" if made.rule is None else str(made.rule.target)


def _text(key_: Key, value: Any) -> str:
    return "none" if value is None else key_.kind.text(value)


def _address(text: str) -> Address:
    found = address_of(text)
    if found is None:
        raise PolicyError(
            f"--from: expected an address like 192.0.2.7, found {text[:80]!r}",
            hint="leave --from out for a login without an address, or with a name for one",
        )
    return found


def _word(name: str) -> str:
    return shlex.quote(name)


def _command(act: str, name: str) -> str:
    return f"pam-totp {act} {shlex.quote(name)}"
