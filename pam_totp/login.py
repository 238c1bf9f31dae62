"""One login as a conversation: what to ask, what to answer.

It speaks to a `Conversation` and knows neither PAM nor sockets.  Three lines of a stack lead
here (docs/stacks.md): the plain one checks a code, `collect` takes password and code apart
before the password's module runs, `authfail` stands where the password was wrong.
"""

from __future__ import annotations

import syslog
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pam_totp import answer, audit, clockwatch, locks
from pam_totp.answer import Field
from pam_totp.context import Context
from pam_totp.conversation import Conversation
from pam_totp.decide import (
    Attempt,
    Decision,
    Door,
    Rules,
    Subject,
    decide,
    unknown_account,
    wrong_password,
)
from pam_totp.errors import PamTotpError, StoreError
from pam_totp.grace import ended_from
from pam_totp.lockout import Counter
from pam_totp.locks import TimedLock
from pam_totp.outward import detail_of, outward, told
from pam_totp.policy.document import Policy
from pam_totp.policy.resolve import asks_in
from pam_totp.policy.values import Messages, Mfa
from pam_totp.source import stranger
from pam_totp.store.protocol import Change
from pam_totp.verdict import Verdict
from pam_totp.who import ROOT, Refused, Who, event_of, find_out

_SLOW: Final = 10.0  # seconds, for a source that can be delayed and not locked

# What `collect` keeps for the line behind the password: never a verdict.
_NO_CODE_NEEDED: Final = "free"
_NO_CODE_GIVEN: Final = "none"
_CODE: Final = "code:"


_Decide = Callable[[Attempt, Subject, Rules], Decision]
_Line = Callable[[], Verdict]


class Login:
    """One PAM call.  Each method returns the verdict, logged and durable."""

    def __init__(self, context: Context, conversation: Conversation) -> None:
        self._context = context
        self._talk = conversation
        self._name = ""
        self._policy = Policy()
        self._last: Decision | None = None

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
        if kept is None and who.trusted(self._context.now()):
            return self._passed(who, "a code was accepted from here")
        if kept is None:
            typed = self._talk.ask(self._context.config.prompt_code)
        else:
            typed = kept.removeprefix(_CODE) if kept.startswith(_CODE) else None
        return self._told(who, self._checked(who, typed))

    def _wrong_password(self) -> Verdict:
        who = self._who()
        if self._talk.take() is None and who.needs_code:
            self._talk.ask(self._context.config.prompt_code)  # not looked at, and not spent
        if who.needs_code or who.unknown:
            return self._stepped(who, "", wrong_password)
        return self._note(who, Verdict.WRONG_PASSWORD)

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
        who = find_out(self._context, self._policy, self._talk)
        self._name = who.account
        return who

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
            return self._told(who, self._note(who, Verdict.LOCKED_BY_ADMINISTRATOR))
        if who.person is None:
            # A directory that has gone quiet looks like this, and so does an enrolled name in
            # a spelling that the password's module takes and NSS does not.
            return self._note(who, Verdict.UNKNOWN_ACCOUNT)
        others = self._other_names(who)
        if others:
            return self._note(who, Verdict.OTHER_UID, others)
        return self._passed(who)

    def _other_names(self, who: Who) -> str:
        """Return whose uid this is, if it has enrolled under another name."""
        if who.ruled.mfa is Mfa.OFF or who.person is None:
            return ""
        other = self._context.other_name(who.person)
        return f"uid {who.person.uid} has enrolled as {other}" if other else ""

    def _checked(self, who: Who, typed: str | None) -> Verdict:
        if answer.parse(typed) is None or typed in (who.typed, who.account):
            return self._note(who, Verdict.NO_CODE)
        return self._stepped(who, typed or "", unknown_account if who.unknown else decide)

    def _stepped(self, who: Who, typed: str, decision: _Decide) -> Verdict:
        """Run a decision as one step of the store, and say what came of it."""
        store, now = self._context.store, self._context.now()
        parsed = answer.parse(typed) or answer.Answer("")
        spelled = parsed.recovery_code or parsed.text  # however it was spelled, it is the same
        seen_as = store.fingerprint(who.account, spelled) if spelled else ""
        attempt = Attempt(who.person, parsed, seen_as, now, who.source, who.door, who.place)
        begun: set[TimedLock] = set()

        def step(subject: Subject) -> tuple[Decision, Change]:
            made = decision(attempt, subject, who.rules)
            if made.locks:
                begun.update(locks.begun(who.account, who.source, subject, made, now))
            same = (made.state, made.source) == (subject.state, subject.source)
            # SECURITY: somebody's own programs could say it a million times.
            event = None if same and who.door is Door.OWN else event_of(who, self._talk, made, now)
            return made, Change(made.state, made.source, event)

        account, source = (stranger(who.account), "") if who.unknown else (who.account, who.source)
        made = self._last = store.step(account, source, step)
        if who.door is Door.ROOT:
            accepted = made.verdict is Verdict.ACCEPTED
            clockwatch.watch(
                self._context, who.account, who.state.last_used, now, accepted=accepted
            )
        verdict = self._said(who, made.verdict, made)
        if made.locks and not who.unknown:
            locks.announce(made, begun, who.account, self._context.log, self._context.lock_begun)
        return verdict

    def _passed(self, who: Who, detail: str = "") -> Verdict:
        """Leave the login to the other modules.

        Nothing was accepted here that must be durable: where its event cannot be kept, on a
        full disk, a line says so, and nobody is kept out who needs no code.
        """
        try:
            return self._note(who, Verdict.NOT_NEEDED, detail)
        except StoreError as error:
            lost = {"event": "lost", "account": who.account, "service": who.service}
            why = {"detail": str(error), "hint": error.hint or ""}
            self._context.log(syslog.LOG_ERR, audit.line({**lost, **why}))
        return self._said(who, Verdict.NOT_NEEDED, detail=detail)

    def _note(self, who: Who, verdict: Verdict, detail: str = "") -> Verdict:
        """Keep an event of a verdict that changes nothing else, but that a wrong password ends
        the grace of its address, also where this login needs no code."""
        if who.door is Door.ROOT:
            made = Decision(verdict, who.state, Counter())
            event = replace(event_of(who, self._talk, made, self._context.now()), detail=detail)
            source = who.source if verdict is Verdict.WRONG_PASSWORD else ""

            def step(subject: Subject) -> tuple[None, Change]:
                return None, Change(ended_from(subject.state, source), subject.source, event)

            self._context.store.step(who.account, "", step)
        return self._said(who, verdict, detail=detail)

    def _told(self, who: Who, verdict: Verdict) -> Verdict:
        """Tell the person why, where the policy wants that and root's stack has checked the
        password."""
        if who.ruled.messages is Messages.HELPFUL and who.door is Door.ROOT:
            words = told(verdict, self._last)
            if words:
                self._talk.show(words)
        return verdict

    def _said(
        self, who: Who, verdict: Verdict, made: Decision | None = None, detail: str = ""
    ) -> Verdict:
        """Log a verdict and let a refusal take its time."""
        self._log(
            verdict,
            typed=who.typed if who.typed != who.account else "",
            authenticator=(made and made.authenticator) or "",
            detail=detail_of(made) if made else detail,
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
            self._policy = self._context.policy()
            if not asks_in(self._policy, self._talk.service):
                return Verdict.NOT_NAMED
            return line()
        except Refused as refusal:
            self._name = refusal.account
            self._log(refusal.verdict)
            self._talk.delay(self._context.config.fail_delay)
            return refusal.verdict
        except PamTotpError as error:
            self._log(Verdict.UNAVAILABLE, detail=str(error), hint=error.hint or "")
            return Verdict.UNAVAILABLE
