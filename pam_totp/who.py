"""Whose login it is, and what the policy says of it."""

from __future__ import annotations

import syslog
from dataclasses import dataclass
from typing import Final

from pam_totp import audit, grace
from pam_totp.account import NOBODY, AccountState, Person
from pam_totp.context import Context
from pam_totp.conversation import Conversation
from pam_totp.decide import Decision, Door, Rules
from pam_totp.errors import PamTotpError
from pam_totp.event import Event
from pam_totp.local.account import LocalAccount, is_local
from pam_totp.outward import detail_of
from pam_totp.policy.document import Policy
from pam_totp.policy.resolve import Effective, Situation, effective
from pam_totp.policy.values import Mfa, SelfEnrollment, Unenrolled
from pam_totp.source import OWN_DOOR, Address, address_of, source_of
from pam_totp.verdict import Verdict

ROOT: Final = 0
# Why somebody who could enroll in a login did not.
CANNOT_SHOW: Final = (
    "this application cannot show a QR code: enroll over SSH, at the console, or by pam-totp enroll"
)
UNANSWERED: Final = f"the person left at the first question, or {CANNOT_SHOW}"


@dataclass(frozen=True, slots=True)
class Who:
    """The account by its own name, the person that NSS knows under it, the state as it was
    when it was looked at, and what the policy says of this login.  `vouched` says that `service`
    is known and not what a program of the person's own claims."""

    account: str
    typed: str
    person: Person | None
    state: AccountState
    door: Door
    service: str
    source: str
    ruled: Effective
    vouched: bool = False
    local: LocalAccount | None = None

    @property
    def is_first(self) -> bool:
        """Whether a local account signs in with a password that somebody else has made: then it
        enrolls and sets its own, whatever the policy says."""
        return self.local is not None and self.local.first

    @property
    def needs_code(self) -> bool:
        """Whether a code is needed: of everybody, or of whoever has enrolled."""
        if self.is_first:
            return True
        if self.ruled.mfa is Mfa.OPTIONAL:
            return self.state.enrolled is not None
        return self.ruled.mfa is Mfa.REQUIRED

    @property
    def enrolls(self) -> bool:
        """Whether somebody who must use a code and has none may set one up in the login."""
        ruled, root = self.ruled, self.door is Door.ROOT
        if not (root and self.needs_code and self.person and self.state.enrolled is None):
            return False
        if self.is_first:
            return True
        allowed = ruled.self_enrollment is SelfEnrollment.ON
        return allowed and ruled.unenrolled is Unenrolled.ENROLL

    @property
    def unknown(self) -> bool:
        """Whether neither NSS nor the store knows the name."""
        return self.person is None and self.state == NOBODY

    @property
    def place(self) -> str:
        """Where grace holds; "" where there can be none."""
        return grace.place(self.person, self.service, self.source)

    @property
    def rules(self) -> Rules:
        """What the decision goes by."""
        ruled = self.ruled
        return Rules(
            limits=ruled.limits,
            scope=ruled.scope,
            grace=ruled.grace,
            look_ahead=ruled.look_ahead,
        )

    def trusted(self, now: float) -> bool:
        """Whether a code was accepted here a short time ago, so that none is asked for."""
        return (
            not self.is_first
            and self.ruled.grace > 0
            and grace.in_grace(self.state, self.place, now, self.ruled.grace)
        )


class Refused(PamTotpError):
    """A refusal before any code was looked at."""

    def __init__(self, verdict: Verdict, account: str = "", *, detail: str = "") -> None:
        super().__init__(verdict.value)
        self.verdict = verdict
        self.account = account
        self.detail = detail


def find_out(context: Context, policy: Policy, talk: Conversation) -> Who:
    """Find out whose login it is.

    Raises Refused where the host may not ask, NameServiceError, StoreError and PolicyError
    where it could not be found out: a name service that is down is no "unknown account".
    """
    typed = talk.user() or ""
    if not typed:
        raise Refused(Verdict.MALFORMED)
    person = context.person(typed)
    account = person.name if person else typed
    own = talk.host_uid != ROOT
    if own and (person is None or person.uid != talk.host_uid):
        raise Refused(Verdict.NOT_ALLOWED, account)
    state = context.store.look(account)
    known = account if person or state != NOBODY else None
    # SECURITY: of a host that is not root's, nothing that it says of service or address counts.
    service, address = (None, None) if own else (talk.service, address_of(talk.rhost))
    return Who(
        account=account,
        typed=typed,
        person=person,
        state=state,
        door=Door.OWN if own else Door.ROOT,
        service=talk.service,
        source=OWN_DOOR if own else source_of(talk.rhost),
        ruled=ruled(context, policy, person, known=known, service=service, address=address),
        local=context.store.local_accounts.get(account) if is_local(person) else None,
    )


def ruled(  # noqa: PLR0913 -- of whom, and where
    context: Context,
    policy: Policy,
    person: Person | None,
    *,
    known: str | None,
    service: str | None,
    address: Address | None,
) -> Effective:
    """Return what the policy says of a login; `known` is the account, None for a name that
    nobody knows."""
    unsure: list[str] = []

    def member(group: str) -> bool | None:
        belongs = None if person is None else context.belongs(person, group)
        if belongs is None:
            unsure.append(group)
        return belongs

    found = effective(policy, Situation(known, context.now(), member, service, address))
    for group in unsure:
        line = {"policy": "unchecked", "account": known or "", "group": group}
        hint = f"getent group {group}; until NSS finds it, its stricter rules hold for everybody"
        context.log(syslog.LOG_WARNING, audit.line({**line, "hint": hint}))
    return found


def event_of(who: Who, talk: Conversation, made: Decision, now: float) -> Event:
    """Return the event of a decision.

    SECURITY: what a program of the person's own says of service and address is its own claim,
    and is not kept.
    """
    named, detail = made.authenticator or "", detail_of(made)
    if who.door is Door.OWN:
        detail = "; ".join(filter(None, (f"host uid:{talk.host_uid}", detail)))
        service = who.service if who.vouched else ""
        return Event(
            now, who.account, made.verdict.value, service, authenticator=named, detail=detail
        )
    return Event(
        now,
        who.account,
        made.verdict.value,
        talk.service,
        talk.rhost,
        talk.tty,
        named,
        detail,
    )
