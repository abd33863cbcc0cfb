"""What can be proven of a domain, where it is looked for, and how: our keys, and the return paths there.

A *subject* is one such thing. Each is looked at and remembered by itself (`identity.domains`).
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from relayd.core.keyproof import Look, Seen
from relayd.core.mail import Proof
from relayd.core.phrases.domain import say
from relayd.core.policy import RETURN_HOST, Claim, return_host
from relayd.core.records import dkimkey
from relayd.core.records.answers import Found, Missing, Told, Trouble
from relayd.core.records.dkimkey import OurKey
from relayd.core.records.domainnotes import Code, Note
from relayd.identity import returnpaths
from relayd.identity.returnpaths import Egress
from relayd.identity.spf import Resolver

NOT_IN_STEP = "The domain's nameservers don't say the same yet: {servers}."


class Authority(Protocol):
    """Asks the nameservers of the zone itself; None where that can't be had."""

    async def txt(self, name: str) -> Told[str] | None: ...


class Nobody:
    """An authority that can't be asked: then what the resolver says counts."""

    async def txt(self, name: str) -> Told[str] | None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing that can be proven of a domain."""

    domain: str
    claim: Claim
    record: str  # the name at which it is published; no two subjects have the same
    fingerprint: str  # of what is looked for: what was believed of something else counts nothing
    publish: str  # what to publish there
    look: Callable[[], Awaitable[Seen]]


class Subjects:
    """Knows what is looked for in a domain."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        authority: Authority | None,
        return_path: str,
        include: str,
        egress: Egress,
        keys: Callable[[], Sequence[OurKey]],
    ) -> None:
        """As `Domains`."""
        self.egress = egress
        self._resolver = resolver
        self._authority = authority or Nobody()
        self._return_path = return_path
        self._include = include
        self._keys = keys

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """What is looked for, everywhere."""
        return (self.egress.fingerprint, *(key.fingerprint for key in self._keys()))

    def places(self, domain: str, claim: Claim) -> Sequence[tuple[str, str]]:
        """Where a claim is looked for, and what for: record and fingerprint."""
        match claim:
            case Proof.DKIM:
                return [(key.name(domain), key.fingerprint) for key in self._keys()]
            case _ if not self.egress.addresses:
                return []
            case Proof.SPF:
                return [(domain, self.egress.fingerprint)]
            case _:
                return [(_delegation(return_host(domain, self._return_path)), self.egress.fingerprint)]

    def of(self, domain: str) -> list[Subject]:
        """All there is to prove of a domain."""
        return [*self.keys(domain), *self._return_paths(domain)]

    def keys(self, domain: str) -> list[Subject]:
        keys = self._keys()
        return [
            Subject(
                domain=domain,
                claim=Proof.DKIM,
                record=key.name(domain),
                fingerprint=key.fingerprint,
                publish=f"as TXT: {key.record}",
                # A key that replaces another is used once everybody can see it: nothing is lost by waiting.
                look=functools.partial(self._look_for_key, key, domain, everywhere=key is not keys[-1]),
            )
            for key in keys
        ]

    def _return_paths(self, domain: str) -> list[Subject]:
        host, egress = return_host(domain, self._return_path), self.egress
        if not egress.addresses:
            return []
        look = functools.partial(returnpaths.leads_to_us, self._resolver, host, self._return_path, egress)
        return [
            Subject(
                domain=domain,
                claim=Proof.SPF,
                record=domain,
                fingerprint=egress.fingerprint,
                publish=f"include:{self._include} directly after v=spf1",
                look=functools.partial(returnpaths.passes, self._resolver, domain, egress),
            ),
            Subject(
                domain=domain,
                claim=RETURN_HOST,
                record=_delegation(host),
                fingerprint=egress.fingerprint,
                publish=f"a CNAME to {self._return_path}",
                look=look,
            ),
        ]

    async def _look_for_key(self, key: OurKey, domain: str, *, everywhere: bool) -> Seen:
        """At the domain's own nameservers, else by the resolver; `everywhere`: by both."""
        name = key.name(domain)
        told = await self._authority.txt(name)
        if told is not None and told.others:
            servers = ", ".join((*told.servers, *told.others))
            return Seen(look=Look.UNCLEAR, ttl=0, text=NOT_IN_STEP.format(servers=servers))
        if told is not None:
            seen = _judged(told.answer, key)
            if seen.look is not Look.YES or not everywhere:
                return seen
        # fresh: the answers are cached here, and the second clear no must be a new one
        return _judged(await self._resolver.txt(name, fresh=True), key)


def _delegation(host: str) -> str:
    """Told from the SPF record of a customer whose domain this host is."""
    return f"{host} MX"


def _judged(answer: Found[str] | Missing | Trouble, key: OurKey) -> Seen:
    match answer:
        case Found():
            verdict = dkimkey.judge(answer.records, key.public_key)
            return Seen(
                look=Look.YES if verdict.good else Look.NO, ttl=answer.ttl, text=say(verdict.note, "en")
            )
        case Missing():
            return Seen(look=Look.NO, ttl=answer.ttl, text=say(Note(Code.KEY_MISSING), "en"))
        case Trouble():
            return Seen(look=Look.UNCLEAR, ttl=0, text=f"DNS gives no usable answer: {answer.text}")
