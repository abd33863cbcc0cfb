"""Evidence: what a server said, or what happened instead of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where in the dialogue something was said or happened."""

    DNS = "dns"
    CONNECT = "connect"
    BANNER = "banner"
    EHLO = "ehlo"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"  # the upload, before the final dot was handed to the network
    END = "end"  # after the final dot: the answer that decides


class FaultKind(StrEnum):
    """What happened instead of an answer."""

    REFUSED = "refused"  # connection refused or reset while connecting
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    CLOSED = "closed"  # the far side went away in mid-dialogue
    DNS = "dns"  # no answer from DNS, or an unusable one; never proof that a domain is missing
    NO_DOMAIN = "no_domain"  # DNS says clearly: no such domain, or nothing there takes mail
    NULL_MX = "null_mx"  # RFC 7505
    LOOP = "loop"  # the best MX is ourselves
    FORBIDDEN = "forbidden"  # the egress guard refuses the address
    TLS = "tls"  # handshake or certificate failed
    TLS_REQUIRED = "tls_required"  # TLS is required and not offered
    PROTOCOL = "protocol"  # an answer that is not SMTP
    TOO_BIG = "too_big"  # larger than the SIZE the server announced (RFC 1870)
    SMTPUTF8 = "smtputf8"  # a UTF-8 address and no SMTPUTF8 (RFC 6531)
    MECHANISM = "mechanism"  # no login mechanism in common
    INTERNAL = "internal"  # a fault of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server answered (RFC 5321 section 4.2). `text` is cleaned: printable, capped, lines kept."""

    code: int
    enhanced: str | None  # "5.1.1" (RFC 3463), or None when the server gave none
    text: str
    stage: Stage
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happened instead of an answer. `text` is for people, cleaned as in `Reply`."""

    kind: FaultKind
    text: str
    stage: Stage
    host: str


Evidence = Reply | Fault
