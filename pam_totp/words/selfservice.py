"""What the service answers somebody who asks it for something about their own account."""

from __future__ import annotations

from typing import Final

from pam_totp.words import N_, P_

NO_ACCOUNT: Final = N_("This machine knows no account with your uid ({uid}).")
OTHER_UID: Final = N_(
    "The codes of this account were set up by somebody else. Ask your administrator."
)
OTHER_NAME: Final = N_("You have set up codes as {name}. Ask your administrator.")
BY_ADMINISTRATOR: Final = N_("Codes are set up by your administrator here.")
NO_CODES: Final = N_("Your account needs no codes. Ask your administrator if you want them.")
DAMAGED: Final = N_("What is kept of your account cannot be used. Ask your administrator.")
LATER: Final = N_("That could not be done now. Try again, or ask your administrator.")

PROVE: Final = N_("First prove that it is you.")
NOT_THAT: Final = N_("That proves nothing here.")
WRONG_PASSWORD: Final = N_("Wrong password.")
CLOSED: Final = N_(
    "The password is right, but the account is closed, or wants a new password first. "
    "Ask your administrator."
)
UNCHECKED: Final = N_("Your password could not be checked. Try again in a minute.")
LOCKED: Final = N_("Too many wrong answers. Locked until {clock}.")

NOT_ENROLLED: Final = N_("You have not set up a code yet.")
NAME_TAKEN: Final = N_("You have an authenticator called {name} already.")
NO_SUCH_NAME: Final = N_("You have no authenticator called {name}.")
TOO_MANY: Final = P_(
    "You have an authenticator, and more than one is not allowed. Replace it.",
    "You have {number} authenticators, and more are not allowed. Replace or remove one.",
)
THE_LAST: Final = N_("{name} is your only authenticator. Replace it by a new one instead.")
NOTHING_SHOWN: Final = N_("Nothing is being set up. Begin again.")
OVERTAKEN: Final = N_(
    "Your account was changed by somebody else meanwhile. Begin again. "
    "If that was not you, tell your administrator now."
)
