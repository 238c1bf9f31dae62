"""What a change of the policy does to people, as it is said before it takes effect."""

from __future__ import annotations

import time
from datetime import date
from itertools import product

import pytest

from pam_totp import administration
from pam_totp.impact import Impact, Somebody, Standing, impact, overruled, standing
from pam_totp.policy.document import Policy, target_of
from pam_totp.policy.values import midnight
from pam_totp.source import address_of
from pam_totp.verdict import Verdict
from tests.unit.world import CODE_PROMPT, Talk, World

NOW = midnight(date(2027, 1, 1))
FROM = "2027-02-01"
OFFICE = "192.0.2.0/24"


def enrolled(name: str, *groups: str, **more: bool) -> Somebody:
    """Return somebody who has enrolled."""
    return somebody(name, *groups, enrolled=True, usable=True, **more)


def somebody(name: str, *groups: str, **more: bool) -> Somebody:
    """Return somebody in groups of `staff` and `guests`."""
    return Somebody(name, {group: group in groups for group in ("staff", "guests")}, **more)


PEOPLE = [enrolled("alice", "staff"), somebody("bob", "staff"), somebody("carol", "guests")]


def policy(*settings: tuple[str, dict[str, str]]) -> Policy:
    """Return the policy that `set` makes of these, one after the other."""
    made = Policy()
    for words, target in settings:
        made = made.setting(target_of(**target), dict(word.split("=") for word in words.split()))
    return made


def said(found: Impact) -> list[str]:
    """Return the effects in a line each: when, where, what, who."""
    return [
        " ".join(
            filter(
                None,
                (
                    "" if e.at is None else time.strftime("%Y-%m-%d", time.localtime(e.at)),
                    e.place.words,
                    ",".join(e.services),
                    e.kind.name,
                    ",".join(e.people),
                ),
            )
        )
        for e in found.effects
    ]


def change(
    old: Policy, new: Policy, people: list[Somebody] | None = None, *services: str
) -> Impact:
    """Return what a change does at these services, sshd and login if none is said."""
    at = services or ("sshd", "login")
    return impact(old, new, PEOPLE if people is None else people, at, NOW)


STAFF = {"group": "staff"}
CASES = {
    "nothing": ((), (), []),
    "required": (
        (),
        (("mfa=required", {}),),
        ["sshd,login REFUSED bob,carol"],
    ),
    "required of a group": (
        (),
        (("mfa=required", STAFF),),
        ["sshd,login REFUSED bob"],
    ),
    "off": (
        (("mfa=required", {}),),
        (("mfa=off", {}),),
        ["sshd,login NOT_ASKED alice", "sshd,login NOT_REFUSED bob,carol"],
    ),
    "back to optional": (
        (("mfa=off", {}),),
        (),
        ["sshd,login ASKED alice"],
    ),
    "from a date": (
        (),
        ((f"mfa=required mfa-from={FROM}", STAFF),),
        [f"{FROM} sshd,login REFUSED bob"],
    ),
    "asked at once and refused from a date": (
        (("mfa=off", {}),),
        ((f"mfa=required mfa-from={FROM}", {}),),
        ["sshd,login ASKED alice", f"{FROM} sshd,login REFUSED bob,carol"],
    ),
    "one service": (
        (),
        (("mfa=required", {"service": "sshd"}),),
        ["sshd REFUSED bob,carol"],
    ),
    "a service that is not named": (
        (("mfa=required services=sshd", {}),),
        (("mfa=required services=sshd,login", {}),),
        ["login REFUSED bob,carol", "login ASKED alice"],
    ),
    "a network": (
        (("mfa=required", {}),),
        (("mfa=required", {}), ("mfa=off", {"network": OFFICE})),
        [
            f"from {OFFICE} sshd,login NOT_ASKED alice",
            f"from {OFFICE} sshd,login NOT_REFUSED bob,carol",
        ],
    ),
    "a network that insists insists where there is no address": (
        (),
        (("mfa=required", {"network": OFFICE}),),
        [
            "without an address (console, su) sshd,login REFUSED bob,carol",
            f"from {OFFICE} sshd,login REFUSED bob,carol",
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_effects(name: str) -> None:
    """Who is refused, asked or let in otherwise than before: when, where and at which services."""
    old, new, expected = CASES[name]
    assert said(change(policy(*old), policy(*new))) == expected


def test_a_place_that_is_spared() -> None:
    """Where a network's own rule wins, it is said that nothing changes from there."""
    exempt = ("mfa=off", {"network": OFFICE})
    found = change(policy(exempt), policy(exempt, ("mfa=required", {})))
    assert said(found) == [
        "sshd,login REFUSED bob,carol",
    ]
    assert [place.words for place in found.untouched] == [f"from {OFFICE}"]
    required = ("mfa=required", {})
    assert change(policy(required), policy(required, exempt)).untouched == ()  # nor elsewhere


def test_who_is_refused_already() -> None:
    """Somebody whom an administrator has locked is refused before and after."""
    found = change(policy(), policy(("mfa=required", {})), [somebody("dave", locked=True)])
    assert said(found) == []


def test_damage_is_a_refusal() -> None:
    """Somebody whose authenticators cannot be used is refused as soon as they are asked for."""
    damaged = [somebody("dave", enrolled=True)]
    assert said(change(policy(("mfa=off", {})), policy(), damaged, "sshd")) == ["sshd REFUSED dave"]


def test_a_group_that_cannot_be_told() -> None:
    """Where NSS does not say who is in a group, its stricter rule counts for everybody."""
    unsure = [Somebody("dave", {"staff": None})]
    assert said(change(policy(), policy(("mfa=required", STAFF)), unsure, "sshd")) == [
        "sshd REFUSED dave"
    ]
    assert (
        said(
            change(
                policy(("mfa=required", {})),
                policy(("mfa=required", {}), ("mfa=off", STAFF)),
                unsure,
                "sshd",
            )
        )
        == []
    )


def test_the_last_administrator() -> None:
    """A service is shut where an administrator could log in before, and after it none can."""
    required = policy(("mfa=required", {}))
    root, admin = somebody("root", administrator=True), enrolled("ann", administrator=True)
    assert change(policy(), required, [root]).shut == ("sshd", "login")
    assert change(policy(), required, [root, admin]).shut == ()
    assert change(policy(), policy(("mfa=required", {"service": "sshd"})), [root]).shut == ("sshd",)
    assert change(policy(), policy((f"mfa=required mfa-from={FROM}", {})), [root]).shut == ()
    assert change(required, policy(("mfa=required grace=1h", {})), [root]).shut == ()
    office = policy(("mfa=required", {}), ("mfa=off", {"network": OFFICE}))
    assert change(policy(), office, [root]).shut == ()


@pytest.mark.parametrize("how", ["locked", "held"])
def test_a_locked_administrator_is_none(how: str) -> None:
    """Whoever is locked out at the moment is nobody to rely on."""
    locked = enrolled("ann", administrator=True, **{how: True})
    people = [somebody("root", administrator=True), locked]
    assert change(policy(), policy(("mfa=required", {})), people, "sshd").shut == ("sshd",)


def test_what_has_no_effect() -> None:
    """A rule over which another one wins is named with the winner, for the people concerned."""
    old = policy(("mfa=off", {"user": "alice"}), ("mfa=off", {"network": OFFICE}))
    new = old.setting(target_of(group="staff"), {"mfa": "required"})
    found = overruled(old, new, PEOPLE, ["sshd"], NOW)
    assert [(one.key, str(one.winner), one.people) for one in found] == [
        ("mfa", "mfa=off for user alice", ("alice",)),
        ("mfa", f"mfa=off for everybody, from {OFFICE}", ("alice", "bob")),
    ]


def test_what_says_the_same_wins_over_nothing() -> None:
    """A more specific rule with the same value is no news."""
    old = policy(("mfa=required", {"user": "alice"}))
    new = old.setting(target_of(group="staff"), {"mfa": "required"})
    assert overruled(old, new, PEOPLE, ["sshd"], NOW) == []


def test_many_people() -> None:
    """Ten thousand people who are alike cost no more than a few."""
    crowd = [somebody(f"person{number}") for number in range(10_000)]
    rules = [("mfa=off", {"network": f"10.{number}.0.0/16"}) for number in range(100)]
    old = policy(*rules)
    start = time.monotonic()
    found = change(old, old.setting(target_of(), {"mfa": "required"}), crowd)
    assert time.monotonic() - start < 5
    assert len(found.effects[0].people) == 10_000


RULED: list[tuple[tuple[str, dict[str, str]], ...]] = [
    (),
    (("mfa=required", {}),),
    (("mfa=off", {}), ("mfa=required", STAFF)),
    (("mfa=required", {}), ("mfa=off", STAFF), ("mfa=required", {"service": "login"})),
    (("mfa=required", {}), ("mfa=off", {"network": OFFICE})),
    (("mfa=required", {"network": OFFICE}), ("mfa=off", {"user": "bob"})),
    (("services=login mfa=required", {}),),
    (("mfa=off", {}), ("mfa=required mfa-from=2001-01-01", {"user": "bob", "service": "sshd"})),
    (("mfa=off", {}), ("mfa=required mfa-from=2099-01-01", {})),
]
SEEN_AS = {
    Verdict.NOT_NAMED: Standing.NOT_ASKED,
    Verdict.NOT_NEEDED: Standing.NOT_ASKED,
    Verdict.NOT_ENROLLED: Standing.REFUSED,
    Verdict.ACCEPTED: Standing.ASKED,
    Verdict.REPLAYED_CODE: Standing.ASKED,
}


@pytest.mark.parametrize("is_member", [True, False, None])
@pytest.mark.parametrize("number", range(len(RULED)))
def test_a_login_is_as_foreseen(world: World, number: int, *, is_member: bool | None) -> None:
    """What is said of people beforehand is what becomes of their logins, at each service and
    from everywhere, whether the name service knows their group or not."""
    for words, target in RULED[number]:
        world.sets(*words.split(), **target)
    world.groups["staff"] = is_member
    phone = world.enroll()
    for name, service, rhost in product(
        ("alice", "bob"), ("sshd", "login"), ("192.0.2.7", "198.51.100.7", "a.host", "")
    ):
        has = name == "alice"
        who = Somebody(name, {"staff": is_member}, enrolled=has, usable=has)
        foreseen = standing(
            world.context.policy(), who, service, address_of(rhost), world.clock.now
        )
        talk = Talk(name, [(CODE_PROMPT, phone.code(world.clock.now))], service, rhost)
        verdict = world.login(talk).check()
        assert SEEN_AS[verdict] is foreseen, (name, service, rhost, verdict)
        if foreseen is Standing.NOT_ASKED:
            assert talk.script, "a code was asked for"
        administration.unlock(world.store, "alice", world.clock.now, "root")
