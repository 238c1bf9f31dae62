"""What happened, in the words of administrators.

What a person at a login is told is another matter, and less (pam_totp.outward).
"""

from __future__ import annotations

from typing import Final

from pam_totp.event import Event
from pam_totp.matching import RECOVERY_CODE
from pam_totp.verdict import Verdict

VERDICTS: Final = {
    Verdict.ACCEPTED: "accepted by authenticator {}",
    Verdict.NOT_NEEDED: "no code was needed",
    Verdict.NOT_NAMED: "the policy names no such service: nothing was asked",
    Verdict.LOCAL: "a local account's password was right",
    Verdict.WRONG_CODE: "wrong code, counted",
    Verdict.REPEATED_CODE: "the same wrong code again, not counted again",
    Verdict.REPLAYED_CODE: "a code of {} that was used before, counted",
    Verdict.WRONG_PASSWORD: "wrong password",
    Verdict.NO_CODE: "no code was given, or could be asked for; not counted",
    Verdict.INVITED: "a right invitation, to enroll",
    Verdict.WRONG_INVITATION: "wrong invitation, counted",
    Verdict.EXPIRED_INVITATION: "an invitation whose time is over",
    Verdict.LOCKED: "locked for a time, after wrong codes",
    Verdict.LOCKED_SOURCE: "its address is locked for a time, after wrong passwords",
    Verdict.LOCKED_BY_ADMINISTRATOR: "locked until an administrator unlocks it",
    Verdict.DISABLED: "disabled, at every service, until an administrator enables it",
    Verdict.NOT_ENROLLED: "a code was needed, and nothing is enrolled",
    Verdict.UNKNOWN_ACCOUNT: "no such account, although the password was right",
    Verdict.OTHER_UID: "enrolled under another uid: the name is somebody else's now, or nobody's",
    Verdict.NOT_ALLOWED: "a program that is not root's asked for another's account",
    Verdict.MALFORMED: "what the client sent cannot be taken apart",
    Verdict.UNAVAILABLE: "could not be checked",
}

_ACTS: Final = {
    "enrolled": "authenticator {} enrolled",
    "authenticator-added": "authenticator {} added",
    "authenticator-replaced": "authenticator {} took the place of another",
    "authenticator-removed": "authenticator {} removed",
    "authenticator-renamed": "authenticator {} renamed",
    "shown": "the key of authenticator {} shown again",
    "recovery-codes": "new recovery codes, the old ones void",
    "invited": "invitation given out",
    "uninvited": "invitation withdrawn",
    "lock": "locked",
    "unlock": "unlocked and failures forgotten",
    "account-added": "local account made",
    "account-removed": "local account removed",
    "password-set": "password set",
    "admin-granted": "made an administrator",
    "admin-revoked": "an administrator no more",
    "disable": "disabled",
    "enable": "enabled again",
    "resync": "authenticator {} set to its device's clock",
    "policy": "policy changed",
    "key-rotated": "a new sealing key",
    "key-imported": "sealing keys put back",
    "key-exported": "sealing keys copied out",
    "key-lost": "started over without the sealing key",
    "renew": "data put together anew, codes until then void",
    "pruned": "what was enrolled removed: the person is gone",
    "reset": "authenticators and recovery codes removed",
}
_RECOVERY: Final = {"authenticator {}": "a recovery code", "a code of {}": "a recovery code"}


def words(event: Event) -> str:
    """Return what an event means; one of a later release is called by its name."""
    text = _text(event.what)
    if event.authenticator == RECOVERY_CODE:
        for usual, instead in _RECOVERY.items():
            text = text.replace(usual, instead)
    return text.replace("{}", event.authenticator or "unknown")


def _text(what: str) -> str:
    try:
        return VERDICTS[Verdict(what)]
    except ValueError:
        return _ACTS.get(what, what)
