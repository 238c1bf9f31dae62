"""One login as a conversation: what to ask, what to answer.

It speaks to a `Conversation` and knows neither PAM nor sockets.  Three lines of a stack lead
here (docs/stacks.md): the plain one checks a code, `collect` takes password and code apart
before the password's module runs, `authfail` stands where the password was wrong.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pam_totp import answer, audit
from pam_totp.account import AccountState, Person
from pam_totp.answer import Field
from pam_totp.context import Context
from pam_totp.conversation import Conversation
from pam_totp.decide import Attempt, Decision, Door, Rules, Subject, decide, wrong_password
from pam_totp.errors import PamTotpError
from pam_totp.event import Event
from pam_totp.outward import outward
from pam_totp.source import OWN_DOOR, source_of
from pam_totp.store.protocol import Change
from pam_totp.verdict import Verdict

ROOT: Final = 0
_SLOW: Final = 10.0  # seconds, for a source that can be delayed and not locked
_STRANGERS: Final = 4096

# What `collect` keeps for the line behind the password: never a verdict.
_NO_CODE_NEEDED: Final = "free"
_NO_CODE_GIVEN: Final = "none"
_CODE: Final = "code:"


_Decide = Callable[[Attempt, Subject, Rules], Decision]
_Line = Callable[[], Verdict]


@dataclass(frozen=True, slots=True)
class Who:
    """Whose login it is: the account by its own name, the person that NSS knows under it, and
    the state as it was when it was looked at."""

    account: str
    typed: str
    person: Person | None
    state: AccountState
    door: Door

    @property
    def needs_code(self) -> bool:
        """Whether a code is needed.  Until there is policy: whoever has enrolled."""
        return self.state.enrolled is not None


class Refused(PamTotpError):
    """A refusal before any code was looked at."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.value)
        self.verdict = verdict


class Login:
    """One PAM call.  Each method returns the verdict, logged and durable."""

    def __init__(self, context: Context, conversation: Conversation) -> None:
        self._context = context
        self._talk = conversation
        self._name = ""

    def check(self) -> Verdict:
        """Answer the plain line: ask for the code, or take the collected one, and check it."""
        return self._answered(self._check)

    def wrong_password(self) -> Verdict:
        """Answer `authfail`: ask for a code all the same, count the password, refuse."""
        return self._answered(self._wrong_password)

    def collect(self) -> Verdict:
        """Answer `collect`: take password and code from what the client sends, hand the
        password on.  NOT_NEEDED means "go on"."""
        return self._answered(self._collect)

    def account(self) -> Verdict:
        """Answer the account phase: NOT_NEEDED unless an administrator has locked it."""
        return self._answered(self._account)

    # -- the four lines -----------------------------------------------------------------------

    def _check(self) -> Verdict:
        who = self._who()
        kept = self._talk.take()
        if kept is None and not who.needs_code:
            return self._without_code(who)
        if kept == _NO_CODE_NEEDED:
            # What was decided may only become stricter.
            return self._note(who, Verdict.NO_CODE) if who.needs_code else self._without_code(who)
        if kept is None:
            typed = self._talk.ask(self._context.config.prompt_code)
        else:
            typed = kept.removeprefix(_CODE) if kept.startswith(_CODE) else None
        return self._checked(who, typed)

    def _wrong_password(self) -> Verdict:
        who = self._who()
        if self._talk.take() is None and who.needs_code:
            self._talk.ask(self._context.config.prompt_code)  # not looked at, and not spent
        if who.needs_code:
            return self._stepped(who, "", wrong_password)
        if who.person is None:
            # Names without an account share a table of fixed size.
            slot = f"?{zlib.crc32(who.account.encode('utf-8', 'surrogateescape')) % _STRANGERS}"
            return self._stepped(who, "", wrong_password, counted_as=slot)
        return self._said(who, Verdict.WRONG_PASSWORD)

    def _collect(self) -> Verdict:
        who = self._who()
        typed = self._talk.password(self._context.config.prompt_password)
        if not typed:
            return self._note(who, Verdict.NO_CODE)
        try:
            field = self._taken_apart(who, typed)
        except answer.Malformed:
            return self._note(who, Verdict.MALFORMED)
        if not field.password:
            return self._note(who, Verdict.NO_CODE)
        if field.password != typed:
            self._talk.hand_on(field.password)
        if not who.needs_code:
            self._talk.keep(_NO_CODE_NEEDED)
        else:
            self._talk.keep(_CODE + field.code if field.code else _NO_CODE_GIVEN)
        return Verdict.NOT_NEEDED

    def _account(self) -> Verdict:
        who = self._who()
        if who.state.lock is not None:
            return self._said(who, Verdict.LOCKED_BY_ADMINISTRATOR)
        return Verdict.NOT_NEEDED

    # -- what they share ------------------------------------------------------------------------

    def _who(self) -> Who:
        """Find out whose login it is.

        Raises Refused where the host may not ask, NameServiceError and StoreError where it
        could not be found out: a name service that is down is no "unknown account".
        """
        typed = self._name = self._talk.user() or ""
        if not typed:
            raise Refused(Verdict.MALFORMED)
        person = self._context.lookup(typed)
        account = self._name = person.name if person else typed
        own = self._talk.host_uid != ROOT
        if own and (person is None or person.uid != self._talk.host_uid):
            raise Refused(Verdict.NOT_ALLOWED)
        state = self._context.store.look(account)
        return Who(account, typed, person, state, Door.OWN if own else Door.ROOT)

    def _taken_apart(self, who: Who, typed: str) -> Field:
        """Return password and code out of a password field and the answer to a prompt.

        An answer that repeats the password or the name comes from an application that answers
        prompts by rote: then the code is the end of the password field.
        """
        if answer.is_static_challenge(typed):
            return answer.split_static_challenge(typed)
        if not who.needs_code:
            return Field(typed)
        code = self._talk.ask(self._context.config.prompt_code)
        if code and code.strip() and code not in (typed, who.typed, who.account):
            return Field(typed, code)
        credentials = self._context.store.credentials(who.account)
        return answer.split_code_from_end(typed, credentials.digits if credentials else None)

    def _without_code(self, who: Who) -> Verdict:
        if who.state.lock is not None:
            return self._note(who, Verdict.LOCKED_BY_ADMINISTRATOR)
        if who.person is None:
            # A directory that has gone quiet looks like this, and so does an enrolled name in
            # a spelling that the password's module takes and NSS does not.
            return self._said(who, Verdict.UNKNOWN_ACCOUNT)
        return self._said(who, Verdict.NOT_NEEDED)

    def _checked(self, who: Who, typed: str | None) -> Verdict:
        if answer.parse(typed) is None or typed in (who.typed, who.account):
            return self._note(who, Verdict.NO_CODE)
        return self._stepped(who, typed or "", decide)

    def _stepped(
        self, who: Who, typed: str, decision: _Decide, counted_as: str | None = None
    ) -> Verdict:
        """Run a decision as one step of the store, and say what came of it."""
        store, now = self._context.store, self._context.now()
        own = who.door is Door.OWN
        source = OWN_DOOR if own else source_of(self._talk.rhost)
        parsed = answer.parse(typed) or answer.Answer("")
        spelled = parsed.recovery_code or parsed.text  # however it was spelled, it is the same
        seen_as = store.fingerprint(who.account, spelled) if spelled else ""
        attempt = Attempt(who.person, parsed, seen_as, now, source, who.door)

        def step(subject: Subject) -> tuple[Decision, Change]:
            made = decision(attempt, subject, self._context.rules)
            event = self._event(who, made.verdict, now, made.authenticator or "", _detail(made))
            return made, Change(made.state, made.source, event)

        address = "" if counted_as else source
        made = store.step(counted_as or who.account, address, step)
        return self._said(who, made.verdict, made)

    def _note(self, who: Who, verdict: Verdict) -> Verdict:
        """Keep an event of a refusal that changes nothing else."""
        event = self._event(who, verdict, self._context.now())
        self._context.store.step(
            who.account, "", lambda subject: (None, Change(subject.state, subject.source, event))
        )
        return self._said(who, verdict)

    def _event(
        self, who: Who, verdict: Verdict, now: float, authenticator: str = "", detail: str = ""
    ) -> Event:
        talk = self._talk
        return Event(
            now,
            who.account,
            verdict.value,
            talk.service,
            talk.rhost,
            talk.tty,
            authenticator,
            detail,
        )

    def _said(self, who: Who, verdict: Verdict, made: Decision | None = None) -> Verdict:
        """Log a verdict and let a refusal take its time."""
        self._log(
            verdict,
            typed=who.typed if who.typed != who.account else "",
            authenticator=(made and made.authenticator) or "",
            detail=_detail(made) if made else "",
        )
        if outward(verdict).delayed:
            slow = _SLOW if made and made.slow else 0.0
            self._talk.delay(max(self._context.config.fail_delay, slow))
        return verdict

    def _log(self, verdict: Verdict, **more: str) -> None:
        talk = self._talk
        fields = {
            "verdict": verdict.value,
            "account": self._name,
            "service": talk.service,
            "rhost": talk.rhost,
            "tty": talk.tty,
            "host": "" if talk.host_uid == ROOT else f"uid:{talk.host_uid}",
            **more,
        }
        self._context.log(outward(verdict).priority, audit.line(fields))

    def _answered(self, line: _Line) -> Verdict:
        """Turn what could not be checked into the refusal that says so, with what to do."""
        try:
            return line()
        except Refused as refusal:
            self._log(refusal.verdict)
            self._talk.delay(self._context.config.fail_delay)
            return refusal.verdict
        except PamTotpError as error:
            self._log(Verdict.UNAVAILABLE, detail=str(error), hint=error.hint or "")
            return Verdict.UNAVAILABLE


def _detail(made: Decision) -> str:
    said = ["this locks"] if made.locks else []
    if made.drift is not None:
        off = "slow" if made.drift < 0 else "fast"
        said.append(f"the phone's clock is {abs(made.drift)} s {off}")
    return "; ".join(said)
