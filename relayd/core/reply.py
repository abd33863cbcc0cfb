"""Evidence: what a server said, or what happened instead of an answer."""

from __future__ import annotations

import re
import unicodedata
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
    TOKEN = "token"  # no access token: a person has to sign in at the provider
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

CAP = 500
"""Characters of a remote text that are kept. Google's longest known refusal has 430."""

# Terminal escape sequences as a whole (ECMA-48 sections 5.4 and 5.6): a stranger's text must neither
# colour, rename nor clear the terminal of whoever reads it. Without the introducer the rest would stay as
# litter ("[31m"), so they go before the control characters do. No repetition is nested: linear.
_ESCAPE = re.compile(r"(?:\x1b\[|\x9b)[0-?]{0,32}[ -/]{0,8}[@-~]?|\x1b[\]PX^_][^\x07\x1b\n]{0,200}|\x1b.?")

# RFC 2034 section 4: the enhanced code stands first on each line, then a space. Cisco writes #5.1.1.
_PREFIX = re.compile(r"#?([245])\.(\d{1,3})\.(\d{1,3})(?=[\s:;,]|$)[:;,]?\s{0,4}", re.ASCII)

# qmail ends its sentence with it: "sorry, no mailbox here by that name. (#5.1.1)"
_SUFFIX = re.compile(r"\(#([245]\.\d{1,3}\.\d{1,3})\)")


def clean(text: str) -> str:
    """Make a stranger's text safe to store and to show: printable characters only, at most `CAP` of them,
    lines kept and trimmed, empty ones dropped. What is too long loses its middle, because United Internet
    puts the decisive words last (postmaster.gmx.com/en/error-messages) and others put them first."""
    plain = _ESCAPE.sub("", text[: 64 * CAP])  # a reply of that size is no longer one
    lines = ("".join(_shown(c) for c in line).split() for line in plain.replace("\r", "\n").split("\n"))
    kept = "\n".join(" ".join(words) for words in lines if words)
    if len(kept) > CAP:
        kept = kept[: CAP // 2].rstrip() + "…" + kept[-(CAP - CAP // 2 - 1) :]
    return kept


def _shown(character: str) -> str:
    """Invisible ones vanish: they hide within words ("spam\u200bhaus") or turn the text around."""
    if character.isprintable():
        return character
    return "" if unicodedata.category(character) == "Cf" else " "


def split_enhanced(code: int, text: str) -> tuple[str | None, str]:
    """Take the enhanced code (RFC 3463) off the front of each line. It counts only when its class agrees with
    the reply's first digit (RFC 2034 section 4); the first one that does is returned."""
    found: str | None = None
    lines = []
    for line in text.split("\n"):
        prefix = _PREFIX.match(line)
        if prefix is not None and int(prefix[1]) == code // 100:
            found = found or f"{prefix[1]}.{int(prefix[2])}.{int(prefix[3])}"
            line = line[prefix.end() :]
        lines.append(line)
    if found is None:
        suffix = _SUFFIX.search(text)
        if suffix is not None and int(suffix[1][0]) == code // 100:
            found = suffix[1]
    return found, "\n".join(line for line in lines if line)


def reply(code: int, text: str, *, stage: Stage, host: str) -> Reply:
    """A reply from what the wire gave: the text as it came, without the codes in front of its lines."""
    enhanced, rest = split_enhanced(code, clean(text))
    return Reply(code=code, enhanced=enhanced, text=rest, stage=stage, host=host)


# "host mx.example.com[192.0.2.1] said: 550 …" (Postfix), "host mx.example.com [192.0.2.1]: 550 …" (Exim).
_HOST = re.compile(r"\bhost ([A-Za-z0-9.-]{1,255})[\s\[]")
_IN_REPLY = re.compile(r"\(in reply to (?:the )?([A-Za-z ]{1,40}?)(?: command)?\)", re.IGNORECASE)
_AFTER = re.compile(r"\bafter (?:pipelined )?(initial connection|MAIL FROM|RCPT TO|DATA|end of data)\b")
_STAGES = {
    "initial connection": Stage.BANNER,
    "ehlo": Stage.EHLO,
    "helo": Stage.EHLO,
    "starttls": Stage.TLS,
    "auth": Stage.AUTH,
    "mail from": Stage.MAIL,
    "rcpt to": Stage.RCPT,
    "data": Stage.DATA,
    "end of data": Stage.END,
}

# A reply code: best where an enhanced code of the same class follows, else not where a port number stands.
_CODES = (
    re.compile(r"(?<![\d.])(([245])\d\d)[ -](?=#?\2\.\d{1,3}\.\d{1,3}\b)"),
    re.compile(r"(?<![\d.:])([2-5]\d\d)(?:[ -]|$)"),
    re.compile(r"(?<![\d.])([2-5]\d\d)(?:[ -]|$)"),
)


def parse_line(text: str, *, stage: Stage | None = None, host: str = "") -> Reply:
    """Read a reply that a person pasted: with several lines (`550-5.1.1 …`), from a bounce ("host X said:
    …"), or from a log that put the lines on one. The stage, unless given, is taken from the words around it
    or guessed from the code. Raises ValueError when there is no reply code in it."""
    pasted = text[: 64 * CAP]
    named = _HOST.search(pasted)
    told = _IN_REPLY.search(pasted)
    if told is not None:
        pasted = pasted[: told.start()] + pasted[told.end() :]
    said = pasted.rfind("said: ") + len("said: ") if "said: " in pasted else 0
    found = next((match for pattern in _CODES if (match := pattern.search(pasted, said))), None)
    if found is None:
        raise ValueError(
            f'no reply code in "{clean(text)[:80]}": expected a line such as "550 5.1.1 no such user here"'
        )
    code = int(found[1])
    told = told or _AFTER.search(pasted, 0, found.start())
    if stage is None:
        stage = (told and _STAGES.get(told[1].lower())) or _guess(code)
    # The same code begins each line; what stands before the first of them is not the server's.
    lines = re.compile(rf"(?:^|(?<=[^\d.])){code}(?:[ -]|$)")
    first = lines.search(pasted, said) or found
    body = pasted[first.end() :]
    if first[0].endswith("-"):
        body = re.sub(rf"\s{code}(?:[ -]|$)", "\n", body)
    return reply(code, body, stage=stage, host=host or (named[1].lower() if named is not None else ""))


def _guess(code: int) -> Stage:
    """Where a code is usually heard (RFC 5321 section 4.3.2, RFC 4954 section 6)."""
    if code in (432, 454, 530, 534, 535, 538):
        return Stage.AUTH
    return Stage.RCPT if code in (450, 550, 551, 553, 556) else Stage.END
