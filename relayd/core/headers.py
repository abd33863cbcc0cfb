"""The header block: read strictly, changed only where it is meant, byte for byte the same elsewhere.

Every field that relayd itself makes goes through `fields.write`; nothing is ever re-serialised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NoReturn

from relayd.core import displayname, mailbox
from relayd.core.address import Address, shown
from relayd.core.fields import date, write
from relayd.core.mail import Rung
from relayd.core.mailbox import Mailbox, MailboxError
from relayd.core.policy import Plan
from relayd.core.reasons import Reason
from relayd.core.refusal import Refusal
from relayd.core.sender import Sender
from relayd.core.settings_types import duration

RECEIVED_MAX = 30
"""Received fields before we call it a loop. RFC 5321 section 6.3 says 100 for relays in the middle of a
path; we are the first hop of an app on the same host, where even five would be odd."""

FIELDS_MAX = 1000
FIELD_MAX = 64 * 1024
"""Fields of a header block and octets of one field: what Haraka and Postfix take, in their order of
magnitude. An app that fills a To field with 2,000 addresses stays below."""

NAME_MAX = 128
"""Octets of a field name. The longest registered one has 43; names are cached, so they are bounded."""

SINGLE = (
    "from", "to", "cc", "subject", "date", "message-id", "reply-to", "in-reply-to", "references",
    "mime-version", "content-type", "content-transfer-encoding", "list-unsubscribe", "list-unsubscribe-post",
)  # fmt: skip
"""Fields that may stand once: RFC 5322 section 3.6, RFC 2045 section 3 and RFC 8058. Of two, one reader
shows the first and another the last (RFC 6376 section 8.15)."""

REMOVED = frozenset(
    {
        "bcc",
        "return-path",
        "sender",
        "dkim-signature",
        "authentication-results",
        "received-spf",
        "errors-to",
    }
)
REMOVED_PREFIXES = ("x-relayd-", "arc-")

RECEIPTS = ("disposition-notification-to", "return-receipt-to")

_FIELD_END = re.compile(rb"\r\n(?![ \t])")
_FIELD_NAME = re.compile(rb"[!-9;-~]+")
_REF_MAX = 200
_META_MAX = 1000
_META_FIELDS = 50
"""What an app may hang on a message: it comes back with every event, so it is kept small."""

Field = tuple[str, bytes]
"""A field: its name in lower case, and all its octets without the final CRLF."""


class HeaderRefused(Exception):
    """The header block can't be taken; `refusal` is what the app is told."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class HeaderBlock:
    """The fields of a message in their order; `index` finds them by lower-case name."""

    fields: tuple[Field, ...]
    index: Mapping[str, tuple[int, ...]]

    def get(self, name: str) -> bytes | None:
        """The value of the first field of this name as it stands after the colon, folds included."""
        at = self.index.get(name.lower())
        return None if at is None else _value(self.fields[at[0]])

    def all(self, name: str) -> tuple[bytes, ...]:
        return tuple(_value(self.fields[at]) for at in self.index.get(name.lower(), ()))

    def __bytes__(self) -> bytes:
        return b"".join([raw + b"\r\n" for _, raw in self.fields])


@dataclass(frozen=True, slots=True, kw_only=True)
class AppHeaders:
    """What the app tells relayd in X-Relayd-* fields; they never leave."""

    sender: str | None = None
    ref: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    answer_within: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What `dress` writes into the header besides the plan."""

    hostname: str
    message_id: str
    received_at: datetime
    smtputf8: bool


def parse(header: bytes) -> HeaderBlock:
    """Split a settled header block (CRLF, ends with CRLF, no blank line) into its fields.

    Raises HeaderRefused (554 5.6.0): a line that is no field, too many fields, a field too long, a character
    that one verifier takes for a blank and another doesn't (RFC 6376 section 3.4.2 knows blank and tab; the
    libraries differ over vertical tab and form feed).
    """
    breaks = header.count(b"\r\n")
    if header.count(b"\r") != breaks or header.count(b"\n") != breaks or not header.endswith(b"\r\n"):
        _malformed("the header has a line that does not end with CRLF")
    if b"\0" in header or b"\x0b" in header or b"\x0c" in header:
        _malformed("the header has a NUL, vertical tab or form feed; remove it")
    raws = _FIELD_END.split(header)
    raws.pop()
    if len(raws) > FIELDS_MAX:
        _malformed(f"the header has {len(raws)} fields; at most {FIELDS_MAX} are taken")
    index: dict[str, tuple[int, ...]] = {}
    fields: list[Field] = []
    for at, raw in enumerate(raws):
        colon = raw.find(b":", 0, NAME_MAX + 1)
        name = _name(raw[:colon]) if colon > 0 else _no_field(raw)
        fields.append((name, raw))
        index[name] = (*index[name], at) if name in index else (at,)
        if len(raw) > FIELD_MAX:
            _malformed(f"the field {name} has {len(raw)} octets; at most {FIELD_MAX} are taken")
    return HeaderBlock(tuple(fields), index)


@lru_cache(maxsize=1024)
def _name(raw: bytes) -> str:
    name = raw.rstrip(b" \t")  # RFC 5322 section 4.5: blanks before the colon are an old form
    return name.decode("ascii").lower() if _FIELD_NAME.fullmatch(name) else _no_field(raw)


def _no_field(raw: bytes) -> NoReturn:
    seen = shown(raw[:NAME_MAX].decode("latin-1"), 40)
    if raw.startswith(b"From "):
        _malformed(f'the first line "{seen}" is a mailbox separator; remove it')
    _malformed(f'the header line "{seen}" is no field; write Name: value')


def _value(one: Field) -> bytes:
    return one[1].partition(b":")[2]


def _malformed(text: str) -> NoReturn:
    raise HeaderRefused(Refusal(code=554, enhanced="5.6.0", reason=Reason.MESSAGE_MALFORMED, text=text))


def sender_of(block: HeaderBlock) -> Mailbox:
    """The one mailbox of the one From field. Raises HeaderRefused (554 5.6.0), with the value seen."""
    at = block.index.get("from", ())
    if not at:
        _malformed("the header has no From field; it must have one")
    if len(at) > 1:
        _malformed(f"the header has {len(at)} From fields; it must have one")
    try:
        return mailbox.parse(_value(block.fields[at[0]]))
    except MailboxError as error:
        _malformed(str(error))


def check(block: HeaderBlock) -> None:
    """Refuse what no dressing can make right. Raises HeaderRefused: a field twice that may stand once, a
    message sent on by hand (Resent-*), a loop (554 5.4.6)."""
    index = block.index
    if len(index) != len(block.fields):
        for name in SINGLE:
            if len(index.get(name, ())) > 1:
                _malformed(f"the header has {len(index[name])} {name.title()} fields; it may have one")
        received = len(index.get("received", ()))
        if received >= RECEIVED_MAX:
            text = f"the message has {received} Received fields: it goes in circles; see where they lead"
            raise HeaderRefused(Refusal(code=554, enhanced="5.4.6", reason=Reason.MESSAGE_LOOP, text=text))
    for name in index:
        if name.startswith("resent-"):
            _malformed(f"the header has {name.title()}: a message that was sent on; send it as your own")


def app_headers(block: HeaderBlock) -> AppHeaders:
    """What the app tells us. Raises HeaderRefused (554 5.6.0) for a value that can't be understood or a
    field that stands twice: an app that says something should get it."""
    told = [name for name in block.index if name.startswith("x-relayd-")]
    if not told:
        return _NOTHING_TOLD
    for name in _NOT_BUILT.intersection(told):
        _malformed(f"{name.title()} is not built yet, and nobody should rely on it: leave it out")
    return AppHeaders(
        sender=_said(block, "X-Relayd-Sender", _REF_MAX),
        ref=_said(block, "X-Relayd-Ref", _REF_MAX),
        meta=_meta(block, [name for name in told if name.startswith("x-relayd-meta-")]),
        answer_within=_duration(block, "X-Relayd-Answer-Within"),
    )


_NOTHING_TOLD = AppHeaders()
_NOT_BUILT = frozenset(
    {"x-relayd-key", "x-relayd-force"}
)  # promised; an app that counts on them must hear it


def _said(block: HeaderBlock, name: str, limit: int) -> str | None:
    values = block.all(name)
    if len(values) > 1:
        _malformed(f"the header has {len(values)} {name} fields; it may have one")
    if not values:
        return None
    if len(values[0]) > 8 * limit:  # as encoded words a character takes up to 12 octets; few take many
        _malformed(f"{name} has {len(values[0])} octets; at most {limit} characters are taken")
    text = displayname.decode(values[0].replace(b"\r\n", b"").decode("utf-8", "replace"))
    if len(text) > limit:
        _malformed(f"{name} has {len(text)} characters; at most {limit} are taken")
    return text or None


def _meta(block: HeaderBlock, names: list[str]) -> Mapping[str, str]:
    if len(names) > _META_FIELDS:
        _malformed(f"the header has {len(names)} X-Relayd-Meta fields; at most {_META_FIELDS} are taken")
    said = ((name.removeprefix("x-relayd-meta-"), _said(block, name, _META_MAX)) for name in names)
    return {name: text or "" for name, text in said}


def _duration(block: HeaderBlock, name: str) -> timedelta | None:
    text = _said(block, name, _REF_MAX)
    if text is None:
        return None
    try:
        return duration(text)
    except ValueError as error:
        _malformed(f'{name} is "{shown(text)}"; write {error}')


def dress(block: HeaderBlock, plan: Plan, sender: Sender, facts: Facts) -> bytes:
    """The header block as it leaves, without signatures: a Received on top, then the app's own fields in
    their order, without what must not leave; then what was missing."""
    rewritten = _default_fields(block, sender) if plan.rung is Rung.DEFAULT else {}
    lines = [_received(facts), *_kept(block, rewritten)]
    if "date" not in block.index:
        lines.append(write("Date", date(facts.received_at)))
    if "message-id" not in block.index:
        domain = plan.header_from.domain
        lines.append(write("Message-ID", f"<{facts.message_id}@{domain}>".encode("ascii")))
    lines.append(b"")
    return b"\r\n".join(lines)


def _kept(block: HeaderBlock, rewritten: Mapping[str, bytes]) -> Iterator[bytes]:
    """What of the app's fields leaves; `rewritten` ones once, where their first one stood."""
    done = set()
    for name, raw in block.fields:
        if name in REMOVED or name.startswith(REMOVED_PREFIXES):
            continue
        if name not in rewritten:
            yield raw
        elif name not in done:
            done.add(name)
            yield rewritten[name]


def _default_fields(block: HeaderBlock, sender: Sender) -> dict[str, bytes]:
    """The fields that name another address on the default rung. From stands once and brings the Reply-To
    with it when the app set none."""
    fields = {
        name: write(_SPELLING[name], _plain(sender.contact)) for name in RECEIPTS if name in block.index
    }
    lines = _default_from(sender.name, sender.default_address)
    given = block.get("reply-to")
    if given is None:
        lines += b"\r\n" + write("Reply-To", _plain(sender.contact))
    elif not given.strip():
        fields["reply-to"] = write("Reply-To", _plain(sender.contact))
    fields["from"] = lines
    return fields


_SPELLING = {
    "disposition-notification-to": "Disposition-Notification-To",
    "return-receipt-to": "Return-Receipt-To",
}


@lru_cache(maxsize=1024)
def _default_from(name: str, address: Address) -> bytes:
    words = displayname.words(displayname.without_at(name), "From")
    return write("From", *words, b"<%b>" % _plain(address))


def _plain(address: Address) -> bytes:
    return str(address).encode()


def _received(facts: Facts) -> bytes:
    """Where relayd took the message over. It names no client: the app's network is nobody's business
    (RFC 5321 section 7.6 allows to leave it out)."""
    protocol = b"UTF8SMTP" if facts.smtputf8 else b"ESMTP"
    return write(
        "Received",
        b"by " + facts.hostname.encode("ascii") + b" with " + protocol,
        b"id " + facts.message_id.encode("ascii") + b";",
        date(facts.received_at),
    )
