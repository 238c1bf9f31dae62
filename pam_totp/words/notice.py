"""Notices: what is told to a person apart from the login."""

from __future__ import annotations

from typing import Final

from pam_totp.words import N_

ENROLLED_SUBJECT: Final = N_("{host}: codes are set up for {account}")
ENROLLED: Final = N_(
    "An authenticator ({authenticator}) was set up for your account {account} on {host}."
)
ADDED_SUBJECT: Final = N_("{host}: another authenticator for {account}")
ADDED: Final = N_(
    "Another authenticator ({authenticator}) was added to your account {account} on {host}. "
    "Its codes let in as well."
)
REPLACED_SUBJECT: Final = N_("{host}: an authenticator of {account} was replaced")
REPLACED: Final = N_(
    "An authenticator of your account {account} on {host} was replaced. The codes of the new "
    "one ({authenticator}) count now, and those of the old one no longer do."
)
REMOVED_SUBJECT: Final = N_("{host}: an authenticator of {account} was removed")
REMOVED: Final = N_(
    "An authenticator ({authenticator}) was removed from your account {account} on {host}. "
    "Its codes no longer work."
)
CODES_SUBJECT: Final = N_("{host}: new recovery codes for {account}")
CODES: Final = N_(
    "New recovery codes were made for your account {account} on {host}. "
    "The old ones no longer work."
)
USED_SUBJECT: Final = N_("{host}: a recovery code of {account} was used")
USED: Final = N_(
    "A recovery code of your account {account} was used on {host}. It does not work again."
)
RESET_SUBJECT: Final = N_("{host}: the codes of {account} were reset")
RESET: Final = N_(
    "All authenticators and recovery codes of your account {account} on {host} were removed. "
    "Before you can use codes again, you have to set up an authenticator anew."
)
LOCKED_SUBJECT: Final = N_("{host}: {account} is locked for a while")
LOCKED: Final = N_(
    "After several wrong codes or passwords, your account {account} on {host} is locked for a "
    "while. You need not do anything: the lock ends by itself."
)
OWN_SUBJECT: Final = N_("{host}: programs of {account} accept no code for a while")
OWN: Final = N_(
    "After several wrong codes, programs of your own on {host}, such as a screen locker, accept "
    "no code of your account {account} for a while. You can still log in elsewhere."
)
FOR_GOOD_SUBJECT: Final = N_("{host}: {account} is locked")
FOR_GOOD: Final = N_(
    "After very many wrong codes, each of them with your right password, your account {account} "
    "on {host} is locked until an administrator unlocks it."
)
ADMINISTRATOR_SUBJECT: Final = N_("{host}: {account} was locked by an administrator")
ADMINISTRATOR: Final = N_("An administrator has locked your account {account} on {host}.")

SEVERAL: Final = N_("This has happened {count} times. The last time:")

WHEN: Final = N_("When: {when}")
SERVICE: Final = N_("Where: {service}")
SERVICE_FROM: Final = N_("Where: {service}, from {address}")
SERVICE_AT: Final = N_("Where: {service}, at {tty}")
BY: Final = N_("By: the administrator {actor}")
BY_FROM: Final = N_("By: the administrator {actor}, from {address}")

SOMEBODY_GETS_IN: Final = N_(
    "If that was not you, somebody can log in as you: tell your administrator at once, and "
    "change your password."
)
SOMEBODY_HAS_CODES: Final = N_(
    "If that was not you, somebody has your recovery codes and your password: change your "
    "password, and make new recovery codes with: pam-totp recovery-codes --new"
)
SOMEBODY_GUESSES: Final = N_(
    "If that was not you, somebody may know your password: change it, and tell your administrator."
)
SOMEBODY_AT_SESSION: Final = N_(
    "If that was not you, somebody was at your session: tell your administrator, and change "
    "your password."
)
SOMEBODY_KNOWS: Final = N_(
    "If that was not you, somebody knows your password: tell your administrator at once, and "
    "change it. If it was you, ask your administrator to unlock your account."
)
ASK: Final = N_("If you did not expect that, ask your administrator.")
ASK_WHY: Final = N_("If you do not know why, ask your administrator.")
