"""What proves that it is the person and not only somebody at their keyboard."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from pam_totp import invitation
from pam_totp.context import Context
from pam_totp.decide import Decision, decide, invited, wrong_password
from pam_totp.ledger import Ledger
from pam_totp.lockout import Counter, Scope
from pam_totp.outward import clock_at, told
from pam_totp.selfservice.desk import Check
from pam_totp.selfservice.password import Outcome, Question
from pam_totp.selfservice.refusal import Refusal
from pam_totp.speech import Speech
from pam_totp.verdict import Verdict
from pam_totp.who import Who
from pam_totp.words import enrollment as enrollment_words
from pam_totp.words import login as login_words
from pam_totp.words import selfservice as words

PASSWORD: Final = "password"  # noqa: S105 -- a word of the protocol
INVITATION: Final = "invitation"
CODE: Final = "code"
KINDS: Final = (PASSWORD, INVITATION, CODE)
SECONDS: Final = 300.0  # for which a proof holds in its conversation


def ways(who: Who) -> list[list[str]]:
    """Return what proves who it is: any one of these lists, all of its words."""
    if who.state.enrolled is not None:
        return [[CODE]]
    if invitation.wanted(who.state, who.ruled.invitations):
        return [[PASSWORD, INVITATION]]
    return [[PASSWORD], [INVITATION]] if who.state.invitation else [[PASSWORD]]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was given and right, until when it counts (seconds since the machine's start), and of
    which version of the account: what was proved of an enrollment that is gone proves nothing of
    the next one.  `invitation` is the word itself."""

    given: frozenset[str] = frozenset()
    until: float = 0.0
    version: int = -1
    invitation: str = field(default="", repr=False)

    def holds(self, who: Who, since_boot: float) -> bool:
        """Whether enough was given, lately."""
        return self.counts(who, since_boot) and any(self.given.issuperset(w) for w in ways(who))

    def counts(self, who: Who, since_boot: float) -> bool:
        """Whether what was given still counts."""
        return since_boot < self.until and self.version == who.state.version

    def with_(self, kind: str, given: str, who: Who, since_boot: float) -> Proof:
        """Return the proof with one thing more that was right."""
        before = self if self.counts(who, since_boot) else Proof()
        word = given if kind == INVITATION else before.invitation
        return Proof(before.given | {kind}, since_boot + SECONDS, who.state.version, word)

    def of_version(self, version: int) -> Proof:
        """Return the proof for the account as its own conversation has changed it."""
        return replace(self, version=version)


class Prover:
    """Checks what somebody gives to prove who they are, under the lockout of their own door."""

    def __init__(self, context: Context, ledger: Ledger, check: Check, say: Speech) -> None:
        self._context = context
        self._ledger = ledger
        self._check = check
        self._say = say

    def refuse_locked(self, who: Who) -> None:
        """Raise Refusal where the account is locked for this door, by whatever lock."""
        held = self._ledger.held(who)
        if held is not None:
            raise self.refusal(who, held)

    def prove(self, who: Who, kind: str, given: str) -> None:
        """Check one thing.  Raises Refusal where it is wrong, was not asked for, or where the
        account is locked, and then nothing was checked."""
        self.refuse_locked(who)
        if not any(kind in way for way in ways(who)) or not given.strip():
            raise Refusal("not-asked", self._say(words.NOT_THAT))
        if kind == PASSWORD:
            self._password(who, given)
            return
        verdict = self._ledger.stepped(who, given, decide if kind == CODE else invited)
        if verdict not in (Verdict.ACCEPTED, Verdict.INVITED):
            raise self.refusal(who, verdict)

    def _password(self, who: Who, given: str) -> None:
        checked = self._check(Question(who.account, given))
        match checked.outcome:
            case Outcome.RIGHT:
                return
            case Outcome.WRONG:
                counted = replace(who, ruled=replace(who.ruled, scope=Scope.ACCOUNT))
                self._ledger.stepped(counted, "", wrong_password)
                raise self.refusal(who, Verdict.WRONG_PASSWORD)
            case Outcome.REFUSED:
                self._ledger.note(who, Verdict.NOT_ALLOWED, checked.detail)
                raise Refusal("closed", self._say(words.CLOSED))
            case Outcome.UNAVAILABLE:
                self._ledger.note(who, Verdict.UNAVAILABLE, checked.detail)
                raise Refusal("unavailable", self._say(words.UNCHECKED))

    def refusal(self, who: Who, verdict: Verdict) -> Refusal:
        """Return what a person is told of a verdict."""
        state = self._context.store.look(who.account)
        until = max(state.codes.locked_until, state.own_codes.locked_until)
        if verdict in (Verdict.LOCKED, Verdict.LOCKED_SOURCE):
            text = self._say(words.LOCKED, clock=clock_at(until, self._context.now()))
            return Refusal(Verdict.LOCKED.value, text, until=until)
        return Refusal(verdict.value, self._text(verdict, Decision(verdict, state, Counter())))

    def _text(self, verdict: Verdict, made: Decision) -> str:
        own = _TOLD.get(verdict)
        if own is not None:
            return self._say(own)
        return told(verdict, made, self._say) or self._say(login_words.WRONG_CODE)


_TOLD: Final = {
    Verdict.WRONG_PASSWORD: words.WRONG_PASSWORD,
    Verdict.WRONG_INVITATION: enrollment_words.WRONG_INVITATION,
    Verdict.EXPIRED_INVITATION: enrollment_words.EXPIRED_INVITATION,
    Verdict.OTHER_UID: words.OTHER_UID,
    Verdict.NOT_ENROLLED: words.NOT_ENROLLED,
}
