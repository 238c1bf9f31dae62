"""A local account in a stack: its password, its account phase, and its first sign-in."""

from __future__ import annotations

import syslog
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pam_totp import audit
from pam_totp.context import Context
from pam_totp.conversation import Conversation
from pam_totp.errors import NameServiceError
from pam_totp.event import Event
from pam_totp.local import password as passwords
from pam_totp.local.account import LocalAccount
from pam_totp.local.password import PasswordRefused
from pam_totp.speech import Speech
from pam_totp.verdict import Verdict
from pam_totp.who import ROOT, Who
from pam_totp.words import local as words

_TRIES: Final = 3


class LocalLines:
    """The two lines of a stack that say `local`.

    They answer for names alone that the name service does not know at that moment; where it
    cannot say, it may know the name: so they never are a second password of an account of the
    machine.
    """

    def __init__(self, context: Context, talk: Conversation) -> None:
        self._context = context
        self._talk = talk

    def password(self, find_out: Callable[[], Who]) -> Verdict:
        """Check the password.  A wrong one is logged and counted by the line behind."""
        account = self._account()
        if account is None:
            return Verdict.NOT_NEEDED
        if self._talk.host_uid != ROOT:
            return Verdict.NOT_ALLOWED
        find_out()
        given = self._talk.password(self._context.config.prompt_password)
        if not given:
            return Verdict.NO_CODE
        if not account.verifier.matches(given):
            return Verdict.WRONG_PASSWORD
        if account.verifier.outdated:
            self._raise(account, given)
        return Verdict.LOCAL

    def account(self, phase: Callable[[], Verdict]) -> Verdict:
        """Answer the account phase; `phase` says whether anybody has locked the account."""
        if self._account() is None:
            return Verdict.NOT_NEEDED
        verdict = phase()
        return Verdict.LOCAL if verdict is Verdict.NOT_NEEDED else verdict

    def _account(self) -> LocalAccount | None:
        """Return the local account of the name that was typed, None where it is not ours."""
        typed = self._talk.user() or ""
        try:
            known = self._context.lookup(typed) if typed else None
        except NameServiceError:
            return None
        # SECURITY: where both know the name, the line that checks the code refuses it.
        return None if known or not typed else self._context.store.local_accounts.get(typed)

    def _raise(self, account: LocalAccount, given: str) -> None:
        """Keep the password as is usual now, unless it was changed meanwhile."""
        made = passwords.verifier(given)

        def change(known: LocalAccount | None) -> tuple[LocalAccount | None, None]:
            same = known is not None and known.verifier == account.verifier
            return (replace(known, verifier=made) if known and same else known), None

        self._context.store.local_accounts.change(account.name, change)


class OwnPassword:
    """Lets somebody set a password of their own, once all else is right."""

    def __init__(self, context: Context, talk: Conversation) -> None:
        self._context = context
        self._talk = talk
        self._say: Speech = context.speech(talk.locale())

    def set(self, who: Who) -> bool:
        """Ask for it until it can be one; False where it was not set."""
        if who.local is None:
            return False
        self._talk.show(self._say(words.OWN_PASSWORD))
        for _ in range(_TRIES):
            new = self._asked(who.local)
            if new is None:
                break
            if new and self._kept(who, new):
                self._talk.show(self._say(words.SET))
                return True
        self._talk.show(self._say(words.NOT_SET))
        return False

    def _asked(self, account: LocalAccount) -> str | None:
        """Return what was typed twice; "" for what cannot be one, None where nobody answers."""
        new = self._talk.ask_hidden(self._say(words.NEW_PASSWORD))
        if not new:
            return None
        try:
            passwords.check(new, account.name)
        except PasswordRefused as why:
            return self._no(self._say(why.message, **why.values))
        if account.verifier.matches(new):
            return self._no(self._say(words.THE_SAME))
        if self._talk.ask_hidden(self._say(words.AGAIN)) != new:
            return self._no(self._say(words.DIFFERENT))
        return new

    def _no(self, why: str) -> str:
        self._talk.show(why)
        return ""

    def _kept(self, who: Who, new: str) -> bool:
        """Keep it, unless an administrator has set another one meanwhile."""
        account, made, now = who.local, passwords.verifier(new), self._context.now()
        event = Event(now, who.account, "password-set", who.service, self._talk.rhost)

        def change(known: LocalAccount | None) -> tuple[LocalAccount | None, Event | None]:
            if known is None or known != account:
                return known, None
            own = replace(known, verifier=made, first=False, changed=int(now))
            return own, event

        accounts = self._context.store.local_accounts
        accounts.change(who.account, change)
        found = accounts.get(who.account)
        if found is None or found.verifier != made:
            return False
        self._context.log(syslog.LOG_NOTICE, audit.act(event))
        return True
