"""A secret does not show itself."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import pprint
import traceback

import pytest

from pam_totp.secret import Secret

VALUE = b"JBSWY3DPEHPK3PXP"


def test_no_text_shows_it() -> None:
    """No way to print, format or log a secret shows its bytes."""
    secret, log = Secret(VALUE), io.StringIO()
    logger = logging.Logger("a test")  # noqa: LOG001  # of its own, so that nothing else hears it
    logger.addHandler(logging.StreamHandler(log))
    logger.error("%s %r", secret, {"key": secret})
    texts = [repr(secret), str(secret), f"{secret}", f"{[secret]!r}", pprint.pformat(secret)]
    for text in [*texts, log.getvalue()]:
        assert "Secret(…)" in text
        assert "JBSW" not in text


def test_no_traceback_shows_it() -> None:
    """A traceback does not show it, with the variables' values neither."""

    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    try:
        fail(Secret(VALUE))
    except ValueError as error:
        found = traceback.TracebackException.from_exception(error, capture_locals=True)
        text = "".join(found.format())
    assert "Secret(…)" in text
    assert "JBSW" not in text


def test_it_is_revealed_whole() -> None:
    """`reveal` gives the bytes, and nothing of them is left out."""
    assert Secret(VALUE).reveal() == VALUE


def test_equality() -> None:
    """Secrets are equal by their bytes, and to nothing that is no secret."""
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret(VALUE[:-1])
    assert Secret(VALUE) != VALUE
    with pytest.raises(TypeError):
        hash(Secret(VALUE))


def test_it_is_not_pickled() -> None:
    """A secret goes into no pickle, and nothing that copies by pickling copies it."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(Secret(VALUE), protocol)
    with pytest.raises(TypeError):
        copy.copy(Secret(VALUE))
    assert not hasattr(Secret(VALUE), "__dict__")
