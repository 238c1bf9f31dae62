"""One conversation over admin.socket: what a person may ask for, and when.

request         with                                wants     answers
hello           language                            nothing   the account, and what proves
prove           password, invitation or code        nothing   what proves, and what is proved
draft           name, replaces, type, algorithm,    a proof   uris, key, ...
                digits, period, secret, counter
show            nothing                             a draft   the same again
confirm         code                                a draft   recovery_codes, the first time
rename          name, new                           a proof
remove          name                                a proof
resync          name, codes: two                    a proof   drift, ahead
recovery-codes  nothing                             a proof   recovery_codes
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pam_totp import upkeep
from pam_totp.errors import (
    BrokenMessage,
    EnrollmentError,
    PamTotpError,
    ResyncError,
    StoreDamaged,
    UnknownAuthenticator,
)
from pam_totp.resync import resync
from pam_totp.selfservice import message, view
from pam_totp.selfservice.caller import SERVICE
from pam_totp.selfservice.desk import Desk
from pam_totp.selfservice.enrolling import Enrolling
from pam_totp.selfservice.message import Object, text
from pam_totp.selfservice.present import Present, check_known
from pam_totp.selfservice.proof import KINDS
from pam_totp.selfservice.refusal import Refusal
from pam_totp.verdict import Verdict
from pam_totp.words import selfservice as words

_TWO: Final = 2


class Session:
    """One person's conversation, by what the kernel says of their uid."""

    def __init__(self, desk: Desk, uid: int) -> None:
        self._turns = desk.turns
        self._uid = uid
        self._present = Present(desk, uid)
        self._store = desk.context.store
        enrolling = Enrolling(self._present)
        self._requests: Final[dict[str, Callable[[Object], Object]]] = {
            "hello": self._hello,
            "prove": self._prove,
            "draft": enrolling.draft,
            "show": enrolling.show,
            "confirm": enrolling.confirm,
            "rename": self._rename,
            "remove": self._remove,
            "resync": self._resync,
            "recovery-codes": self._recovery_codes,
        }

    def answer(self, request: Object) -> Object:
        """Do what is asked.  Raises BrokenMessage for what cannot be understood."""
        wanted = self._requests.get(text(request, "request"))
        if wanted is None:
            raise BrokenMessage(f"request: expected one of {', '.join(self._requests)}")
        try:
            with self._turns.turn(self._uid):
                return message.done(wanted(request))
        except BrokenMessage:
            raise
        except Refusal as refusal:
            return message.failed(refusal.kind, str(refusal), refusal.hint or "", **refusal.more)
        except (EnrollmentError, ResyncError) as error:
            return message.failed("bad-value", str(error), error.hint or "")
        except UnknownAuthenticator as error:
            return message.failed("unknown-authenticator", str(error))
        except PamTotpError as error:
            return self._could_not(error)

    def _could_not(self, error: PamTotpError) -> Object:
        """Log what an administrator has to put right, and say that there is something."""
        say = self._present.say
        self._present.ledger.log(Verdict.UNAVAILABLE, detail=str(error), hint=error.hint or "")
        if isinstance(error, StoreDamaged):
            return message.failed("damaged", say(words.DAMAGED))
        return message.failed("unavailable", say(words.LATER))

    def _hello(self, request: Object) -> Object:
        present = self._present
        present.speaks(text(request, "language", ""))
        who = present.who()
        refusal = present.why_not(who)
        if refusal is not None and refusal.kind == "other-uid":
            raise refusal
        return {
            **view.account(who, present.credentials(who), present.context.now()),
            **present.proved(who),
            "issuer": present.context.config.issuer,
            "self_enrollment": refusal is None,
            "why_not": "" if refusal is None else str(refusal),
        }

    def _prove(self, request: Object) -> Object:
        given = [kind for kind in KINDS if kind in request]
        if len(given) != 1:
            raise BrokenMessage(f"prove: expected one of {', '.join(KINDS)}")
        return self._present.proved(self._present.prove(given[0], text(request, given[0])))

    def _rename(self, request: Object) -> Object:
        name, new = text(request, "name"), text(request, "new").strip()
        who, credentials = self._present.enrolled()
        check_known(self._present, credentials, name)
        if new != name and credentials.named(new):
            raise Refusal("name", self._present.say(words.NAME_TAKEN, name=new))
        event = upkeep.rename(self._store, who.account, name, new, self._by)
        self._present.changed(who, event)
        return {}

    def _remove(self, request: Object) -> Object:
        name = text(request, "name")
        who, credentials = self._present.enrolled()
        check_known(self._present, credentials, name)
        if len(credentials.authenticators) == 1:
            raise Refusal("last", self._present.say(words.THE_LAST, name=name))
        self._present.changed(who, upkeep.remove(self._store, who.account, name, self._by))
        return {}

    def _resync(self, request: Object) -> Object:
        name, codes = text(request, "name"), request.get("codes")
        if not isinstance(codes, list) or len(codes) != _TWO:
            raise BrokenMessage("codes: expected two texts")
        first, second = (text({"codes": code}, "codes") for code in codes)
        who, credentials = self._present.enrolled()
        check_known(self._present, credentials, name)
        store, now = self._store, self._by.now
        found = resync(store, who.account, name, (first, second), now=now, by="", service=SERVICE)
        self._present.changed(who, found.event)
        return {"drift": found.drift, "ahead": found.ahead}

    def _recovery_codes(self, _request: Object) -> Object:
        who, _ = self._present.enrolled()
        codes, event = upkeep.new_recovery_codes(self._store, who.account, self._by)
        self._present.changed(who, event)
        return {"recovery_codes": list(codes)}

    @property
    def _by(self) -> upkeep.By:
        return upkeep.By(self._present.context.now(), service=SERVICE)
