"""What somebody reads who enrolls: in a login, by an administrator, or by themselves."""

from __future__ import annotations

from typing import Final

from pam_totp.words import N_

# The first line of a prompt is short: ssh puts who and where in front of it.
INTRODUCTION: Final = N_(
    "You have no code yet.\n"
    "Besides your password, the code of an authenticator app is needed here.\n"
    "Setting it up takes a minute: have your phone at hand."
)
CAN_YOU_SEE: Final = N_(
    "[{bar}] If there is a bar between the brackets, press Enter: you get a QR code.\n"
    "If there is none, type k: you get a key to type into the app. "
)
SCAN: Final = N_("Scan this with the app, or type the key into it:")
TYPE_THE_KEY: Final = N_("Type this key into the app (choose: time-based):")
KEY: Final = N_("Key: {key}  Account: {account}")
KEY_AND_ISSUER: Final = N_("    Key:     {key}\n    Account: {account}\n    Issuer:  {issuer}")
ASK_UNDER_PICTURE: Final = N_("(Enter alone swaps light and dark.) Code that the app shows: ")
ASK: Final = N_("Code that the app shows: ")

WRONG: Final = N_("Wrong.\nType what the app shows now. If it stays wrong, compare the clocks.")
WRONG_SLOW: Final = N_(
    "Wrong.\nYour phone's clock is {seconds} seconds slow. Set it to automatic time."
)
WRONG_FAST: Final = N_(
    "Wrong.\nYour phone's clock is {seconds} seconds fast. Set it to automatic time."
)
GIVEN_UP: Final = N_(
    "Wrong again: nothing was set up.\nRemove the entry from the app, and log in once more."
)
OVERTAKEN: Final = N_(
    "Somebody else has set up this account in this moment.\n"
    "If that was not you, tell your administrator now."
)

ASK_INVITATION: Final = N_(
    "You have no code yet. To set one up\nyou need your invitation (in-...): "
)
WRONG_INVITATION: Final = N_("That is not your invitation. Ask your administrator for one.")
EXPIRED_INVITATION: Final = N_(
    "The time of this invitation is over. Ask your administrator for another one."
)

ENROLLED: Final = N_("Right: it is set up.\nFrom now on, type the app's code after the password.")
RECOVERY_CODES: Final = N_(
    "Recovery codes, each good for one login without the phone.\n"
    "They are shown only now: write them down, or put them where you keep passwords."
)
NEW_ONES: Final = N_("For new ones, at any time: pam-totp recovery-codes --new")
ASK_KEPT: Final = N_("When you have them, type yes: ")
FEW_LEFT: Final = N_("Recovery codes left: {number}. For new ones: pam-totp recovery-codes --new")
