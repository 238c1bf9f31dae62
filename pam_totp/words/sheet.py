"""The words of printed sheets."""

from __future__ import annotations

from typing import Final

from pam_totp.words import N_

LANGUAGE: Final = N_("en")  # of a translation: its own code, for the browser

HELLO: Final = N_("Hello {account},")
SECOND_STEP: Final = N_(
    "your login to {issuer} has a second step: after the password, a code that an app on your "
    "phone shows. Setting it up takes a minute."
)
INSTALL: Final = N_(
    "Install an authenticator app on your phone if it has none, for example FreeOTP, Aegis or 2FAS."
)
SCAN: Final = N_("Let the app scan this picture, or type the account and the key into it.")
LOG_IN: Final = N_(
    "At your next login type your password as always, and then the {digits} digits that the app "
    "shows."
)
DESTROY: Final = N_(
    "When that has worked, destroy this sheet. Whoever sees it has your codes: never photograph "
    "or mail it."
)
KEEP: Final = N_(
    "Lock this sheet away, apart from the phone. Whoever sees it has your codes: never photograph "
    "or mail it."
)

ACCOUNT: Final = N_("Account")
ISSUER: Final = N_("Issuer")
KEY: Final = N_("Key")
KIND: Final = N_("Kind")
BY_COUNTER: Final = N_("by counter (HOTP)")
ALGORITHM: Final = N_("Algorithm")
DIGITS: Final = N_("Digits")
PERIOD: Final = N_("Period")
SECONDS: Final = N_("{seconds} seconds")
UNUSUAL: Final = N_(
    "These settings are not the usual ones. Many apps, Google Authenticator and Microsoft "
    "Authenticator among them, ignore them and show codes that are not accepted."
)

RECOVERY_CODES: Final = N_("Recovery codes")
RECOVERY_CODES_FOR: Final = N_("Recovery codes for {account}")
WITHOUT_PHONE: Final = N_(
    "Without the phone, type one of these in place of the code. Each works once: cross it out."
)
FOR_LOGIN_TO: Final = N_(
    "They are for your login to {issuer}. Recovery codes from an earlier sheet no longer work."
)

INVITATION: Final = N_("Invitation")
INVITATION_FOR: Final = N_("Invitation for {account}")
IF_ASKED: Final = N_("Where you are asked for an invitation, type this word.")
LETS_SET_UP: Final = N_(
    "With this word you set up an authenticator app for your login to {issuer}. It works once, "
    "until {until}."
)
TYPE_WORD: Final = N_("Log in with your password. When you are asked for the invitation, type it.")
PROVE: Final = N_(
    "Let the app scan the picture that you are shown, and type the digits that the app shows."
)
TILL_THEN: Final = N_(
    "Show this sheet to nobody, and destroy it when that has worked: never photograph or mail it."
)
