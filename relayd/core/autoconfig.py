"""Reads the settings that a domain publishes for mail programs (Mozilla's config-v1.1.xml).

Whoever controls the domain writes the file, so it is hostile: no document type and so no entities, little
depth and little text; only what is needed is looked at, and nothing of it is shown to anybody as it came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.parsers import expat

from relayd.core.address import Address, AddressError, parse_domain
from relayd.core.sender import Tls

DEPTH = 12
"""Of elements in each other. The files of Mozilla's ISPDB have 5."""
TEXT = 1000
"""Characters of one value."""
SERVERS = 10
"""That are taken from one file; the ISPDB's longest has 3 for sending."""

_SERVER = ("clientConfig", "emailProvider", "outgoingServer")
_VALUES = ("hostname", "port", "socketType", "username", "authentication")
_TLS = {"SSL": Tls.IMPLICIT, "STARTTLS": Tls.STARTTLS}
_USERNAME = re.compile(r"[!-~]{1,255}")


class NotSettings(ValueError):
    """What came is no file of settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One submission server of the file. Those without TLS are left out: no password goes there."""

    host: str
    port: int
    tls: Tls
    username: str | None  # for the address asked about; None where the file says none
    oauth_only: bool


def read(octets: bytes, address: Address) -> tuple[Published, ...]:
    """The servers for mail from programs, in the order of the file. Raises NotSettings."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _no_document_type
    parser.StartElementHandler = reader.start
    parser.CharacterDataHandler = reader.text
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(octets, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise NotSettings("what was published is no file of settings") from error
    found = (_published(values, address) for values in reader.servers)
    return tuple(server for server in found if server is not None)


def _no_document_type(*_: object) -> None:
    raise NotSettings("a document type, which may hide anything")


class _Reader:
    """Gathers the values of the servers for sending, and looks at nothing else."""

    def __init__(self) -> None:
        self.servers: list[Mapping[str, list[str]]] = []
        self._path: list[str] = []
        self._server: dict[str, list[str]] | None = None
        self._value: list[str] | None = None

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > DEPTH:
            raise NotSettings("elements in elements in elements")
        if tuple(self._path) == _SERVER and attributes.get("type") == "smtp":
            self._server = {}
        elif self._server is not None and len(self._path) == len(_SERVER) + 1 and name in _VALUES:
            self._value = []

    def text(self, data: str) -> None:
        if self._value is not None:
            self._value.append(data)
            if sum(map(len, self._value)) > TEXT:
                raise NotSettings("a value without end")

    def end(self, name: str) -> None:
        inside = len(self._path) == len(_SERVER) + 1
        self._path.pop()
        if self._server is None:
            return
        if inside and self._value is not None:
            self._server.setdefault(name, []).append("".join(self._value).strip())
            self._value = None
        elif len(self._path) < len(_SERVER):
            if len(self.servers) < SERVERS:
                self.servers.append(self._server)
            self._server = None


def _published(values: Mapping[str, list[str]], address: Address) -> Published | None:
    """None for what isn't fit for a login: no host, no port, no TLS."""
    first = {name: texts[0] for name, texts in values.items() if texts}
    tls = _TLS.get(first.get("socketType", "").upper())
    port = first.get("port", "")
    if tls is None or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        return None
    try:
        host = parse_domain(_filled(first.get("hostname", ""), address))
    except AddressError:
        return None
    username = _filled(first["username"], address) if first.get("username") else None
    if username is not None and not _USERNAME.fullmatch(username):
        return None
    return Published(
        host=host,
        port=int(port),
        tls=tls,
        username=username,
        oauth_only=values.get("authentication") == ["OAuth2"],
    )


def _filled(text: str, address: Address) -> str:
    parts = {"ADDRESS": str(address), "LOCALPART": address.local, "DOMAIN": address.domain}
    return re.sub("%EMAIL(ADDRESS|LOCALPART|DOMAIN)%", lambda found: parts[found[1]], text)
