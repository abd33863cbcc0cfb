"""SPF with DNS behind it: `core.records.spf` says what to ask, the resolver says what there is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from relayd.core.address import Address
from relayd.core.records import spf, spfadvice, spfsurvey
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.records.spf import Answer, Asking, Client, Question, Result, Type
from relayd.core.records.spfadvice import Advice

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds for one evaluation (RFC 7208 section 4.6.4 asks for at least 20); after that every further answer
is trouble, so it ends as a temperror."""

ADDRESSES = 64
"""Addresses of one host that are looked at. More than the few that a connection is tried to: a receiver
compares with all of them."""


class Resolver(Protocol):
    async def txt(self, name: str, *, fresh: bool = False) -> Found[str] | Missing | Trouble: ...
    async def mx(
        self, domain: str, *, fresh: bool = False, most: int = ...
    ) -> Found[Mx] | Missing | Trouble: ...
    async def ptr(self, ip: str) -> Found[str] | Missing | Trouble: ...
    async def addresses(
        self, host: str, families: Sequence[str] = ..., *, fresh: bool = False, most: int = ...
    ) -> Found[str] | Missing | Trouble: ...


async def answered(asking: Asking[T], resolver: Resolver, *, fresh: bool = False) -> T:
    """Drive an evaluation to its end. `fresh` asks anew, past what the resolver remembers."""
    ends = asyncio.get_running_loop().time() + PATIENCE
    answer: Answer | None = None
    while True:
        try:
            # a generator that has not begun takes None alone
            question = next(asking) if answer is None else asking.send(answer)
        except StopIteration as ended:
            result: T = ended.value
            return result
        try:
            async with asyncio.timeout_at(ends):
                answer = await _asked(resolver, question, fresh)
        except TimeoutError:
            answer = Trouble(text=f"SPF took longer than {PATIENCE:g} seconds to look up")


async def evaluate(
    resolver: Resolver, *, mail_from: Address, hostname: str, egress: Sequence[str], fresh: bool = False
) -> Mapping[str, Result]:
    """What SPF comes to for mail with this return path, for each of the addresses it may leave from. All at
    once: mail may wait for it, and what a customer's nameservers take must not count several times."""
    clients = [Client(ip=ip, sender=str(mail_from), helo=hostname) for ip in egress]
    asked = [answered(spf.check(client), resolver, fresh=fresh) for client in clients]
    return dict(zip(egress, await asyncio.gather(*asked), strict=True))


async def advice(
    resolver: Resolver, *, mail_from: Address, hostname: str, egress: Sequence[str], include: str
) -> Advice:
    """What the owner of the return path's domain should publish, so that mail from these addresses passes;
    `include` is the domain that customers include (`platform.spf_include`)."""
    client = Client(ip=egress[0] if egress else "192.0.2.1", sender=str(mail_from), helo=hostname)
    own = await answered(spfsurvey.survey(mail_from.domain, client), resolver)
    ours = await answered(spfsurvey.survey(include, client), resolver)
    results = await evaluate(resolver, mail_from=mail_from, hostname=hostname, egress=egress)
    return spfadvice.advise(own=own, ours=ours, results=results)


async def _asked(resolver: Resolver, question: Question, fresh: bool) -> Answer:
    match question.type:
        case Type.TXT:
            return await resolver.txt(question.name, fresh=fresh)
        case Type.MX:
            return await resolver.mx(question.name, fresh=fresh, most=spf.NAMES + 1)
        case Type.PTR:
            return await resolver.ptr(question.name)
        case Type.A:
            return await resolver.addresses(question.name, ("ipv4",), fresh=fresh, most=ADDRESSES)
        case Type.AAAA:
            return await resolver.addresses(question.name, ("ipv6",), fresh=fresh, most=ADDRESSES)
