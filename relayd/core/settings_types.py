"""The kinds of values that config keys have, each with the sentence that says what is expected.

A validator raises ValueError with that sentence, written to follow the word "expected".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer, PlainValidator, ValidationInfo

from relayd.core import address as addresses
from relayd.core.address import Address
from relayd.core.sender import Secret

DURATION = "a duration with its unit, such as 10s, 2m, 72h or 14d"
SIZE = "a size with its unit, such as 35MiB or 512KiB"
LINE = "a text that is not empty, on one line"
MAILBOX = "an e-mail address, such as billing@acme.example"
DOMAIN = "a full domain name, such as relay.example.net"
HOST = "a host name such as smtp.example.net, or an IP address"
IP = "an IP address, such as 127.0.0.1 or ::1"
NETWORK = "a network in CIDR form, such as 10.0.0.0/8 or fd00::/8"
NAMESERVER = (
    "the IP address of a name server, with its port if that isn't 53: "
    "192.0.2.53, 127.0.0.1:5353 or [::1]:5353"
)
TCP = "an IP address and a port, such as 127.0.0.1:8025 or [::1]:8025"
URL = "a web address without ? and #, such as https://relay.example.net; http only on this machine"
TOKEN = "a token of at least 20 characters without spaces; this makes one: openssl rand -hex 32"
SELECTOR = "a DKIM selector: lower-case letters, digits and hyphens, such as r1"
TENANT = "common, organizations, consumers, or the id or domain of one organisation at Microsoft"
PATH = "the path of a file"
FOLDER = "an absolute path, such as /var/lib/relayd"


@dataclass(frozen=True, slots=True)
class Says:
    """A type's sentence, in its annotation."""

    sentence: str


KEY = "key"
"""In the annotation of a path: the file holds a key, which may come as a systemd credential."""

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
# Ten years. Longer ones are a unit mistaken, and sums with dates must not overflow.
_LONGEST = timedelta(days=3650)
# Labels of letters, digits and inner hyphens (RFC 1123 section 2.1), at least two, the last not a number.
_HOSTNAME = re.compile(r"(?!.{254})(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+(?!\d+\Z)(?!-)[a-z0-9-]{1,63}(?<!-)")
_SELECTOR = re.compile(r"(?!.{100})(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def duration(value: object) -> timedelta:
    """`10s`, `2m`, `72h`, `14d`. A bare number has no unit and is refused."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h|d)", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(DURATION)
    result = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if result > _LONGEST:
        raise ValueError(f"{DURATION}; at most 3650d")
    return result


def brief(value: timedelta) -> str:
    """A duration as the config file writes it, in the largest unit that keeps it whole: `72h` is `3d`."""
    milliseconds = value // timedelta(milliseconds=1)
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def size(value: object) -> int:
    """`35MiB`, `512KiB`, or octets as a whole number."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    found = re.fullmatch(r"([0-9]{1,9})(KiB|MiB|GiB)", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(SIZE)
    return int(found[1]) << (10 * (("KiB", "MiB", "GiB").index(found[2]) + 1))


def brief_size(value: int) -> str:
    """A size as the config file writes it: `35MiB`."""
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if value and value % (1 << power) == 0:
            return f"{value >> power}{unit}"
    return str(value)


def secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("a text that is not empty")
    if _CONTROL.search(value):
        raise ValueError("a text without line breaks or other control characters")
    return Secret(value)


def line(value: str) -> str:
    if not value.strip() or _CONTROL.search(value):
        raise ValueError(LINE)
    if len(value) > 200:
        raise ValueError(f"{LINE}, of at most 200 characters")
    return value


def domain(value: str) -> str:
    """A domain name with at least one dot, as lower-case A-labels. Raises ValueError."""
    try:
        name = addresses.parse_domain(value)
    except addresses.AddressError:
        name = ""
    if not _HOSTNAME.fullmatch(name):
        raise ValueError(DOMAIN)
    return name


def host(value: str) -> str:
    """A domain name, an IP address, or `localhost`."""
    if value == "localhost" or is_ip(value):
        return value
    try:
        return domain(value)
    except ValueError:
        raise ValueError(HOST) from None


def is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return "%" not in value  # scoped addresses (fe80::1%eth0) name an interface, not a host


def ip(value: str) -> str:
    if not is_ip(value):
        raise ValueError(IP)
    return str(ipaddress.ip_address(value))


def mailbox(value: object) -> Address:
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise ValueError(MAILBOX)
    try:
        return addresses.parse(value)
    except addresses.AddressError as error:
        if error.enhanced == "5.6.7":  # whose sentence is about a command of SMTP
            raise ValueError(MAILBOX.replace("address", "address in ASCII", 1)) from None
        raise ValueError(f"{MAILBOX} ({error.text})") from None


def network(value: object) -> Network:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    try:
        if not isinstance(value, str):
            raise ValueError
        return ipaddress.ip_network(value)
    except ValueError as error:
        hint = f" ({error})" if "host bits" in str(error) else ""
        raise ValueError(f"{NETWORK}{hint}") from None


def nameserver(value: str) -> str:
    """`192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53` or `[2001:db8::53]:5353`."""
    name, port = value, ""
    if found := re.fullmatch(r"\[([^\]]+)\]:([0-9]{1,5})|([^:]+):([0-9]{1,5})", value):
        name, port = found[1] or found[3], found[2] or found[4]
    if not is_ip(name) or (port and not 0 < int(port) < 65536):
        raise ValueError(NAMESERVER)
    return value


def tcp(value: str) -> str:
    """`127.0.0.1:8025` or `[::1]:8025`; `address_and_port` takes it apart."""
    try:
        address_and_port(value)
    except ValueError:
        raise ValueError(TCP) from None
    return value


def address_and_port(value: str) -> tuple[str, int]:
    """The two halves of a `Tcp`. Raises ValueError."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})", value)
    if found is None or not is_ip(found[1] or found[2]) or not 0 < int(found[3]) < 65536:
        raise ValueError(TCP)
    return found[1] or found[2], int(found[3])


def url(value: str) -> str:
    """Where people reach us: https, or http on this machine; without the slash at its end."""
    found = re.fullmatch(
        r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(/[!$-;=@-Z_a-z~]*)?", value
    )
    if found is None:
        raise ValueError(URL)
    name = found[2].strip("[]")
    here = name == "localhost" or (is_ip(name) and ipaddress.ip_address(name).is_loopback)
    if found[1] == "http" and not here:
        raise ValueError(URL)
    return value.rstrip("/")


def token(value: object) -> Secret:
    """A secret that can't be guessed: who may ask the API has nothing but this to show."""
    found = secret(value)
    if not re.fullmatch(r"[!-~]{20,512}", found.value):
        raise ValueError(TOKEN)
    return found


def tenant(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}", value):
        raise ValueError(TENANT)
    return value


def selector(value: str) -> str:
    if not _SELECTOR.fullmatch(value):
        raise ValueError(SELECTOR)
    return value


def _in(folder: str) -> Callable[[str, ValidationInfo], str]:
    """A path; a relative one starts in the folder that the loader gives as context under this name."""

    def place(value: str, info: ValidationInfo) -> str:
        if not value or _CONTROL.search(value):
            raise ValueError(PATH)
        start = info.context.get(folder) if info.context else None
        return value if start is None or value.startswith("/") else f"{start.rstrip('/')}/{value}"

    return place


def _absolute(value: str) -> str:
    if not value.startswith("/") or _CONTROL.search(value):
        raise ValueError(FOLDER)
    return value.rstrip("/") or "/"


def _masked(_: Secret) -> str:
    return "***"


Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Duration = Annotated[timedelta, Says(DURATION), PlainValidator(duration), PlainSerializer(brief)]
Size = Annotated[int, Says(SIZE), PlainValidator(size), PlainSerializer(brief_size)]
SecretText = Annotated[Secret, Says("a text"), PlainValidator(secret), PlainSerializer(_masked)]
Mailbox = Annotated[Address, Says(MAILBOX), PlainValidator(mailbox), PlainSerializer(str)]
Cidr = Annotated[Network, Says(NETWORK), PlainValidator(network), PlainSerializer(str)]
Line = Annotated[str, Says(LINE), AfterValidator(line)]
Domain = Annotated[str, Says(DOMAIN), AfterValidator(domain)]
Host = Annotated[str, Says(HOST), AfterValidator(host)]
Ip = Annotated[str, Says(IP), AfterValidator(ip)]
Nameserver = Annotated[str, Says(NAMESERVER), AfterValidator(nameserver)]
Tcp = Annotated[str, Says(TCP), AfterValidator(tcp)]
Url = Annotated[str, Says(URL), AfterValidator(url)]
TokenText = Annotated[Secret, Says(TOKEN), PlainValidator(token), PlainSerializer(_masked)]
Tenant = Annotated[str, Says(TENANT), AfterValidator(tenant)]
Selector = Annotated[str, Says(SELECTOR), AfterValidator(selector)]
Folder = Annotated[str, Says(FOLDER), AfterValidator(_absolute)]
StatePath = Annotated[str, Says(PATH), AfterValidator(_in("state"))]
RuntimePath = Annotated[str, Says(PATH), AfterValidator(_in("runtime"))]
LogPath = Annotated[str, Says(PATH), AfterValidator(_in("logs"))]
KeyPath = Annotated[str, Says(PATH), KEY, AfterValidator(_in("state"))]
