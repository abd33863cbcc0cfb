"""Letters that relayd itself writes: composed, dressed on the platform's rung, and kept like all mail.

They leave as the built-in sender `relayd`, so they are signed, tried again and in the status log as an app's
mail is. Nobody answers them by machine: they say that a machine wrote them (RFC 3834 section 5).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from email import policy
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from typing import Protocol

from relayd.core import acceptance, displayname, tokens
from relayd.core.address import Address
from relayd.core.letters import Letter
from relayd.core.mail import IfUnproven, Message, Rung, Submission
from relayd.core.refusal import Refusal
from relayd.core.sender import HOUSE, Sender
from relayd.dressing import Dressed, SigningFailed
from relayd.store.contract import Store

LOCAL_PART = "no-reply"
"""Of its address; `core.localparts` gives it to nobody else."""

# The library folds headers at 78 and puts CRLF everywhere; with `utf8=False` what leaves is ASCII.
_POLICY = policy.SMTP.clone(cte_type="7bit")


class Dresser(Protocol):
    async def dress(
        self, submission: Submission, sender: Sender, message_id: str, now: datetime
    ) -> Dressed | Refusal:
        """Raises SigningFailed."""
        ...


class Post:
    """Sends letters. `dresser` may be replaced when the settings are read again."""

    def __init__(
        self,
        *,
        store: Store,
        dresser: Dresser,
        platform: str,
        domain: str,
        clock: Callable[[], datetime],
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """`platform` is the name that people read in From, `domain` the platform's domain."""
        self.sender = house_sender(platform, domain)
        self._store = store
        self._dresser = dresser
        self._clock = clock
        self._entropy = entropy

    async def send(
        self, letter: Letter, to: Address, *, ref: str, sender: str | None = None, test: bool = False
    ) -> str:
        """Keep a letter to one person for delivery. Returns the message's id once it is kept: from then on
        it is tried, held and told of as any mail. `ref` is what it is found by; `sender` the customer whom it
        concerns; with `test` it goes to nobody.

        Raises SigningFailed and StoreError, having kept nothing.
        """
        now = self._clock()
        id = tokens.message_id(now, self._entropy(tokens.ENTROPY))
        header, body = _written(letter, self.sender, to, now)
        submission = Submission(
            login=None,
            may_be=None,
            mail_from=self.sender.contact,
            recipients=(to,),
            header=header,
            body_size=len(body),
            body_hash=sha256(body).digest(),
            eight_bit=False,
            smtputf8=False,
            received_at=now,
        )
        dressed = await self._dresser.dress(submission, self.sender, id, now)
        if isinstance(dressed, Refusal):
            raise SigningFailed(f"relayd's own letter is refused: {dressed.text}")
        message = Message(
            id=id,
            sender=HOUSE,
            ref=ref,
            meta={} if sender is None else {"about": sender},
            submission=submission,
            dressing=dressed.dressing,
            recipients=dressed.recipients,
            held=dressed.held,
            test=test,
        )
        await self._store.put(message, body, acceptance.events(message, now))
        return id


def house_sender(platform: str, domain: str) -> Sender:
    """The built-in sender: the platform's own address, on the rung that the platform's key proves."""
    address = Address(LOCAL_PART, domain)
    return Sender(
        id=HOUSE,
        name=platform,
        contact=address,
        confirmed=True,
        default_address=address,
        send_as=Rung.DEFAULT,
        if_unproven=IfUnproven.DEFAULT,
        language="en",
        test=False,
    )


def _written(letter: Letter, sender: Sender, to: Address, now: datetime) -> tuple[bytes, bytes]:
    """Header block and body, settled: ASCII, CRLF, no line over 998 octets."""
    mail = EmailMessage(_POLICY)
    mail["From"] = Mailbox(displayname.clean(sender.name), addr_spec=str(sender.contact))
    mail["To"] = str(to)
    mail["Subject"] = displayname.clean(letter.subject)
    mail["Date"] = format_datetime(now)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"  # the word that Exchange knows
    mail.set_content(letter.text, charset="utf-8", cte="quoted-printable")
    mail.add_alternative(letter.html, subtype="html", charset="utf-8", cte="quoted-printable")
    header, _, body = mail.as_bytes().partition(b"\r\n\r\n")
    # One CRLF at the end, as the simple canonical form has it (RFC 6376 section 3.4.3): the body is its own.
    return header + b"\r\n", body.rstrip(b"\r\n") + b"\r\n"
