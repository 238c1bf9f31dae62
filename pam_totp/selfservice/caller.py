"""Who has connected, as an account: by uid, and by nothing that they say."""

from __future__ import annotations

from pam_totp.context import Context
from pam_totp.decide import Door
from pam_totp.policy.values import Mfa, SelfEnrollment
from pam_totp.selfservice.refusal import Refusal
from pam_totp.source import OWN_DOOR
from pam_totp.speech import Speech
from pam_totp.who import Who, ruled
from pam_totp.words import selfservice as words

SERVICE = "pam-totp"  # what events and log lines call this door


class Talk:
    """A Conversation in which nothing is asked and shown: both goes over the socket."""

    service = SERVICE
    rhost = ""
    tty = ""

    def __init__(self, uid: int) -> None:
        self.host_uid = uid

    def locale(self) -> str:
        return ""

    def user(self) -> str | None:
        return None

    def ask(self, _prompt: str) -> str | None:
        return None

    def ask_hidden(self, _prompt: str) -> str | None:
        return None

    def show(self, text: str) -> None:
        pass

    def password(self, _prompt: str) -> str | None:
        return None

    def hand_on(self, password: str) -> None:
        pass

    def keep(self, value: str) -> None:
        pass

    def take(self) -> str | None:
        return None

    def delay(self, seconds: float) -> None:
        pass


def identify(context: Context, uid: int, say: Speech) -> Who:
    """Return the account of a uid, as its own door.

    Its failures count at that door alone, wrong passwords too: there is no address.  What the
    policy says of places counts as far as it is stricter.

    Raises Refusal, NameServiceError, StoreError, PolicyError.
    """
    named = context.lookup_uid(uid)
    person = context.person(named.name) if named else None
    if person is None or person.uid != uid:
        raise Refusal("no-account", say(words.NO_ACCOUNT, uid=uid))
    account = person.name
    return Who(
        account=account,
        typed=account,
        person=person,
        state=context.store.look(account),
        door=Door.OWN,
        service=SERVICE,
        source=OWN_DOOR,
        ruled=ruled(context, context.policy(), person, known=account, service=None, address=None),
        vouched=True,
    )


def why_not(context: Context, who: Who, say: Speech) -> Refusal | None:
    """Return why this account's codes are nothing that its person may change, None if they are.

    Raises NameServiceError, StoreError.
    """
    state, person = who.state, who.person
    if person is None or (state.enrolled is not None and state.uid != person.uid):
        return Refusal("other-uid", say(words.OTHER_UID))
    if who.ruled.self_enrollment is SelfEnrollment.OFF:
        return Refusal("off", say(words.BY_ADMINISTRATOR))
    if who.ruled.mfa is Mfa.OFF:
        return Refusal("off", say(words.NO_CODES))
    # SECURITY: a second name of one uid is no way to a second enrollment by a password alone.
    other = "" if state.enrolled is not None else context.other_name(person)
    return Refusal("other-name", say(words.OTHER_NAME, name=other)) if other else None
