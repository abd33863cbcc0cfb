"""Values to rows and back. What is written in JSON is read by nobody but this file."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from relayd.core.address import Address
from relayd.core.delivery import State
from relayd.core.journal import Event, EventType
from relayd.core.mail import Dressing, Hop, Message, Proof, Recipient, RefusedRecipient, Rung, Submission
from relayd.core.reasons import Reason

SHIFT: Final = 16
"""Recipients and parts of the content are numbered within 2**16 of their message."""

SUBMITTED, DRESSED, BODY = 0, 1, 2
"""Parts of the content."""

PART: Final = 1024 * 1024
"""No row holds more octets of a body than this."""

UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError)
"""What reading a row raises that isn't as it was written."""

STATES: Final = (State.QUEUED, State.HELD, State.SENT, State.FAILED)
NUMBER: Final = {state: number for number, state in enumerate(STATES)}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def stamp(time: datetime) -> int:
    """Microseconds since 1970 UTC, exactly (a float of seconds would round)."""
    return (time - _EPOCH) // _MICROSECOND


def moment(stamp: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stamp)


def span(n: int) -> tuple[int, int]:
    """The first and last id that belong to message n, in `recipient` and in `content`."""
    return n << SHIFT, (n << SHIFT) | 0xFFFF


# --- events

_PLAIN = tuple(f.name for f in fields(Event) if f.name not in {"seq", "time", "next_attempt", "detail"})
_ENUMS: Mapping[str, type] = {"type": EventType, "rung": Rung, "proof": Proof, "reason": Reason}


def event_facts(event: Event) -> str:
    facts: dict[str, Any] = {}
    for name in _PLAIN:
        value = getattr(event, name)
        if value is not None and value is not False:
            facts[name] = value
    if event.next_attempt is not None:
        facts["next_attempt"] = stamp(event.next_attempt)
    if event.detail:
        facts["detail"] = dict(event.detail)
    return _encode(facts)


def event(seq: int, time: int, facts: str) -> Event:
    found = json.loads(facts)
    for name, kind in _ENUMS.items():
        if name in found:
            found[name] = kind(found[name])
    if "next_attempt" in found:
        found["next_attempt"] = moment(found["next_attempt"])
    return Event(seq=seq, time=moment(time), **found)


# --- messages


def message_row(n: int, message: Message) -> tuple[Any, ...]:
    """A row of `message`: n, id, sender, ref, received, held, facts, dressing."""
    return (
        n,
        message.id,
        message.sender,
        message.ref,
        stamp(message.submission.received_at),
        message.held,
        message_facts(message),
        dressing_facts(message.dressing),
    )


def message_facts(message: Message) -> str:
    submission = message.submission
    facts: dict[str, Any] = {
        "login": submission.login,
        "may_be": None if submission.may_be is None else sorted(submission.may_be),
        "mail_from": _text(submission.mail_from),
        "body_size": submission.body_size,
        "body_hash": submission.body_hash.hex(),
    }
    addresses = tuple(recipient.address for recipient in message.recipients)
    if submission.recipients != addresses:
        facts["recipients"] = [str(address) for address in submission.recipients]
    if submission.refused:
        facts["refused"] = [[r.address, r.code, r.enhanced, r.reason, r.text] for r in submission.refused]
    for name, flag in (
        ("eight_bit", submission.eight_bit),
        ("smtputf8", submission.smtputf8),
        ("test", message.test),
    ):
        if flag:
            facts[name] = True
    if message.meta:
        facts["meta"] = dict(message.meta)
    return _encode(facts)


def dressing_facts(dressing: Dressing) -> str:
    return _encode([dressing.rung, dressing.proof, dressing.reason, _text(dressing.header_from)])


def message(
    row: tuple[Any, ...], submitted: bytes, dressed: bytes, recipients: tuple[Recipient, ...]
) -> Message:
    """Of a row as `message_row` makes it. The header blocks are empty once the content is swept."""
    _, identity, sender, ref, received, held, facts, dressing = row
    found = json.loads(facts)
    given = found.get("recipients")
    refused = (
        RefusedRecipient(address=address, code=code, enhanced=enhanced, reason=Reason(reason), text=text)
        for address, code, enhanced, reason, text in found.get("refused", ())
    )
    submission = Submission(
        login=found["login"],
        may_be=None if found["may_be"] is None else frozenset(found["may_be"]),
        mail_from=_address(found["mail_from"]),
        recipients=tuple(r.address for r in recipients)
        if given is None
        else tuple(_sure(address) for address in given),
        refused=tuple(refused),
        header=submitted,
        body_size=found["body_size"],
        body_hash=bytes.fromhex(found["body_hash"]),
        eight_bit=found.get("eight_bit", False),
        smtputf8=found.get("smtputf8", False),
        received_at=moment(received),
    )
    return Message(
        id=identity,
        sender=sender,
        ref=ref,
        meta=found.get("meta", {}),
        submission=submission,
        dressing=_dressing(dressing, dressed),
        recipients=recipients,
        held=None if held is None else Reason(held),
        test=found.get("test", False),
    )


def entitlement(dressing: str) -> tuple[Rung | None, Proof | None]:
    """Rung and proof, for the events of an operator's act. Nothing of a damaged row: it can be acted on."""
    try:
        rung, proof, _, _ = json.loads(dressing)
        return Rung(rung), None if proof is None else Proof(proof)
    except UNREADABLE:
        return None, None


def is_test(facts: str) -> bool:
    try:
        return bool(json.loads(facts).get("test", False))
    except UNREADABLE:
        return False


def recipient(index: int, hop: str, address: str, return_path: str) -> Recipient:
    return Recipient(index=index, address=_sure(address), hop=Hop.from_key(hop), return_path=return_path)


def _dressing(facts: str, header: bytes) -> Dressing:
    rung, proof, reason, header_from = json.loads(facts)
    return Dressing(
        rung=Rung(rung),
        proof=None if proof is None else Proof(proof),
        reason=None if reason is None else Reason(reason),
        header_from=_address(header_from),
        header=header,
    )


def _text(address: Address | None) -> str | None:
    return None if address is None else str(address)


def _address(text: str | None) -> Address | None:
    return None if text is None else _sure(text)


def _sure(text: str) -> Address:
    """An address that was parsed before it was written. A domain has no `@`, a quoted local part may."""
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


# --- content


def content_row(n: int, part: int, data: bytes) -> tuple[int, int, bytes]:
    return (n << SHIFT) | part, zlib.crc32(data), data


def body_parts(body: bytes) -> Iterable[bytes]:
    if len(body) <= PART:
        return (body,) if body else ()
    return (body[start : start + PART] for start in range(0, len(body), PART))
