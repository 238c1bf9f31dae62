"""What becomes of an account that has enrolled: more authenticators, other names, new codes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

import pytest

from pam_totp import administration, enrollment, invitation, upkeep
from pam_totp.account import NOBODY, Credentials, Person
from pam_totp.enrollment import Wanted
from pam_totp.errors import EnrollmentError, InvitationGone, PamTotpError, UnknownAuthenticator
from pam_totp.secret import Secret
from pam_totp.store.secret_files import SecretFiles
from pam_totp.upkeep import By
from pam_totp.verdict import Verdict
from tests.unit.world import ALICE, NOON, Phone, World, all_of, phone_of

BY = By(NOON, "root")


def names(world: World) -> list[str]:
    """Return what alice's authenticators are called."""
    credentials = world.store.credentials("alice")
    return [a.name for a in credentials.authenticators] if credentials else []


def added(world: World, name: str, replacing: str = "") -> Phone:
    """Give alice another authenticator, or one in place of another."""
    drafted = enrollment.draft(world.store, ALICE, name, NOON, replacing=replacing)
    enrollment.keep(world.store, drafted, NOON, "root")
    return phone_of(drafted)


def test_several(world: World) -> None:
    """Each of several authenticators lets in, the event says which, and the recovery codes stay
    those of the first enrollment."""
    phone = world.enroll()
    tablet = added(world, "tablet")
    assert names(world) == ["phone", "tablet"]
    assert not tablet.recovery_codes
    for one, name in ((phone, "phone"), (tablet, "tablet")):
        assert world.check(one.code(NOON)) is Verdict.ACCEPTED
        assert world.events()[-1].authenticator == name
    assert world.check(phone.recovery_codes[0]) is Verdict.ACCEPTED
    assert [e.what for e in world.events()][:2] == ["enrolled", "authenticator-added"]


@pytest.mark.parametrize("limit", [1, 2])
def test_up_to_a_limit(world: World, limit: int) -> None:
    """The policy's limit holds when the authenticator is drafted and when it is kept; one that
    takes another's place needs no room."""
    world.enroll()
    late = enrollment.draft(world.store, ALICE, "late", NOON)
    if limit == 2:
        added(world, "tablet")
    with pytest.raises(EnrollmentError, match=f"has {limit} authenticators, and the policy"):
        enrollment.draft(world.store, ALICE, "watch", NOON, limit=limit)
    with pytest.raises(EnrollmentError, match="the policy allows"):
        enrollment.keep(world.store, late, NOON, "root", limit=limit)
    drafted = enrollment.draft(world.store, ALICE, "phone", NOON, limit=limit, replacing="phone")
    enrollment.keep(world.store, drafted, NOON, "root", limit=limit)
    assert len(names(world)) == limit


def test_a_phone_is_replaced(world: World) -> None:
    """The new one comes and the old one goes in one change; its codes are worth nothing then,
    and what was known of it is forgotten."""
    old = world.enroll()
    added(world, "tablet")
    assert world.check(old.code(NOON)) is Verdict.ACCEPTED
    new = added(world, "phone", replacing="phone")
    assert names(world) == ["tablet", "phone"]
    event = world.events()[-1]
    assert (event.what, event.authenticator, event.detail) == (
        "authenticator-replaced",
        "phone",
        "phone",
    )
    world.clock.now += 60
    assert world.check(old.code(NOON + 60)) is Verdict.WRONG_CODE
    assert world.check(new.code(NOON + 60)) is Verdict.ACCEPTED
    assert len(world.store.look("alice").authenticators) == 2
    assert world.check(old.recovery_codes[0]) is Verdict.ACCEPTED


def test_what_is_replaced_is_there(world: World) -> None:
    """Nothing is replaced that is not there, or went in the meantime."""
    world.enroll()
    added(world, "tablet")
    with pytest.raises(EnrollmentError, match="no authenticator called 'watch'"):
        added(world, "phone", replacing="watch")
    late = enrollment.draft(world.store, ALICE, "new", NOON, replacing="phone")
    upkeep.remove(world.store, "alice", "phone", BY)
    with pytest.raises(EnrollmentError, match="was to be replaced is gone"):
        enrollment.keep(world.store, late, NOON, "root")
    assert names(world) == ["tablet"]


def test_renamed(world: World) -> None:
    """A name changes and nothing else: the codes that were used stay used."""
    phone = world.enroll()
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    event = upkeep.rename(world.store, "alice", "phone", " work phone ", BY)
    assert (event.what, event.authenticator, event.detail) == (
        "authenticator-renamed",
        "work phone",
        "was phone",
    )
    assert names(world) == ["work phone"]
    assert world.check(phone.code(NOON)) is Verdict.REPLAYED_CODE
    assert world.events()[-1].authenticator == "work phone"
    upkeep.rename(world.store, "alice", "work phone", "work phone", BY)


def test_removed(world: World) -> None:
    """One goes with all that was known of it; the last one cannot."""
    phone = world.enroll()
    added(world, "tablet")
    upkeep.remove(world.store, "alice", "phone", BY)
    assert names(world) == ["tablet"]
    assert world.check(phone.code(NOON)) is Verdict.WRONG_CODE
    with pytest.raises(EnrollmentError, match="only authenticator of alice"):
        upkeep.remove(world.store, "alice", "tablet", BY)


Act = Callable[[World], object]


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda w: upkeep.rename(w.store, "alice", "phone", "tablet", BY), EnrollmentError),
        (lambda w: upkeep.rename(w.store, "alice", "phone", "\n", BY), EnrollmentError),
        (lambda w: upkeep.rename(w.store, "alice", "phone", "x" * 41, BY), EnrollmentError),
        (lambda w: upkeep.rename(w.store, "alice", "watch", "x", BY), UnknownAuthenticator),
        (lambda w: upkeep.remove(w.store, "alice", "watch", BY), UnknownAuthenticator),
        (lambda w: upkeep.remove(w.store, "bob", "phone", BY), UnknownAuthenticator),
        (lambda w: upkeep.new_recovery_codes(w.store, "bob", BY), UnknownAuthenticator),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    world: World, act: Act, kind: type[PamTotpError]
) -> None:
    """Each is refused with what to do next, and the store is as before."""
    world.enroll()
    added(world, "tablet")
    before = all_of(world.directory / "secrets"), world.store.look("alice"), world.events(None)
    with pytest.raises(kind) as refused:
        act(world)
    assert refused.value.hint
    after = all_of(world.directory / "secrets"), world.store.look("alice"), world.events(None)
    assert after == before


def test_new_recovery_codes(world: World) -> None:
    """All old ones are void, ten new ones are good, and what was used is forgotten."""
    phone = world.enroll()
    assert world.check(phone.recovery_codes[0]) is Verdict.ACCEPTED
    codes, event = upkeep.new_recovery_codes(world.store, "alice", By(NOON, service="pam-totp"))
    assert (event.what, event.actor, event.service) == ("recovery-codes", "", "pam-totp")
    assert len(set(codes)) == 10
    assert not set(codes) & set(phone.recovery_codes)
    assert not world.store.look("alice").spent
    assert world.check(phone.recovery_codes[1]) is Verdict.WRONG_CODE
    assert world.check(codes[9].upper().replace("-", " ")) is Verdict.ACCEPTED
    assert world.check(codes[9]) is Verdict.REPLAYED_CODE
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED


def test_confirmed(world: World) -> None:
    """What was enrolled without a code is confirmed by the first that is accepted."""
    phone = world.enroll()

    def confirmed() -> list[bool]:
        return [a.confirmed for a in world.store.look("alice").authenticators.values()]

    assert confirmed() == [False]
    assert world.check(phone.wrong(NOON)[0]) is Verdict.WRONG_CODE
    assert world.check(phone.recovery_codes[0]) is Verdict.ACCEPTED
    assert confirmed() == [False]
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    assert confirmed() == [True]


def test_a_reset_wants_an_invitation(world: World) -> None:
    """After a reset an invitation is wanted whatever the policy says, until an administrator or
    its bearer enrolls the account."""
    world.enroll()
    word, given = invitation.new(NOON, "root", secrets.choice, b"s" * 16)
    administration.reset(world.store, "alice", NOON, "root", given)
    state = world.store.look("alice")
    assert invitation.wanted(state, world.context.anywhere("alice").invitations)
    assert invitation.matches(state.invitation, word)
    other = "b" if word.endswith("a") else "a"
    assert not invitation.matches(state.invitation, word[:-1] + other)
    assert not invitation.matches(None, word)
    assert not invitation.matches(None, "")
    world.enroll()
    state = world.store.look("alice")
    assert not invitation.wanted(state, world.context.anywhere("alice").invitations)
    assert state.invitation is None


@pytest.mark.parametrize("replacing", ["", "phone"])
@pytest.mark.parametrize("anew", [False, True])
def test_a_reset_ends_what_is_under_way(world: World, replacing: str, *, anew: bool) -> None:
    """Whoever had a further authenticator drafted before a reset gets nothing kept after it,
    neither without the invitation nor beside what its bearer has enrolled."""
    world.enroll()
    drafted = enrollment.draft(world.store, ALICE, "evil", NOON, replacing=replacing)
    administration.reset(world.store, "alice", NOON, "root")
    if anew:
        world.enroll()
    before = names(world)
    with pytest.raises(EnrollmentError):
        enrollment.keep(world.store, drafted, NOON, "", 1)
    assert names(world) == before
    assert world.store.look("alice").only_invited is not anew


def test_a_code_accepted_while_it_is_kept_stays_used(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of a further authenticator counts a moment before the state says where it began:
    a code of it that was accepted in that moment is not accepted again."""
    world.enroll()
    drafted = enrollment.draft(world.store, ALICE, "tablet", NOON)
    code, write = phone_of(drafted).code(NOON), SecretFiles.write

    def written(files: SecretFiles, given: Mapping[str, Credentials]) -> None:
        write(files, given)
        assert world.check(code) is Verdict.ACCEPTED

    monkeypatch.setattr(SecretFiles, "write", written)
    enrollment.keep(world.store, drafted, NOON, "root")
    assert world.check(code) is Verdict.REPLAYED_CODE


def test_invitations_given_and_withdrawn(world: World) -> None:
    """A later one takes an earlier one's place; withdrawn, there is none; who has enrolled needs
    none."""
    first, given = invitation.new(NOON, "root", secrets.choice, b"1" * 16)
    administration.invite(world.store, "alice", given)
    second, given = invitation.new(NOON, "root", secrets.choice, b"2" * 16)
    administration.invite(world.store, "alice", given)
    kept = world.store.look("alice").invitation
    assert invitation.matches(kept, second)
    assert not invitation.matches(kept, first)
    administration.withdraw(world.store, "alice", NOON, "root")
    assert world.store.look("alice").invitation is None
    with pytest.raises(EnrollmentError, match="has no invitation"):
        administration.withdraw(world.store, "alice", NOON, "root")
    world.enroll()
    with pytest.raises(EnrollmentError, match="needs no invitation"):
        administration.invite(world.store, "alice", given)
    assert [e.what for e in world.events()] == ["invited", "invited", "uninvited", "enrolled"]


def test_an_invitation_goes_once(world: World) -> None:
    """Of two who present one invitation, the first to confirm is enrolled by it."""
    word, given = invitation.new(NOON, "root", secrets.choice, b"s" * 16)
    administration.invite(world.store, "alice", given)
    drafted = enrollment.draft(world.store, ALICE, "phone", NOON, word=word)
    administration.withdraw(world.store, "alice", NOON, "root")
    with pytest.raises(InvitationGone):
        enrollment.keep(world.store, drafted, NOON, "")
    assert world.store.look("alice").enrolled is None


def test_a_store_shows_no_words(world: World) -> None:
    """Neither the word of an invitation nor recovery codes stand anywhere in the store."""
    word, given = invitation.new(NOON, "root", secrets.choice, b"s" * 16)
    administration.invite(world.store, "bob", given)
    world.enroll()
    codes, _ = upkeep.new_recovery_codes(world.store, "alice", BY)
    said = b"".join(path.read_bytes() for path in world.directory.rglob("*") if path.is_file())
    for secret in (word, *codes):
        assert secret.encode() not in said
        assert secret.replace("-", "").encode() not in said


def test_a_short_secret(world: World) -> None:
    """A token whose secret is too short is refused, and nothing changes."""
    person = Person("carol", 1003)
    world.people["carol"] = person
    with pytest.raises(EnrollmentError, match="128"):
        enrollment.draft(world.store, person, "token", NOON, Wanted(secret=Secret(b"x" * 15)))
    assert world.store.look("carol") == NOBODY
