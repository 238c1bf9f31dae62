"""What people are told, in English: one module an area, and nothing but words in it.

Each text is marked for xgettext; `pam_totp.speech` translates it and puts the `{named}` values
in.  What administrators read stands where it is said, and is not translated.
"""

from __future__ import annotations


def N_(message: str) -> str:  # noqa: N802  # as gettext calls it
    """Mark a text that is to be translated."""
    return message


def P_(one: str, many: str) -> tuple[str, str]:  # noqa: N802  # as N_
    """Mark two texts that are to be translated, for one thing and for several."""
    return one, many
