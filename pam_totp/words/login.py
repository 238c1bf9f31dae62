"""What a refused person is told."""

from __future__ import annotations

from typing import Final

from pam_totp.words import N_

NOT_ENROLLED: Final = N_("You need a code here and have not set one up. Ask your administrator.")
UNKNOWN_ACCOUNT: Final = N_("This account has no code to check. Ask your administrator.")
WRONG_CODE: Final = N_("Wrong code.")
REPEATED_CODE: Final = N_("This code was refused already. Wait for the next one.")
REPLAYED_CODE: Final = N_("This code was used already. Wait for the next one.")

# `clock` is hours and minutes, as in 14:20.
LOCKED: Final = N_("Too many wrong codes. Locked until {clock}.")
LOCKED_SOURCE: Final = N_("Too many wrong passwords. Locked until {clock}.")
LOCKED_BY_ADMINISTRATOR: Final = N_("Locked by an administrator.")
DISABLED: Final = N_("This account is disabled. Ask your administrator.")
GUESSED: Final = N_(
    "Locked after many wrong codes, each with your right password: somebody knows it. "
    "Ask your administrator, and change the password."
)
