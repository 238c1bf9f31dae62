"""What every line of a login shares: a decision is run as one step of the store, an event is
kept, a line is logged, the person is told.
"""

from __future__ import annotations

import syslog
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pam_totp import answer, audit, clockwatch, locks
from pam_totp.context import Context
from pam_totp.conversation import Conversation
from pam_totp.decide import Attempt, Decision, Door, Rules, Subject, standing
from pam_totp.errors import StoreError
from pam_totp.grace import ended_from
from pam_totp.lockout import Counter
from pam_totp.locks import TimedLock
from pam_totp.outward import detail_of, outward, told
from pam_totp.policy.values import Messages
from pam_totp.source import stranger
from pam_totp.store.protocol import Change
from pam_totp.verdict import Verdict
from pam_totp.who import ROOT, Who, event_of

_SLOW: Final = 10.0  # seconds, for a source that can be delayed and not locked

Decide = Callable[[Attempt, Subject, Rules], Decision]


class Ledger:
    """What one PAM call decides is kept, logged and told here.  `account` is whose it is."""

    def __init__(self, context: Context, conversation: Conversation) -> None:
        self._context = context
        self._talk = conversation
        self.account = ""
        self.last: Decision | None = None

    def stepped(self, who: Who, typed: str, decision: Decide, now: float | None = None) -> Verdict:
        """Run a decision as one step of the store, and say what came of it; `now` is when the
        answer was typed, if that was a moment ago."""
        store, now = self._context.store, self._context.now() if now is None else now
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
        made = self.last = store.step(account, source, step)
        if who.door is Door.ROOT:
            accepted = made.verdict is Verdict.ACCEPTED
            clockwatch.watch(
                self._context, who.account, who.state.last_used, now, accepted=accepted
            )
        verdict = self.said(who, made.verdict, made)
        if made.locks and not who.unknown:
            locks.announce(made, begun, who.account, self._context.log, self._context.lock_begun)
        return verdict

    def held(self, who: Who) -> Verdict | None:
        """Return the lock that refuses this login whatever else is right, if any."""
        now = self._context.now()
        attempt = Attempt(who.person, answer.Answer(""), "", now, who.source, who.door)

        def step(subject: Subject) -> tuple[Verdict | None, Change]:
            lock = standing(attempt, subject)
            if lock is not None:
                self.last = Decision(lock, subject.state, subject.source)
            return lock, Change(subject.state, subject.source)

        return self._context.store.step(who.account, who.source, step)

    def passed(self, who: Who, detail: str = "") -> Verdict:
        """Leave the login to the other modules.

        Nothing was accepted here that must be durable: where its event cannot be kept, on a
        full disk, a line says so, and nobody is kept out who needs no code.
        """
        try:
            return self.note(who, Verdict.NOT_NEEDED, detail)
        except StoreError as error:
            lost = {"event": "lost", "account": who.account, "service": who.service}
            why = {"detail": str(error), "hint": error.hint or ""}
            self._context.log(syslog.LOG_ERR, audit.line({**lost, **why}))
        return self.said(who, Verdict.NOT_NEEDED, detail=detail)

    def note(self, who: Who, verdict: Verdict, detail: str = "") -> Verdict:
        """Keep an event of a verdict that changes nothing else, but that a wrong password ends
        the grace of its address, also where this login needs no code."""
        if who.door is Door.ROOT:
            made = Decision(verdict, who.state, Counter())
            event = replace(event_of(who, self._talk, made, self._context.now()), detail=detail)
            source = who.source if verdict is Verdict.WRONG_PASSWORD else ""

            def step(subject: Subject) -> tuple[None, Change]:
                return None, Change(ended_from(subject.state, source), subject.source, event)

            self._context.store.step(who.account, "", step)
        return self.said(who, verdict, detail=detail)

    def told(self, who: Who, verdict: Verdict) -> Verdict:
        """Tell the person why, where the policy wants that and root's stack has checked the
        password."""
        if who.ruled.messages is Messages.HELPFUL and who.door is Door.ROOT:
            self._tell(verdict)
        return verdict

    def _tell(self, verdict: Verdict) -> None:
        if told(verdict, self.last) is not None:  # only then is it worth asking for the locale
            say = self._context.speech(self._talk.locale())
            self._talk.show(told(verdict, self.last, say) or "")

    def said(
        self, who: Who, verdict: Verdict, made: Decision | None = None, detail: str = ""
    ) -> Verdict:
        """Log a verdict and let a refusal take its time."""
        self.log(
            verdict,
            typed=who.typed if who.typed != who.account else "",
            authenticator=(made and made.authenticator) or "",
            detail=detail_of(made) if made else detail,
        )
        if outward(verdict).delayed:
            slow = _SLOW if made and made.slow else 0.0
            self._talk.delay(max(self._context.config.fail_delay, slow))
        return verdict

    def log(self, verdict: Verdict, **more: str) -> None:
        """Log one line."""
        talk = self._talk
        fields = {
            "verdict": verdict.value,
            "account": self.account,
            "service": talk.service,
            "rhost": talk.rhost,
            "tty": talk.tty,
            "host": "" if talk.host_uid == ROOT else f"uid:{talk.host_uid}",
            **more,
        }
        self._context.log(outward(verdict).priority, audit.line(fields))
