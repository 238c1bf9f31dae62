"""Enrollment within a login: after the right password the QR code stands in a prompt's text.

Applications show prompts as they are, and information late or not at all; an OpenVPN server
shows neither, and there the login is refused.  Nobody says which characters the terminal has at
the other end of an SSH connection, nor its colours: so the person is asked.
"""

from __future__ import annotations

import syslog
from typing import Final

from pam_totp import audit, enrollment, invitation, picture, recovery
from pam_totp import authenticator as authenticators
from pam_totp.context import Context
from pam_totp.conversation import Conversation
from pam_totp.decide import WINDOW, decide, invited
from pam_totp.enrollment import Draft
from pam_totp.errors import EnrollmentError, InvitationGone, PamTotpError
from pam_totp.event import Origin
from pam_totp.ledger import Ledger
from pam_totp.speech import Speech
from pam_totp.verdict import Verdict
from pam_totp.who import CANNOT_SHOW, UNANSWERED, Who, find_out
from pam_totp.words import enrollment as words

_ABANDONED: Final = "the enrollment was abandoned"
_NAME: Final = "phone"
_PROMPTS: Final = 20  # pages that one login may turn
_LONGEST: Final = 1_800.0  # seconds that one login may take for them; it holds a place meanwhile
_YES: Final = ("yes", "y", "ja", "j")
_BAR: Final = "██████"


class _GivenUp(PamTotpError):
    """Nothing was enrolled."""


class LoginEnrollment:
    """One enrollment, from the right password to the login's verdict."""

    def __init__(
        self, context: Context, conversation: Conversation, ledger: Ledger, who: Who
    ) -> None:
        self._context = context
        self._talk = conversation
        self._ledger = ledger
        self._who = who
        self._answered = 0
        self._begun = context.since_boot()
        self._locale = conversation.locale()
        self._say = context.speech(self._locale)

    def run(self) -> Verdict:
        """Enroll, and let the person in by the code that proved it.  Abandoned or refused, it
        leaves nothing but its event."""
        try:
            return self._locked() or self._enrolled()
        except (_GivenUp, EnrollmentError) as error:
            return self._ledger.note(self._who, Verdict.NOT_ENROLLED, str(error))

    def _enrolled(self) -> Verdict:
        who, context = self._who, self._context
        if who.person is None:
            raise _GivenUp("nobody knows the name")
        word = ""
        if invitation.wanted(who.state, who.ruled.invitations):
            word = self._asked(self._say(words.ASK_INVITATION))
            verdict = self._presented(word)
            if verdict is not Verdict.INVITED:
                return verdict
        limit, now = who.ruled.authenticators, context.now()
        drafted = enrollment.draft(context.store, who.person, _NAME, now, limit=limit, word=word)
        typed, at = self._proof(drafted)
        self._look_again(drafted)
        return self._locked() or self._kept(drafted, typed, at)

    def _locked(self) -> Verdict | None:
        """Return the refusal of whoever is locked whatever else is right, None if nobody is."""
        held = self._ledger.held(self._who)
        if held is None:
            return None
        return self._ledger.told(self._who, self._ledger.note(self._who, held))

    def _look_again(self, drafted: Draft) -> None:
        """Find out anew what holds: half an hour may have gone by on the page.  Raises _GivenUp
        where nobody would be shown it any more; an enrollment of somebody else is `keep`'s."""
        who = find_out(self._context, self._context.policy(), self._talk)
        uninvited = invitation.wanted(who.state, who.ruled.invitations) and not drafted.word
        barred = who.state.enrolled is None and (not who.enrolls or uninvited)
        other = who.person != drafted.person or self._context.other_name(drafted.person)
        if barred or other or not drafted.recovery_codes:
            self._ledger.told(who, Verdict.NOT_ENROLLED)
            raise _GivenUp("policy or account have changed in the meantime")
        self._who = who

    def _presented(self, word: str) -> Verdict:
        if not word.strip():
            raise _GivenUp("no invitation was given")
        verdict = self._ledger.stepped(self._who, word, invited)
        if verdict is Verdict.WRONG_INVITATION:
            self._talk.show(self._say(words.WRONG_INVITATION))
        if verdict is Verdict.EXPIRED_INVITATION:
            self._talk.show(self._say(words.EXPIRED_INVITATION))
        return self._ledger.told(self._who, verdict)

    def _proof(self, drafted: Draft) -> tuple[str, float]:
        """Return the right code, and when it was typed."""
        page = Page(self._say, drafted, self._context.config.issuer, self._locale)
        tries, above = enrollment.TRIES, self._say(words.INTRODUCTION)
        for _ in range(_PROMPTS):
            typed = self._asked(page.text(above)).strip()
            above = ""
            if page.turned(typed):
                continue
            now = self._context.now()
            if enrollment.proves(drafted, typed, now, WINDOW) is not None:
                return typed, now
            tries -= 1
            if not tries:
                self._talk.show(self._say(words.GIVEN_UP))
                raise _GivenUp(f"{enrollment.TRIES} wrong codes, nothing was enrolled")
            above = self._why(enrollment.drift(drafted, typed, now))
            page.stays()
        raise _GivenUp(_ABANDONED)

    def _why(self, drift: int | None) -> str:
        """Say what to do about a wrong code.  Who enrolls knows the secret: how far a clock is
        off is no hint to a guesser here."""
        if drift is None:
            return self._say(words.WRONG)
        slow = words.WRONG_SLOW if drift < 0 else words.WRONG_FAST
        return self._say(slow, seconds=abs(drift))

    def _kept(self, drafted: Draft, typed: str, at: float) -> Verdict:
        context, talk = self._context, self._talk
        try:
            event = enrollment.keep(
                context.store,
                drafted,
                context.now(),
                "",
                limit=self._who.ruled.authenticators,
                origin=Origin(talk.rhost, talk.tty),
                service=talk.service,
            )
        except InvitationGone:
            talk.show(self._say(words.EXPIRED_INVITATION))
            raise
        except EnrollmentError:
            talk.show(self._say(words.OVERTAKEN))
            raise
        context.log(syslog.LOG_NOTICE, audit.act(event))
        verdict = self._ledger.stepped(self._who, typed, decide, at)
        if verdict is Verdict.ACCEPTED:
            self._hand_out(drafted.recovery_codes)
        return self._ledger.told(self._who, verdict)

    def _hand_out(self, codes: tuple[str, ...]) -> None:
        """Show the recovery codes until the person says to have them, or is gone."""
        head = f"{self._say(words.ENROLLED)}\n\n{self._say(words.RECOVERY_CODES)}\n"
        foot = f"{self._say(words.NEW_ONES)}\n\n{self._say(words.ASK_KEPT)}"
        text = f"{head}\n{recovery.in_columns(codes)}\n\n{foot}"
        for _ in range(enrollment.TRIES):
            answer = self._talk.ask(text)
            if answer is None or answer.strip().lower() in _YES:
                return
            text = self._say(words.ASK_KEPT)

    def _asked(self, prompt: str) -> str:
        """Return what was typed.  Raises _GivenUp where the application cannot show prompts:
        some answer each with the user's name."""
        typed = self._talk.ask(prompt)
        if typed is None or typed in (self._who.typed, self._who.account):
            if self._answered:
                raise _GivenUp(_ABANDONED)
            raise _GivenUp(CANNOT_SHOW if typed else UNANSWERED)
        self._answered += 1
        if self._context.since_boot() - self._begun > _LONGEST:
            raise _GivenUp(_ABANDONED)
        return typed


class Page:
    """What stands in the prompts, as the person turns it: by Enter alone the picture is drawn
    for the other kind of screen, by `k` it gives way to the key."""

    def __init__(self, say: Speech, drafted: Draft, issuer: str, locale: str) -> None:
        one, account = drafted.authenticator, drafted.person.name
        self._say = say
        # A directory that others write may name somebody so that a terminal obeys.
        self._account = "".join(c if c.isprintable() else "?" for c in account)
        self._issuer = issuer
        self._key = authenticators.in_groups(authenticators.base32(one.secret))
        self._uris = [authenticators.uri(one, account, issuer, short=s) for s in (False, True)]
        self._asks = not locale  # whether a bar can be seen
        self._draws = not locale or "utf" in locale.lower()
        self._dark = True
        self._short = False

    def turned(self, typed: str) -> bool:
        """Turn to the page that was asked for; False if what was typed is meant as a code."""
        self._short = False
        if self._asks:
            self._asks, self._draws = False, not typed
        elif not typed:
            self._dark = not self._dark
        elif typed.lower() == "k":
            self._draws = False
        else:
            return False
        return True

    def stays(self) -> None:
        """Show no more than the question: the picture still stands above it."""
        self._short = True

    def text(self, above: str) -> str:
        """Return the prompt, below what is to be said first."""
        if self._asks:
            return self._below(above, "", self._say(words.CAN_YOU_SEE, bar=_BAR))
        if self._short:
            return self._below(above, self._say(words.ASK))
        drawn = self._drawn() if self._draws else None
        if drawn is None:
            key = self._say(
                words.KEY_AND_ISSUER, key=self._key, account=self._account, issuer=self._issuer
            )
            return self._below(
                above, self._say(words.TYPE_THE_KEY), "", key, "", self._say(words.ASK)
            )
        key = self._say(words.KEY, key=self._key, account=self._account)
        return self._below(
            above, self._say(words.SCAN), drawn, key, self._say(words.ASK_UNDER_PICTURE)
        )

    def _drawn(self) -> str | None:
        """Return the picture, None where there can be none."""
        try:
            uri = picture.fitting(*self._uris)
            return picture.plain(uri, dark_screen=self._dark).text
        except EnrollmentError:
            self._draws = False
            return None

    @staticmethod
    def _below(above: str, *parts: str) -> str:
        return "\n".join((above, *parts) if above else parts)
