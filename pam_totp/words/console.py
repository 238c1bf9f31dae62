"""What somebody reads who enrolls by a command, at a terminal.  Most of the page is that of the
login (pam_totp.words.enrollment)."""

from __future__ import annotations

from typing import Final

from pam_totp.words import N_

STOP: Final = N_("(Ctrl-C keeps nothing)")  # behind the line above the picture
NO_PICTURE: Final = N_("(A QR code needs {columns} columns, colours and Unicode here.)")
TYPE_THE_COUNTING_KEY: Final = N_("Type this key into the app (choose: counter-based):")
SETTINGS: Final = N_(
    "Settings, which not every app goes by: {algorithm}, {digits} digits, {period} seconds"
)
COUNTING_SETTINGS: Final = N_(
    "Settings, which not every app goes by: {algorithm}, {digits} digits, counter {counter}"
)

TOKEN: Final = N_("A code of the token shows whether this is its secret.")
ASK_TOKEN: Final = N_("Code that the token shows: ")

HERE_IT_IS: Final = N_("Here it is {clock}.")
UNSYNCHRONISED: Final = N_(
    "This machine's clock is not synchronised: it may be the one that is off."
)
WRONG_NEXT: Final = N_("Wrong.\nLet it show the next code, and type that one.")
WRONG_TOKEN: Final = N_(
    "Wrong.\nType what the token shows now. If it stays wrong, compare the secret with its papers."
)
PAGE_AGAIN: Final = N_("Enter alone shows the page again.")
NOT_SET_UP: Final = N_(
    "{tries} wrong codes: nothing was set up. Remove the entry from the app before the next try"
)
TOKEN_NOT_SET_UP: Final = N_("{tries} wrong codes: nothing was set up")

USED_UP: Final = N_("This code is used up: the first login takes the next one.")
CODES_STAY: Final = N_("The recovery codes from before stay valid.")

# As oneself.
ASK_PASSWORD: Final = N_("Your password: ")
ASK_PASSWORD_OR_INVITATION: Final = N_("Your password, or your invitation (in-...): ")
ASK_INVITATION: Final = N_("Your invitation (in-...): ")
ASK_PROOF: Final = N_("A code of your app, or a recovery code: ")
TAKEN: Final = N_("You have an authenticator called {name}: add one more, or replace it")
MORE_OR_INSTEAD: Final = N_("for one more: {more}; in its place: {instead}")
ADDED: Final = N_("{name} is set up.")
REPLACED: Final = N_("{name} is set up, in the place of {old}.")
REMOVE: Final = N_("Remove {name}? Its codes count no longer then.")
REMOVED: Final = N_("{name} is removed.")
RENAMED: Final = N_("{name} is called {new} now.")
NEXT_CODE: Final = N_("Wait until it shows the next code.")
IN_STEP: Final = N_("{name} is in step. The next login takes a new code.")
NEW_CODES: Final = N_("Make new recovery codes? The {number} that are left become void.")
CODES_LEFT: Final = N_("Recovery codes left: {number}")
FEW_CODES: Final = N_("Few recovery codes are left. For new ones: pam-totp recovery-codes --new")
NOT_YET: Final = N_("To set up a code: pam-totp enroll")

ACCOUNT: Final = N_("Account: {name}")
NEVER_USED: Final = N_("{name}: not used yet")
LAST_USED: Final = N_("{name}: last used {clock}")
NOTHING: Final = N_("No code is set up.")
LOCKED_UNTIL: Final = N_("Locked until {clock}.")
