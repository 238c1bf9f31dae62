"""What a login asks of its surroundings; PAM and a test are adapters of it."""

from __future__ import annotations

from typing import Protocol


class Conversation(Protocol):
    """The person and the application, as a login sees them.  Times are seconds."""

    service: str
    rhost: str
    tty: str
    host_uid: int

    def locale(self) -> str:
        """Return the locale that the application has passed, "" if it has not.  It may be any
        text at all, and costs questions: this is for when something is to be said."""

    def user(self) -> str | None:
        """Return the name that was typed, asking for it if need be."""

    def ask(self, prompt: str) -> str | None:
        """Ask for a code, with echo; None if the prompt could not be shown."""

    def ask_hidden(self, prompt: str) -> str | None:
        """Ask for a new password, without echo; None if the prompt could not be shown."""

    def show(self, text: str) -> None:
        """Show a line, if the application shows any."""

    def password(self, prompt: str) -> str | None:
        """Return the password field, asking for it if need be; None if there is none."""

    def hand_on(self, password: str) -> None:
        """Make `password` what the modules behind find."""

    def keep(self, value: str) -> None:
        """Keep a value until the next line of the stack."""

    def take(self) -> str | None:
        """Return what was kept, which is then gone."""

    def delay(self, seconds: float) -> None:
        """Let a refusal take at least so long."""
