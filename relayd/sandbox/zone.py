"""An authoritative DNS server on loopback, for a zone given as text or data, with faults on demand.

relayd's own resolver is pointed at it with `dns.nameservers`. dnspython gives the wire format; nothing here
goes through `net`, because this is the far side.
"""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

_TTL = 60
_CNAME_STEPS = 8  # a loop in the data must not become a loop here
_SOA = "ns.sandbox. hostmaster.sandbox. 1 3600 600 86400 60"


class DnsFault(StrEnum):
    """What a name server can do instead of answering."""

    SERVFAIL = "servfail"
    REFUSED = "refused"
    SILENCE = "silence"  # no answer, ever
    TRUNCATED = "truncated"  # over UDP only the TC flag; over TCP the whole answer
    TRUNCATED_FOR_GOOD = "truncated_for_good"  # ... and TCP closes without an answer
    GARBAGE = "garbage"  # octets that are not DNS
    LAME = "lame"  # NOERROR without authority, without answer: a delegation that leads nowhere


@dataclass(frozen=True, slots=True)
class Query:
    """One question as it came in. `name` is lower case, without the final dot."""

    name: str
    kind: str
    transport: str  # "udp" | "tcp"


class Zone:
    """Names and their records. Changes show in the next answer.

    Text has one record a line, `NAME TYPE VALUE`, as in a zone file with absolute names and no TTL; lines
    that start with `#` are comments. The name of a PTR may be written as the IP address itself:

        acme.example        MX   10 mx.acme.example
        mx.acme.example     A    127.0.0.2
        127.0.0.2           PTR  mx.acme.example
        r1._domainkey.acme.example TXT "v=DKIM1; p=..."
    """

    def __init__(self, text: str = "") -> None:
        # each (name, kind) has a list of turns; a query takes the first, and only the last turn stays
        self._turns: dict[tuple[str, str], list[tuple[str, ...]]] = {}
        self._faults: dict[tuple[str, str | None], DnsFault] = {}
        for line in text.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                name, kind, value = line.split(None, 2)
                self.add(name, kind, value.strip())

    @classmethod
    def of(cls, records: Mapping[str, Mapping[str, Iterable[str]]]) -> Self:
        """From data: `{"acme.example": {"MX": ["10 mx.acme.example"]}}`."""
        zone = cls()
        for name, kinds in records.items():
            for kind, values in kinds.items():
                zone.add(name, kind, *values)
        return zone

    def add(self, name: str, kind: str, *values: str) -> None:
        """Add records. A TXT value without quotes is taken as it is and split into strings of 255 octets."""
        held = self._turns.setdefault(_key(name, kind), [()])
        held[-1] = (*held[-1], *(_value(kind, value) for value in values))

    def set(self, name: str, kind: str, *values: str) -> None:
        """Replace all records of that kind. Without values the name stays and answers with no data."""
        self._turns[_key(name, kind)] = [tuple(_value(kind, value) for value in values)]

    def turns(self, name: str, kind: str, *answers: Iterable[str]) -> None:
        """Answers that change: the first question gets the first one, the last one stays."""
        self._turns[_key(name, kind)] = [tuple(_value(kind, value) for value in answer) for answer in answers]

    def remove(self, name: str, kind: str | None = None) -> None:
        """Take records away; without `kind` the name is gone (NXDOMAIN, unless names below it are left)."""
        owner = _owner(name, kind or "")
        for key in [key for key in self._turns if key[0] == owner and kind in (None, key[1])]:
            del self._turns[key]

    def fault(self, name: str, fault: DnsFault | None, kind: str | None = None) -> None:
        """From now on, answer questions for `name` (`*`: any name) with a fault; None ends it."""
        key = ("*" if name == "*" else _owner(name, kind or ""), kind)
        if fault is None:
            self._faults.pop(key, None)
        else:
            self._faults[key] = fault

    def fault_for(self, name: str, kind: str) -> DnsFault | None:
        for key in ((name, kind), (name, None), ("*", kind), ("*", None)):
            if key in self._faults:
                return self._faults[key]
        return None

    def values(self, name: str, kind: str) -> tuple[str, ...]:
        """The records a question gets now; moves on to the next turn."""
        turns = self._turns.get(_key(name, kind))
        if not turns:
            return ()
        return turns.pop(0) if len(turns) > 1 else turns[0]

    def exists(self, name: str) -> bool:
        """RFC 8020: a name exists when it or any name below it has records."""
        owner = name.lower().rstrip(".")
        return any(held == owner or held.endswith(f".{owner}") for held, _ in self._turns)


class NameServer:
    """Serves a zone over UDP and TCP on one port of loopback; use as an async context manager."""

    def __init__(self, zone: Zone, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.zone = zone
        self.queries: list[Query] = []
        self._host, self._port = host, port
        self._tcp: asyncio.Server | None = None
        self._udp: asyncio.DatagramTransport | None = None
        self._asked: dict[tuple[str, str], int] = defaultdict(int)

    @property
    def host(self) -> str:
        return self._host

    @property
    def port(self) -> int:
        return self._port

    @property
    def address(self) -> str:
        """As `dns.nameservers` takes it: `127.0.0.1:5353`."""
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    def asked(self, name: str, kind: str) -> int:
        """How often this question came."""
        return self._asked[name.lower().rstrip("."), kind]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen. With port 0 the kernel picks one that is free for TCP; UDP must get the same."""
        loop = asyncio.get_running_loop()
        for left in reversed(range(20)):
            tcp = await asyncio.start_server(self._serve_tcp, self._host, self._port)
            port = tcp.sockets[0].getsockname()[1]
            try:
                udp, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), local_addr=(self._host, port)
                )
            except OSError:
                tcp.close()
                if self._port or not left:
                    raise
                continue
            self._tcp, self._udp, self._port = tcp, udp, port
            return

    async def close(self) -> None:
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()

    def answer(self, wire: bytes, transport: str) -> bytes | None:
        """The answer to one question in wire form, or None for silence."""
        try:
            question = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError):
            return None
        asked = question.question[0]
        name, kind = asked.name.to_text().lower().rstrip("."), dns.rdatatype.to_text(asked.rdtype)
        self.queries.append(Query(name, kind, transport))
        self._asked[name, kind] += 1
        fault = self.zone.fault_for(name, kind)
        match fault:
            case DnsFault.SILENCE:
                return None
            case DnsFault.GARBAGE:
                return wire[:2] + b"\xff" * 30
            case DnsFault.TRUNCATED | DnsFault.TRUNCATED_FOR_GOOD if transport == "udp":
                return self._reply(question, truncated=True).to_wire()
            case DnsFault.TRUNCATED_FOR_GOOD:
                return None
            case DnsFault.SERVFAIL:
                return self._reply(question, rcode=dns.rcode.SERVFAIL).to_wire()
            case DnsFault.REFUSED:
                return self._reply(question, rcode=dns.rcode.REFUSED).to_wire()
            case DnsFault.LAME:
                return self._reply(question, authoritative=False).to_wire()
        reply = self._resolve(question, name, kind)
        room = 65535 if transport == "tcp" else max(512, question.payload)
        try:
            return reply.to_wire(max_size=room)
        except dns.exception.TooBig:
            return self._reply(question, truncated=True).to_wire()

    def _reply(
        self,
        question: dns.message.Message,
        *,
        rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
        truncated: bool = False,
        authoritative: bool = True,
    ) -> dns.message.Message:
        reply = dns.message.make_response(question)
        reply.set_rcode(rcode)
        if authoritative:
            reply.flags |= dns.flags.AA
        if truncated:
            reply.flags |= dns.flags.TC
        return reply

    def _resolve(self, question: dns.message.Message, name: str, kind: str) -> dns.message.Message:
        reply = self._reply(question)
        for _ in range(_CNAME_STEPS):
            if values := self.zone.values(name, kind):
                reply.answer.append(_rrset(name, kind, values))
                return reply
            alias = self.zone.values(name, "CNAME") if kind != "CNAME" else ()
            if not alias:
                break
            reply.answer.append(_rrset(name, "CNAME", alias))
            name = alias[0].lower().rstrip(".")
        if not self.zone.exists(name):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        reply.authority.append(_rrset("", "SOA", (_SOA,)))
        return reply

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = self.answer(await reader.readexactly(length), "tcp")
                if answer is None:
                    return
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # the selector loop's is no subclass

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data, "udp")
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


def _owner(name: str, kind: str) -> str:
    if kind == "PTR":
        try:
            return dns.reversename.from_address(str(ipaddress.ip_address(name))).to_text().rstrip(".")
        except ValueError:
            pass
    return name.lower().rstrip(".")


def _key(name: str, kind: str) -> tuple[str, str]:
    return _owner(name, kind), kind


def _value(kind: str, value: str) -> str:
    if kind != "TXT" or value.startswith('"'):
        return value
    parts = [value[at : at + 255] for at in range(0, max(len(value), 1), 255)]
    return " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)


def _rrset(name: str, kind: str, values: Iterable[str]) -> dns.rrset.RRset:
    rdatas = [
        dns.rdata.from_text(
            dns.rdataclass.IN, dns.rdatatype.from_text(kind), value, origin=dns.name.root, relativize=False
        )
        for value in values
    ]
    return dns.rrset.from_rdata_list(dns.name.from_text(name or "."), _TTL, rdatas)
