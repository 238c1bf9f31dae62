"""What somebody reads who signs in with a local account."""

from __future__ import annotations

from typing import Final

from pam_totp.words import N_

# The first line of a prompt is short: an application may put more in front of it.
OWN_PASSWORD: Final = N_(
    "One thing more: a password of your own.\n"
    "It takes the place of the one that you were given. Several words do well."
)
NEW_PASSWORD: Final = N_("New password: ")
AGAIN: Final = N_("The same again: ")
DIFFERENT: Final = N_("These two were different.")
THE_SAME: Final = N_("That is the one that you were given.")
SET: Final = N_("Your new password counts from now on.")
NOT_SET: Final = N_("No password was set. Sign in once more.")

TOO_SHORT: Final = N_("A password has at least {least} characters: several words do well.")
TOO_LONG: Final = N_("A password has at most {most} bytes.")
CONTROL: Final = N_("A password has no control characters.")
COMMON: Final = N_("That is among the first passwords that are tried.")
NAME: Final = N_("A password is not made of the account's name.")
