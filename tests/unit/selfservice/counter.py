"""What the tests of self-service share: a host, and people who ask it about themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pam_totp.account import Person
from pam_totp.errors import NameServiceError
from pam_totp.selfservice.desk import Desk
from pam_totp.selfservice.password import Checked, Outcome, Question
from pam_totp.selfservice.session import Session
from tests.unit.world import World

PASSWORDS = {"alice": "correct horse", "bob": "battery staple"}


class Refused(AssertionError):
    """The service said no; what it said is in `error`."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.error = error
        self.kind = error["kind"]


@dataclass
class Pam:
    """Knows people's passwords; a test may take an answer out of its mouth."""

    asked: list[Question] = field(default_factory=list)
    instead: Checked | None = None
    during: Callable[[], None] = lambda: None

    def __call__(self, question: Question) -> Checked:
        self.asked.append(question)
        self.during()
        right = PASSWORDS.get(question.account) == question.password
        return self.instead or Checked(Outcome.RIGHT if right else Outcome.WRONG)


class Counter:
    """The service on a host, for whoever comes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pam = Pam()
        context = replace(world.context, lookup_uid=self._lookup_uid)
        self.desk = Desk(context, self.pam)

    def _lookup_uid(self, uid: int) -> Person | None:
        if self.world.name_service_down:
            raise NameServiceError("NSS could not look up a uid: Input/output error")
        return next((p for p in self.world.people.values() if p.uid == uid), None)

    def comes(self, uid: int = 1001) -> Talk:
        """Let somebody connect."""
        return Talk(Session(self.desk, uid))


@dataclass
class Talk:
    """One conversation."""

    session: Session

    def asks(self, request: str, **values: Any) -> dict[str, Any]:
        """Ask for something, and return what was answered.  Raises Refused."""
        answer = self.session.answer({"request": request, **values})
        if "error" in answer:
            raise Refused(answer["error"])
        done = answer["done"]
        assert isinstance(done, dict)
        return done

    def refused(self, request: str, **values: Any) -> str:
        """Ask for something that must be refused, and return as what."""
        with pytest.raises(Refused) as caught:
            self.asks(request, **values)
        return str(caught.value.kind)
