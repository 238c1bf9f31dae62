"""One login as a conversation: what to ask, what to answer.

It speaks to a `Conversation` and knows neither PAM nor sockets.  Three lines of a stack lead
here (docs/stacks.md): the plain one checks a code, `collect` takes password and code apart
before the password's module runs, `authfail` stands where the password was wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pam_totp import answer, recovery
from pam_totp.answer import Field
from pam_totp.context import Context
from pam_totp.conversation import Conversation
from pam_totp.decide import barring, decide, unknown_account, wrong_password
from pam_totp.errors import PamTotpError
from pam_totp.ledger import Ledger
from pam_totp.local.sign_in import LocalLines, OwnPassword
from pam_totp.matching import RECOVERY_CODE
from pam_totp.policy.document import Policy
from pam_totp.policy.resolve import asks_in
from pam_totp.policy.values import Mfa
from pam_totp.verdict import Verdict
from pam_totp.who import CANNOT_SHOW, ROOT, Refused, Who, find_out
from pam_totp.words import enrollment as words

# What `collect` keeps for the line behind the password: never a verdict.
_NO_CODE_NEEDED: Final = "free"
_NO_CODE_GIVEN: Final = "none"
_CODE: Final = "code:"


_Line = Callable[[], Verdict]


class Login:
    """One PAM call.  Each method returns the verdict, logged and durable."""

    def __init__(self, context: Context, conversation: Conversation) -> None:
        self._context = context
        self._talk = conversation
        self._ledger = Ledger(context, conversation)
        self._policy = Policy()

    def check(self) -> Verdict:
        """Answer the plain line: ask for the code, or take the collected one, and check it."""
        return self._answered(self._check, self._not_named)

    def wrong_password(self) -> Verdict:
        """Answer `authfail`: ask for a code all the same, count the password, refuse."""
        return self._answered(self._wrong_password)

    def collect(self) -> Verdict:
        """Answer `collect`: take password and code from what the client sends, hand the
        password on.  NOT_NEEDED means "go on"."""
        return self._answered(self._collect)

    def account(self) -> Verdict:
        """Answer the account phase: NOT_NEEDED unless an administrator has locked it."""
        return self._answered(self._account, self._not_named)

    def local(self) -> Verdict:
        """Answer `local` in front of the password's module: LOCAL for a local account's right
        password, WRONG_PASSWORD for a wrong one, NOT_NEEDED for whoever is not ours."""
        return self._answered(lambda: LocalLines(self._context, self._talk).password(self._who))

    def local_account(self) -> Verdict:
        """Answer `local` in the account phase: LOCAL for a local account that may sign in."""
        return self._answered(lambda: LocalLines(self._context, self._talk).account(self._account))

    # -- the lines -----------------------------------------------------------------------

    def _check(self) -> Verdict:
        who = self._who()
        kept = self._talk.take()
        if kept is not None:
            return self._collected(who, kept)
        if not who.needs_code:
            return self._without_code(who)
        if who.trusted(self._context.now()):
            return self._ledger.passed(who, "a code was accepted from here")
        if who.enrolls:
            others = self._other_names(who)
            if others:  # or a second name would be a way around the first one's code
                return self._ledger.note(who, Verdict.OTHER_UID, others)
            verdict = self._enrolled(who)
        else:
            typed = self._talk.ask(self._context.config.prompt_code)
            verdict = self._ledger.told(who, self._checked(who, typed))
        return self._let_in(who) if verdict is Verdict.ACCEPTED else verdict

    def _collected(self, who: Who, kept: str) -> Verdict:
        """Answer the plain line behind `collect`: what was decided there may only become
        stricter."""
        if kept == _NO_CODE_NEEDED:
            if who.needs_code:
                return self._ledger.note(who, Verdict.NO_CODE)
            return self._without_code(who)
        if who.enrolls or who.is_first:
            return self._ledger.note(who, Verdict.NOT_ENROLLED, CANNOT_SHOW)
        typed = kept.removeprefix(_CODE) if kept.startswith(_CODE) else None
        return self._ledger.told(who, self._checked(who, typed))

    def _wrong_password(self) -> Verdict:
        who = self._who()
        if self._talk.take() is None and who.needs_code:
            self._talk.ask(self._context.config.prompt_code)  # not looked at, and not spent
        if who.needs_code or who.unknown:
            return self._ledger.stepped(who, "", wrong_password)
        return self._ledger.note(who, Verdict.WRONG_PASSWORD)

    def _collect(self) -> Verdict:
        who = self._who()
        typed = self._talk.password(self._context.config.prompt_password)
        if not typed:
            return self._ledger.note(who, Verdict.NO_CODE)
        try:
            field = self._taken_apart(who, typed)
        except answer.Malformed:
            return self._ledger.note(who, Verdict.MALFORMED)
        if not field.password:
            return self._ledger.note(who, Verdict.NO_CODE)
        if field.password != typed:
            self._talk.hand_on(field.password)
        if not who.needs_code:
            self._talk.keep(_NO_CODE_NEEDED)
        else:
            self._talk.keep(_CODE + field.code if field.code else _NO_CODE_GIVEN)
        return Verdict.NOT_NEEDED

    def _account(self) -> Verdict:
        who = self._who()
        barred = barring(who.state)
        return Verdict.NOT_NEEDED if barred is None else self._ledger.said(who, barred)

    # -- what they share ------------------------------------------------------------------------

    def _who(self) -> Who:
        who = find_out(self._context, self._policy, self._talk)
        self._ledger.account = who.account
        return who

    def _taken_apart(self, who: Who, typed: str) -> Field:
        """Return password and code out of a password field and the answer to a prompt.

        An answer that repeats the password or the name comes from an application that answers
        prompts by rote: then the code is the end of the password field.
        """
        if answer.is_static_challenge(typed):
            return answer.split_static_challenge(typed)
        if not who.needs_code:
            return Field(typed)
        code = self._talk.ask(self._context.config.prompt_code)
        if code and code.strip() and code not in (typed, who.typed, who.account):
            return Field(typed, code)
        credentials = self._context.store.credentials(who.account)
        return answer.split_code_from_end(typed, credentials.digits if credentials else None)

    def _without_code(self, who: Who) -> Verdict:
        barred = barring(who.state)
        if barred is not None:
            return self._ledger.told(who, self._ledger.note(who, barred))
        if who.person is None:
            # A directory that has gone quiet looks like this, and so does an enrolled name in
            # a spelling that the password's module takes and NSS does not.
            return self._ledger.note(who, Verdict.UNKNOWN_ACCOUNT)
        others = self._other_names(who)
        if others:
            return self._ledger.note(who, Verdict.OTHER_UID, others)
        return self._ledger.passed(who)

    def _other_names(self, who: Who) -> str:
        """Return whose uid this is, if it has enrolled under another name."""
        if who.ruled.mfa is Mfa.OFF or who.person is None:
            return ""
        other = self._context.other_name(who.person)
        return f"uid {who.person.uid} has enrolled as {other}" if other else ""

    def _checked(self, who: Who, typed: str | None) -> Verdict:
        if answer.parse(typed) is None or typed in (who.typed, who.account):
            return self._ledger.note(who, Verdict.NO_CODE)
        return self._ledger.stepped(who, typed or "", unknown_account if who.unknown else decide)

    def _not_named(self) -> Verdict:
        """Answer where the policy does not ask for codes: who is disabled is refused there too.

        What cannot be found out refuses nobody: this is where root gets in while the store or a
        directory is down.
        """
        context, talk = self._context, self._talk
        with suppress(PamTotpError):
            typed = talk.user() or ""
            person = context.lookup(typed)
            own = talk.host_uid != ROOT
            if own and (person is None or person.uid != talk.host_uid):
                return Verdict.NOT_NAMED
            self._ledger.account = person.name if person else typed
            if typed and context.store.look(self._ledger.account).disabled is not None:
                self._ledger.log(Verdict.DISABLED)
                talk.delay(context.config.fail_delay)
                return Verdict.DISABLED
        return Verdict.NOT_NAMED

    def _enrolled(self, who: Who) -> Verdict:
        # Here, because what draws QR codes would cost every one-shot a third of its time.
        from pam_totp.login_enrollment import LoginEnrollment  # noqa: PLC0415

        return LoginEnrollment(self._context, self._talk, self._ledger, who).run()

    def _let_in(self, who: Who) -> Verdict:
        """Let in whose code was right; the first sign-in of a local account is none without a
        password of its own."""
        self._warn_of_few(who)
        if who.is_first and not OwnPassword(self._context, self._talk).set(who):
            return self._ledger.note(who, Verdict.NO_CODE, "no own password was set")
        return Verdict.ACCEPTED

    def _warn_of_few(self, who: Who) -> None:
        """Tell somebody who has used a recovery code if few are left; at a terminal alone, for
        an OpenVPN server fails the login on a message."""
        made = self._ledger.last
        if made is None or made.authenticator != RECOVERY_CODE or not self._talk.tty:
            return
        credentials = self._context.store.credentials(who.account)
        left = set(credentials.recovery_codes) - made.state.spent if credentials else set()
        if len(left) <= recovery.FEW:
            say = self._context.speech(self._talk.locale())
            self._talk.show(say(words.FEW_LEFT, number=len(left)))

    def _answered(self, line: _Line, elsewhere: _Line = lambda: Verdict.NOT_NAMED) -> Verdict:
        """Turn what could not be checked into the refusal that says so, with what to do;
        `elsewhere` answers where the policy asks for no codes."""
        try:
            self._policy = self._context.policy()
            if not asks_in(self._policy, self._talk.service):
                return elsewhere()
            return line()
        except Refused as refusal:
            self._ledger.account = refusal.account
            self._ledger.log(refusal.verdict)
            self._talk.delay(self._context.config.fail_delay)
            return refusal.verdict
        except PamTotpError as error:
            self._ledger.log(Verdict.UNAVAILABLE, detail=str(error), hint=error.hint or "")
            return Verdict.UNAVAILABLE
