"""E-mail addresses: one strict parser, one form.

The domain is kept as lower-case A-labels (IDNA 2008, UTS 46 non-transitional) from the moment it is
read, so that two spellings of a domain are one value and no library converts it again its own way:
IDNA 2003, which Python and others still use, turns `straße.example` into `strasse.example`, which is
somebody else.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import idna

LOCAL_MAX = 64  # octets, RFC 5321 section 4.5.3.1.1
DOMAIN_MAX = (
    253  # characters: the 255 octets of RFC 5321 section 4.5.3.1.2 and RFC 1035 count the DNS wire form
)
ADDRESS_MAX = 254  # octets: a path has 256 with its angle brackets, RFC 5321 section 4.5.3.1.3

_ATEXT = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]"
_UTEXT = _ATEXT.removesuffix("-]") + r"\x80-\U0010ffff-]"
_DOT_ATOM = re.compile(rf"{_ATEXT}++(?:\.{_ATEXT}++)*")
_DOT_ATOM_UTF8 = re.compile(rf"{_UTEXT}++(?:\.{_UTEXT}++)*")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PLAIN = re.compile(rf"(?P<local>{_ATEXT}++(?:\.{_ATEXT}++)*)@(?P<domain>{_LABEL}(?:\.{_LABEL})+)")
_QUOTED = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox as RFC 5321 writes it. `local` keeps its case and, where needed, its quotes."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def ascii(self) -> bool:
        """False when only a server with SMTPUTF8 (RFC 6531) can take it."""
        return self.local.isascii()


class AddressError(ValueError):
    """This is no address we can use. `text` says why and what to change; `enhanced` is the code for a
    recipient (RFC 3463, RFC 6531): 5.1.3 syntax, 5.1.2 domain, 5.6.7 needs SMTPUTF8."""

    def __init__(self, text: str, enhanced: str = "5.1.3") -> None:
        super().__init__(text)
        self.text = text
        self.enhanced = enhanced


def shown(value: str, limit: int = 80) -> str:
    """A value somebody sent, fit for a reply line or a log: printable ASCII, at most `limit` characters."""
    if len(value) <= limit and value.isascii() and value.isprintable():
        return value
    clean = "".join(c if " " <= c <= "~" else f"\\u{ord(c):04x}" for c in value[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."


@lru_cache(maxsize=4096)
def parse(text: str, *, smtputf8: bool = False) -> Address:
    """Read one mailbox (RFC 5321 section 4.1.2), without angle brackets and without display name.

    The domain may be written in any script; the local part only with `smtputf8` (RFC 6531). Unneeded quotes
    are dropped. Raises AddressError.
    """
    plain = _PLAIN.fullmatch(text)
    if plain is not None and len(text) <= ADDRESS_MAX and len(plain["local"]) <= LOCAL_MAX:
        return Address(plain["local"], _ascii_domain(plain["domain"], text))
    return _parse(text, smtputf8)


def parse_domain(text: str) -> str:
    """A host or domain name in any script to lower-case A-labels. Raises AddressError."""
    return _domain(text, text)


def _parse(text: str, smtputf8: bool) -> Address:
    seen = shown(text)
    if not text:
        raise AddressError("the address is empty: write local-part@domain")
    if len(text) > 4 * ADDRESS_MAX:  # in any script: nothing that long gets shorter than the limit
        raise AddressError(f'"{seen}" is longer than {ADDRESS_MAX} octets, the limit for an address')
    for c in text:
        if not c.isprintable():
            raise AddressError(
                f'"{seen}" holds the character U+{ord(c):04X}, which no address may hold: remove it'
            )
    if text.startswith("@"):
        raise AddressError(f'"{seen}" has a source route or no local part: write local-part@domain')
    local, at, domain = text.rpartition("@")
    if not at:
        raise AddressError(f'"{seen}" has no "@": write local-part@domain')
    local = _local(local, seen, smtputf8)
    domain = _domain(domain, text)
    if len(local.encode()) + 1 + len(domain) > ADDRESS_MAX:
        raise AddressError(f'"{seen}" is longer than {ADDRESS_MAX} octets, the limit for an address')
    return Address(local, domain)


def _local(text: str, seen: str, smtputf8: bool) -> str:
    if not text.isascii():
        if not smtputf8:
            raise AddressError(
                f'the local part of "{seen}" is not ASCII: '
                "say SMTPUTF8 with MAIL FROM, or use an ASCII address",
                "5.6.7",
            )
        text = unicodedata.normalize("NFC", text)
    dot_atom = _DOT_ATOM_UTF8 if smtputf8 else _DOT_ATOM
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        inner = _ESCAPE.sub(r"\1", quoted[1])
        plain = dot_atom.fullmatch(inner) is not None
        text = inner if plain else '"' + re.sub(r'(["\\])', r"\\\1", inner) + '"'
    elif dot_atom.fullmatch(text) is None:
        raise AddressError(_why_not_dot_atom(text, seen))
    if len(text.encode()) > LOCAL_MAX:
        raise AddressError(f'the local part of "{seen}" is longer than {LOCAL_MAX} octets: shorten it')
    return text


def _why_not_dot_atom(text: str, seen: str) -> str:
    if text.startswith(".") or text.endswith(".") or ".." in text:
        return f'the local part of "{seen}" has a dot at an end or two in a row: remove it, or add quotes'
    wrong = next((c for c in text if c != "." and c.isascii() and re.fullmatch(_ATEXT, c) is None), " ")
    return f'the local part of "{seen}" holds "{wrong}" outside quotes: remove it, or quote the local part'


def _domain(text: str, address: str) -> str:
    seen = shown(address)
    if text.startswith("["):
        raise AddressError(f'"{seen}" has an IP address in place of a domain: write the domain', "5.1.2")
    if not text:
        raise AddressError(f'"{seen}" has no domain: write local-part@domain', "5.1.2")
    if ":" in text:
        raise AddressError(f'"{seen}" has a port or colon in the domain: write the domain alone')
    if not text.isascii():
        text = _to_a_labels(text, seen)
    if text.endswith("."):
        raise AddressError(f'the domain of "{seen}" ends with a dot: remove it')
    if len(text) > DOMAIN_MAX:
        raise AddressError(f'the domain of "{seen}" is longer than {DOMAIN_MAX} characters', "5.1.2")
    if _HOST_NAME.fullmatch(text) is None:
        raise AddressError(
            f'the domain of "{seen}" is not a domain name: labels have 1 to 63 letters, digits or hyphens',
            "5.1.2",
        )
    if "." not in text:
        raise AddressError(f'the domain of "{seen}" has no dot: write the full domain', "5.1.2")
    return _ascii_domain(text, address)


def _to_a_labels(text: str, seen: str) -> str:
    try:
        return idna.encode(text, uts46=True, std3_rules=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise AddressError(
            f'the domain of "{seen}" is not a valid international domain name (IDNA 2008): '
            f"{shown(str(error), 120)}",
            "5.1.2",
        ) from None


def _ascii_domain(text: str, address: str) -> str:
    """Lower-case letters, digits, hyphens; what is left to look at are A-labels and IP addresses."""
    domain = text.lower()
    if "xn--" in domain:
        for label in domain.split("."):
            if label.startswith("xn--"):
                _check_a_label(label, shown(address))
    if domain.rpartition(".")[2].isdigit():
        raise AddressError(
            f'"{shown(address)}" ends with a number: write a domain, no IP address',
            "5.1.2",
        )
    return domain


def _check_a_label(label: str, seen: str) -> None:
    try:
        idna.ulabel(label)
    except (idna.IDNAError, UnicodeError) as error:
        raise AddressError(
            f'the domain of "{seen}" has the label "{label}", which is not valid IDNA 2008: '
            f"{shown(str(error), 120)}",
            "5.1.2",
        ) from None
