"""What somebody reads who enrolls: in a login, by an administrator, or by themselves."""

from __future__ import annotations

from typing import Final

from pam_totp.words import N_

# Two lines at most, then the question: what is above may scroll away, the picture must not.
INTRODUCTION: Final = N_(
    "You need the code of an authenticator app here, besides your password, and\n"
    "have none yet. Setting it up takes a minute: have your phone at hand."
)
CAN_YOU_SEE: Final = N_(
    "[{bar}] If there is a bar between the brackets, press Enter: you get a QR code.\n"
    "If there is none, type k: you get a key to type into the app. "
)
SCAN: Final = N_("Scan this with the app, or type the key into it:")
TYPE_THE_KEY: Final = N_("Type this key into the app (choose: time-based):")
KEY: Final = N_("Key: {key}  Account: {account}")
KEY_AND_ISSUER: Final = N_("    Key:     {key}\n    Account: {account}\n    Issuer:  {issuer}")
ASK_UNDER_PICTURE: Final = N_("(Enter alone: other colours.) Code that the app shows: ")
ASK: Final = N_("Code that the app shows: ")

WRONG: Final = N_("Wrong. Type what the app shows now. If it stays wrong, compare the clocks.")
WRONG_SLOW: Final = N_(
    "Wrong: your phone's clock is {seconds} seconds slow. Set it to automatic time."
)
WRONG_FAST: Final = N_(
    "Wrong: your phone's clock is {seconds} seconds fast. Set it to automatic time."
)
GIVEN_UP: Final = N_(
    "Wrong again: nothing was set up. Remove the entry from the app, and log in once more."
)
OVERTAKEN: Final = N_(
    "Somebody else has set up this account in this moment. If that was not you, tell your\n"
    "administrator now."
)

ASK_INVITATION: Final = N_("To set up a code you need your invitation (in-...): ")
WRONG_INVITATION: Final = N_("That is not your invitation. Ask your administrator for one.")
EXPIRED_INVITATION: Final = N_(
    "The time of this invitation is over. Ask your administrator for another one."
)

ENROLLED: Final = N_("Right: it is set up. From now on, type the app's code after the password.")
RECOVERY_CODES: Final = N_(
    "Recovery codes, each good for one login without the phone. They are shown only now:\n"
    "write them down, or put them where you keep your passwords."
)
ASK_KEPT: Final = N_("When you have them, type yes: ")
FEW_LEFT: Final = N_("Recovery codes left: {number}. For new ones: pam-totp recovery-codes --new")
