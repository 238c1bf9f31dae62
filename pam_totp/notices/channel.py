"""How a notice leaves: by a command of the administrator's, or by the machine's own mail.

SECURITY: neither sees a shell, and nothing that a client chose is an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from typing import Final

from pam_totp.config import MAIL, MAILBOX, Config
from pam_totp.notices.message import Message
from pam_totp.notices.run import NotSent, run

SENDMAIL: Final = "/usr/sbin/sendmail"

Channel = Callable[[Message], None]  # raises NotSent


def channel(loaded: Config) -> Channel | None:
    """Return the way that the configuration names, None where notices are off."""
    if loaded.notify is None:
        return None
    if loaded.notify == MAIL:
        return lambda message: _mailed(message, loaded)
    command = loaded.notify
    return lambda message: run(command, message.text.encode(), message.facts)


def program(loaded: Config) -> str | None:
    """Return the program that sends, None where notices are off."""
    if loaded.notify is None:
        return None
    return SENDMAIL if loaded.notify == MAIL else loaded.notify[0]


def _mailed(message: Message, loaded: Config) -> None:
    # The recipient stands in the header alone (-t), and a line with a dot ends nothing (-i).
    run((SENDMAIL, "-i", "-t"), bytes(mail(message, loaded)), {})


def mail(message: Message, loaded: Config) -> EmailMessage:
    """Return the notice as RFC 5322 and 3834 want it.  Raises NotSent for an account whose
    name makes no address.

    One that is sent twice has one Message-ID, by which mail programs drop the second.
    """
    made = EmailMessage(policy=policy.default.clone(cte_type="7bit"))
    made["From"] = loaded.notify_from
    made["To"] = _address(message.account, loaded.notify_mail)
    made["Subject"] = message.subject
    made["Date"] = datetime.fromtimestamp(message.at, UTC).astimezone()
    host = message.facts["PAM_TOTP_HOST"]
    made["Message-ID"] = f"<pam-totp.{message.id}.{int(message.at * 1000)}@{host}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(message.text, cte="quoted-printable")
    return made


def _address(account: str, template: str) -> str:
    address = template.replace("{account}", account)
    if not MAILBOX.fullmatch(address):
        raise NotSent(
            f"{account!r} makes no mail address",
            hint="set `notify` to a command that knows how to reach such accounts",
            final=True,
        )
    return address
