"""Who is at the other end of one conversation, and what they have proved."""

from __future__ import annotations

import syslog
from dataclasses import replace

from pam_totp import audit
from pam_totp.account import Credentials
from pam_totp.event import Event
from pam_totp.ledger import Ledger
from pam_totp.selfservice.caller import Talk, identify, why_not
from pam_totp.selfservice.desk import Desk
from pam_totp.selfservice.message import Object
from pam_totp.selfservice.proof import CODE, Proof, Prover, ways
from pam_totp.selfservice.refusal import Refusal
from pam_totp.who import Who
from pam_totp.words import selfservice as words


class Present:
    """The person who has connected.  What is asked of it looks at the account anew each time."""

    def __init__(self, desk: Desk, uid: int) -> None:
        log = desk.context.sparing.log_of(uid, desk.context.log)
        self.context = replace(desk.context, log=log)
        self.ledger = Ledger(self.context, Talk(uid))
        self.say = desk.context.speech()
        self._check = desk.check
        self._budget = desk.budget
        self._uid = uid
        self._proof = Proof()

    def speaks(self, language: str) -> None:
        """Speak this language from here on."""
        self.say = self.context.speech(language)

    def who(self) -> Who:
        """Return whose account it is.  Raises Refusal."""
        who = identify(self.context, self._uid, self.say)
        self.ledger.account = who.account
        return who

    def credentials(self, who: Who) -> Credentials | None:
        """Return what they have enrolled."""
        return self.context.store.credentials(who.account)

    def why_not(self, who: Who) -> Refusal | None:
        """Return why they may not change their own codes, None if they may."""
        return why_not(self.context, who, self.say)

    def allowed(self) -> Who:
        """Return who it is, if they may change their own codes and nothing is locked.

        Raises Refusal.
        """
        who = self.who()
        refusal = self.why_not(who)
        if refusal is not None:
            raise refusal
        self._prover.refuse_locked(who)
        return who

    def trusted(self) -> Who:
        """Return who it is, if that is proved too.  Raises Refusal."""
        who = self.allowed()
        if not self._proof.holds(who, self.context.since_boot()):
            raise self.unproved(who)
        return who

    def unproved(self, who: Who) -> Refusal:
        """Return the refusal that asks for a proof."""
        return Refusal("prove", self.say(words.PROVE), proves=ways(who))

    def enrolled(self) -> tuple[Who, Credentials]:
        """Return who it is and what they have enrolled, if it is proved.  Raises Refusal."""
        who = self.trusted()
        self.refuse_too_often()
        credentials = self.credentials(who)
        if credentials is None:
            raise Refusal("not-enrolled", self.say(words.NOT_ENROLLED))
        return who, credentials

    def prove(self, kind: str, given: str) -> Who:
        """Check one thing that may prove it, and return who it is.  Raises Refusal."""
        self._prover.prove(self.allowed(), kind, given)
        who = self.who()
        self._proof = self._proof.with_(kind, given, who, self.context.since_boot())
        return who

    def proved(self, who: Who) -> Object:
        """Return what would prove it, and what is proved."""
        counts = self._proof.counts(who, self.context.since_boot())
        return {"proves": ways(who), "proved": sorted(self._proof.given) if counts else []}

    @property
    def invitation(self) -> str:
        """The invitation that was given, "" for none."""
        return self._proof.invitation

    @property
    def _prover(self) -> Prover:
        return Prover(self.context, self.ledger, self._check, self.say)

    def refuse_too_often(self) -> None:
        """Raise Refusal where the person has changed as much as one may within an hour."""
        if self._budget.used_up(self._uid, self.context.since_boot()):
            raise Refusal("too-often", self.say(words.LATER))

    def changed(self, who: Who, event: Event) -> None:
        """Log what they have done.  Their proof goes on: it was they who changed the account."""
        self.noted(event)
        self._proof = self._proof.of_version(self.context.store.look(who.account).version)

    def has_enrolled(self, event: Event) -> None:
        """Log it.  The new device's code, which was right, proves as much as one that is asked
        for."""
        self.noted(event)
        self._proof = Proof().with_(CODE, "", self.who(), self.context.since_boot())

    def noted(self, event: Event) -> None:
        """Log and count what they have done."""
        self._budget.spend(self._uid, self.context.since_boot())
        self.context.log(syslog.LOG_NOTICE, audit.act(event))


def check_known(present: Present, credentials: Credentials | None, name: str) -> None:
    """Raise Refusal unless there is an authenticator of that name."""
    if credentials is None or credentials.named(name) is None:
        raise Refusal("unknown-authenticator", present.say(words.NO_SUCH_NAME, name=name))
