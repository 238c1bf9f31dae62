"""What people type when they are asked for a code, and password fields taken apart."""

from __future__ import annotations

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pam_totp import answer, recovery
from pam_totp.answer import Field, Malformed, parse

RECOVERY = "rc-7k2mq-x9d4w-hn3ve"
NORMAL = "rc7k2mqx9d4whn3ve"


def scrv1(password: bytes, code: bytes) -> str:
    """Return the field that an OpenVPN client makes for a static challenge."""
    return ":".join(["SCRV1", *(base64.b64encode(part).decode() for part in (password, code))])


@pytest.mark.parametrize("typed", ["123456", "123 456", " 1 2 3456\t", "\u2003123\u00a0456\r\n"])
def test_digits_as_people_type_them(typed: str) -> None:
    """Blanks within and around do not matter."""
    parsed = parse(typed)
    assert parsed is not None
    assert parsed.digits == parsed.text == "123456"
    assert parsed.recovery_code is None


@pytest.mark.parametrize("typed", [None, "", " ", "\t \n", "\u2003"])
def test_nothing(typed: str | None) -> None:
    """Blanks alone are no answer."""
    assert parse(typed) is None


@pytest.mark.parametrize(
    "typed",
    [
        "12345\u0666",  # ARABIC-INDIC DIGIT SIX
        "\uff11\uff12\uff13\uff14\uff15\uff16",  # full-width
        "12345\u00b2",  # superscript two: a digit to str.isdigit
        "12345\U0001d7d4",  # MATHEMATICAL BOLD DIGIT SIX
        "123-456",
        "+123456",
        "0x1e240",
        "123456\0",
        "\udcff123456",
        "123456;",
        "rc-",
        "\u200b123456",  # ZERO WIDTH SPACE is no blank
    ],
)
def test_what_can_only_be_wrong(typed: str) -> None:
    """What is not ASCII digits nor of a recovery code's shape has neither reading."""
    parsed = parse(typed)
    assert parsed is not None
    assert parsed.digits is None
    assert parsed.recovery_code is None


@given(st.text(max_size=40))
def test_any_text(typed: str) -> None:
    """Any text has at most one reading, and digits are always ASCII digits."""
    parsed = parse(typed)
    if parsed is None:
        assert not typed.split()
        return
    assert parsed.digits is None or parsed.recovery_code is None
    assert parsed.digits is None or set(parsed.digits) <= set("0123456789")
    assert "123456" not in repr(parse("123456"))


def test_a_very_long_answer() -> None:
    """An answer of a megabyte is a wrong code like any other."""
    parsed = parse("1" * (1 << 20))
    assert parsed is not None
    assert len(parsed.digits or "") == 1 << 20


@pytest.mark.parametrize("typed", [RECOVERY, RECOVERY.upper(), NORMAL, " rc 7k2mq x9d4w hn3ve "])
def test_a_recovery_code_in_any_typing(typed: str) -> None:
    """Case, blanks and dashes of a recovery code do not matter."""
    parsed = parse(typed)
    assert parsed is not None
    assert parsed.recovery_code == NORMAL


@given(st.binary(max_size=40), st.binary(max_size=10))
@example(b"pass:word", b"123456")
@example("Gr\u00fc\u00df Gott".encode(), b"")
def test_a_static_challenge(password: bytes, code: bytes) -> None:
    """Password and code of a static challenge are what the client encoded, or it is malformed:
    not UTF-8, or with a NUL."""
    try:
        expected = Field(password.decode(), code.decode())
    except UnicodeDecodeError:
        expected = None
    if expected is None or b"\0" in password + code:
        with pytest.raises(Malformed):
            answer.split_static_challenge(scrv1(password, code))
    else:
        assert answer.split_static_challenge(scrv1(password, code)) == expected


@pytest.mark.parametrize(
    "field",
    [
        "SCRV1:",
        "SCRV1::",
        "SCRV1:aHVudGVyMg==",
        "SCRV1:aHVudGVyMg==:MTIzNDU2:",
        "SCRV1:aHVudGVyMg==:MTIzNDU2:eA==",
        "SCRV1:aHVudGVyMg=:MTIzNDU2",
        "SCRV1:aHVudGVyMg:MTIzNDU2",
        "SCRV1:aHVudGVyMg== :MTIzNDU2",
        "SCRV1:aHVud GVyMg==:MTIzNDU2",
        "SCRV1:aHVudGVyMg==:MTIz\nNDU2",
        "SCRV1:hunter2!:123456",
        "SCRV1:gICA:MTIzNDU2",
        "SCRV1:AHB3:MTIzNDU2",
        "SCRV1:\u0433\u0433\u0433\u0433:MTIzNDU2",
        "SCRV1:a\udcffa=:MTIzNDU2",
    ],
)
def test_a_malformed_static_challenge(field: str) -> None:
    """A field that begins as a static challenge and is none is malformed; the message holds
    nothing of it."""
    assert answer.is_static_challenge(field)
    if field == "SCRV1::":
        assert answer.split_static_challenge(field) == Field("", "")
        return
    with pytest.raises(Malformed) as caught:
        answer.split_static_challenge(field)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["scrv1:a:b", "SCRV1", "SCRV2:a:b", " SCRV1:a:b", "CRV1:a:b"])
def test_what_is_a_password(text: str) -> None:
    """Only the exact beginning makes a static challenge; anything else is a password."""
    assert not answer.is_static_challenge(text)


@pytest.mark.parametrize(
    ("text", "digits", "field"),
    [
        ("hunter2123456", 6, Field("hunter2", "123456")),
        ("hunter2123456", 8, Field("hunter2123456")),
        ("hunter12345678", 8, Field("hunter", "12345678")),
        ("hunter12345678", 6, Field("hunter12", "345678")),
        ("hunter2123456", None, Field("hunter2123456")),
        ("hunter212345", 6, Field("hunter", "212345")),
        ("hunter 12345", 6, Field("hunter 12345")),
        ("hunter123 456", 6, Field("hunter123 456")),
        ("123456", 6, Field("", "123456")),
        ("12345", 6, Field("12345")),
        ("", 6, Field("")),
        ("hunter\u0661\u0662\u0663\u0664\u0665\u0666", 6, None),
        (f"hunter2{RECOVERY}", 6, Field("hunter2", RECOVERY)),
        (f"hunter2{RECOVERY}", None, Field("hunter2", RECOVERY)),
        (RECOVERY, 6, Field("", RECOVERY)),
        (f"hunter2{RECOVERY.upper()}", 6, None),
        (f"hunter2{NORMAL}", 6, None),
        (f"hunter2{RECOVERY} ", 6, None),
        (f"hunter2{RECOVERY}\n", 6, None),
        (f"hunter2{RECOVERY[:-1]}2", 6, None),
        (f"hunter2{RECOVERY}123456", 6, Field(f"hunter2{RECOVERY}", "123456")),
    ],
)
def test_a_code_at_the_end(text: str, digits: int | None, field: Field | None) -> None:
    """The account's own number of digits is cut off the end, a recovery code in its printed
    form alone; else the field is a password whole."""
    assert answer.split_code_from_end(text, digits) == (field or Field(text))


@given(st.text(max_size=30), st.integers(6, 8), st.data())
def test_a_cut_loses_nothing(password: str, digits: int, data: st.DataObject) -> None:
    """Whatever is cut, password and code together are what was typed; a code put at the end
    is what is cut off."""
    code = data.draw(
        st.one_of(
            st.text("0123456789", min_size=digits, max_size=digits),
            st.builds(
                recovery.generate, st.just(lambda letters: data.draw(st.sampled_from(letters)))
            ),
        )
    )
    found = answer.split_code_from_end(password + code, digits)
    assert found == Field(password, code)
    whole = answer.split_code_from_end(password, digits)
    assert whole.password + (whole.code or "") == password
    assert code not in repr(found)
