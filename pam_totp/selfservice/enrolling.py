"""An enrollment by oneself: drafted, shown, confirmed by a code, and only then kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from pam_totp import enrollment, invitation, token_secret
from pam_totp.account import Person
from pam_totp.decide import WINDOW
from pam_totp.enrollment import Draft, Wanted
from pam_totp.errors import EnrollmentError, InvitationGone
from pam_totp.otp import TYPES, Parameters
from pam_totp.selfservice import view
from pam_totp.selfservice.caller import SERVICE
from pam_totp.selfservice.message import Object, number, text
from pam_totp.selfservice.present import Present, check_known
from pam_totp.selfservice.refusal import Refusal
from pam_totp.verdict import Verdict
from pam_totp.who import Who
from pam_totp.words import enrollment as enrollment_words
from pam_totp.words import selfservice as words

SECONDS: Final = 3_600.0  # for which a draft may be confirmed
_USUAL: Final = Parameters()


@dataclass(frozen=True, slots=True)
class _Shown:
    """A draft, until when it may be confirmed (seconds since the machine's start), and how many
    codes may still be tried.  `own_secret` says that it came from the person's own token."""

    draft: Draft
    until: float
    own_secret: bool
    tries: int = enrollment.TRIES


class Enrolling:
    """The one draft that a conversation may have: it lives here and dies with it."""

    def __init__(self, present: Present) -> None:
        self._present = present
        self._context = present.context
        self._shown: _Shown | None = None

    def draft(self, request: Object) -> Object:
        """Make a draft in the place of the one before, and return what is shown of it."""
        who = self._present.trusted()
        name, replaces = text(request, "name").strip(), text(request, "replaces", "")
        wanted = _wanted(request)
        self._check_room(who, name, replaces)
        person = who.person or Person(who.account, -1)  # it is there: `identify` has looked
        drafted = enrollment.draft(
            self._context.store,
            person,
            name,
            self._context.now(),
            wanted,
            limit=who.ruled.authenticators,
            replacing=replaces,
            word=self._present.invitation,
        )
        until = self._context.since_boot() + SECONDS
        self._shown = _Shown(drafted, until, own_secret=wanted.secret is not None)
        return self.show({})

    def show(self, _request: Object) -> Object:
        """Return what is shown of the draft."""
        shown = self._current()
        issuer = self._context.config.issuer
        answer = view.draft(shown.draft, issuer, own_secret=shown.own_secret)
        return {**answer, "tries_left": shown.tries}

    def confirm(self, request: Object) -> Object:
        """Keep the draft if that is its code, which is spent by it."""
        code, shown, who = text(request, "code"), self._current(), self._present.allowed()
        self._present.refuse_too_often()
        now = self._context.now()
        # SECURITY: a reset, or another enrollment, ends what was begun before it.
        if who.state.version != shown.draft.version:
            raise self._overtaken()
        # SECURITY: as the policy is now, an hour after the draft.
        first = who.state.enrolled is None
        if first and invitation.wanted(who.state, who.ruled.invitations) and not shown.draft.word:
            self._shown = None
            raise self._present.unproved(who)
        step = enrollment.proves(shown.draft, code, now, WINDOW, who.ruled.look_ahead)
        if step is None:
            raise self._wrong(shown, enrollment.drift(shown.draft, code, now))
        self._shown = None
        self._keep(shown.draft, now, step, who.ruled.authenticators)
        return {"recovery_codes": list(shown.draft.recovery_codes)}

    def _keep(self, drafted: Draft, now: float, step: int, limit: int) -> None:
        store, present = self._context.store, self._present
        try:
            event = enrollment.keep(store, drafted, now, "", step, limit=limit, service=SERVICE)
        except InvitationGone as gone:
            said = present.say(enrollment_words.EXPIRED_INVITATION)
            raise Refusal(Verdict.EXPIRED_INVITATION.value, said) from gone
        except EnrollmentError as error:
            raise self._overtaken() from error
        present.has_enrolled(event)

    def _check_room(self, who: Who, name: str, replaces: str) -> None:
        say, credentials = self._present.say, self._present.credentials(who)
        if replaces:
            check_known(self._present, credentials, replaces)
        known = credentials.authenticators if credentials else ()
        staying = [one.name for one in known if one.name != replaces]
        if name in staying:
            raise Refusal("name", say(words.NAME_TAKEN, name=name))
        if len(staying) >= who.ruled.authenticators:
            raise Refusal("too-many", say.many(words.TOO_MANY, len(staying)))

    def _current(self) -> _Shown:
        shown = self._shown
        if shown is None or self._context.since_boot() >= shown.until:
            self._shown = None
            raise Refusal("no-draft", self._present.say(words.NOTHING_SHOWN))
        return shown

    def _wrong(self, shown: _Shown, drift: int | None) -> Refusal:
        """Count a wrong code.  Who enrolls knows the secret: how far a clock is off is no hint
        to a guesser here."""
        left = shown.tries - 1
        self._shown = replace(shown, tries=left) if left else None
        said = enrollment_words.WRONG
        if drift is not None:
            said = enrollment_words.WRONG_SLOW if drift < 0 else enrollment_words.WRONG_FAST
        wrong = self._present.say(said, seconds=abs(drift or 0))
        return Refusal(Verdict.WRONG_CODE.value, wrong, drift=drift, tries_left=left)

    def _overtaken(self) -> Refusal:
        self._shown = None
        return Refusal("overtaken", self._present.say(words.OVERTAKEN))


def _wanted(request: Object) -> Wanted:
    """Return what kind of authenticator is asked for.

    Raises Refusal, EnrollmentError, BrokenMessage.
    """
    type_, spelled = text(request, "type", _USUAL.type), text(request, "secret", "")
    known = [one for one in TYPES if one == type_]
    if not known:
        raise Refusal("bad-value", f"type: one of {', '.join(TYPES)}")
    try:
        parameters = Parameters(
            text(request, "algorithm", _USUAL.algorithm),
            number(request, "digits", _USUAL.digits),
            number(request, "period", _USUAL.period),
            known[0],
        )
    except ValueError as error:
        raise Refusal("bad-value", str(error)) from error
    secret = token_secret.parse(spelled) if spelled else None
    return Wanted(parameters, secret, number(request, "counter", 0))
