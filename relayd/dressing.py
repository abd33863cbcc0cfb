"""How a message goes out: plan, header block, signatures. Used at acceptance and on release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from relayd.core import headers, policy, tokens
from relayd.core.address import Address
from relayd.core.headers import Facts, HeaderBlock, HeaderRefused
from relayd.core.mail import Dressing, Message, Proof, Recipient, Rung, Submission
from relayd.core.policy import RETURN_HOST, Claim, Plan, Platform, Proven, Refusal, Tokened
from relayd.core.reasons import Reason
from relayd.core.sender import Sender
from relayd.core.settings import Settings
from relayd.core.todo import Outlook, Publish, outlook
from relayd.vault import SigningFailed, Vault

__all__ = ["Domains", "Dressed", "Dresser", "SigningFailed"]


class LoginRefused(Protocol):
    """Why a sender can't log in at its own server, by its id; a dictionary is one."""

    def get(self, sender: str, /) -> Reason | None: ...


class Domains(Protocol):
    """Knows what domains show of us in DNS."""

    def known(self, domain: str, claim: Claim) -> bool | None:
        """What was found lately; None when it has to be looked up."""
        ...

    async def proven(self, domain: str, claim: Claim) -> bool: ...

    def believed(self, domain: str, claim: Claim) -> bool:
        """What was found last, however long ago."""
        ...

    def selector(self, domain: str) -> str:
        """Which of our keys to sign with for this domain."""
        ...

    def withdrawn(self, domain: str, header: bytes) -> bool:
        """Whether it is signed with a key that is gone there, while another of ours is there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dressed:
    """A message as it will leave; `held` when it has to wait."""

    dressing: Dressing
    recipients: tuple[Recipient, ...]
    held: Reason | None


class Dresser:
    """Gathers what is proven, asks the policy, and makes the bytes. The same submission, id, time and proofs
    give the same bytes."""

    def __init__(
        self,
        *,
        vault: Vault,
        settings: Settings,
        domains: Domains,
        login_refused: LoginRefused,
    ) -> None:
        """`login_refused` says, by sender id, why an upstream no longer takes what we log in with. It is read
        at every dressing, so whoever learns of it keeps it current."""
        self._vault = vault
        self._domains = domains
        self._login_refused = login_refused
        self._hostname = settings.hostname
        self._platform = Platform(
            domain=settings.platform.domain,
            return_path=settings.platform.return_path or settings.platform.domain,
            selector=settings.platform.dkim.selector,
            send_unproven=settings.platform.if_unproven == "send",
            smarthost=settings.platform.smarthost is not None,
        )

    async def dress(
        self,
        submission: Submission,
        sender: Sender,
        message_id: str,
        now: datetime,
        block: HeaderBlock | None = None,
    ) -> Dressed | Refusal:
        """Dress a submission of `sender`. `block` is its parsed header, for callers that have it already.
        Raises SigningFailed."""
        try:
            block = block or headers.parse(submission.header)
            headers.check(block)
            header_from = headers.sender_of(block).address
        except HeaderRefused as refused:
            return refused.refusal
        plan = policy.plan(
            sender=sender,
            mail_from=submission.mail_from,
            header_from=header_from,
            proven=await self._proven(sender),
            platform=self._platform,
        )
        if isinstance(plan, Refusal):
            return plan
        return Dressed(
            dressing=Dressing(
                rung=plan.rung,
                proof=plan.proof,
                reason=plan.reason,
                header_from=plan.header_from,
                header=await self._header(block, plan, submission, sender, message_id, now),
            ),
            recipients=tuple(
                self._recipient(index, address, plan, sender, message_id)
                for index, address in enumerate(submission.recipients)
            ),
            held=plan.held,
        )

    async def stands(self, message: Message, sender: Sender) -> bool:
        """Does what entitles the message to its rung still hold, with the sender as it is now?"""
        return policy.stands(
            rung=message.dressing.rung,
            proof=message.dressing.proof,
            header_from=message.dressing.header_from,
            return_path=message.recipients[0].return_path,
            sender=sender,
            proven=await self._proven(sender, message.dressing.proof),
            platform=self._platform,
        )

    def outdated(self, message: Message, sender: Sender) -> bool:
        """It may leave as before, but signed with a key that receivers no longer find: another takes its
        place."""
        own = message.dressing.proof is Proof.DKIM
        domain = sender.contact.domain if own else self._platform.domain
        return self._domains.withdrawn(domain, message.dressing.header)

    def moved(self, message: Message, recipients: Sequence[Recipient]) -> tuple[Recipient, ...]:
        """Those of these recipients that would go by another hop now, with that hop: since the message was
        dressed, a smarthost came or went. The bytes stay."""
        if message.dressing.proof is None:
            return ()  # nothing is decided yet; the release dresses it
        rung, sender = message.dressing.rung, message.sender
        return tuple(
            replace(recipient, hop=hop)
            for recipient in recipients
            if (hop := policy.hop(rung, recipient.address, sender, self._platform)) != recipient.hop
        )

    def outlook(self, sender: Sender, publish: Publish) -> Outlook:
        """What a message with the own address in From would get now, from what is known without asking
        DNS."""
        domain = sender.contact.domain
        return outlook(
            sender=sender,
            proven=Proven(
                platform_key=self._domains.believed(self._platform.domain, Proof.DKIM),
                own_key=self._domains.believed(domain, Proof.DKIM),
                own_spf=self._domains.believed(domain, Proof.SPF),
                return_host=self._domains.believed(domain, RETURN_HOST),
                login_refused=self._login_refused.get(sender.id),
            ),
            platform=self._platform,
            publish=publish,
        )

    async def _proven(self, sender: Sender, by: Proof | None = None) -> Proven:
        """What is proven for a new message, or for one that was dressed by virtue of a proof."""
        wanted, domain = sender.send_as if sender.confirmed else Rung.DEFAULT, sender.contact.domain
        own = wanted is Rung.OWN
        needs_key = not (own and self._domains.known(domain, Proof.SPF))
        own_key = wanted is not Rung.DEFAULT and await self._shows(domain, Proof.DKIM, needed=needs_key)
        return Proven(
            platform_key=await self._shows(self._platform.domain, Proof.DKIM),
            own_key=own_key,
            # Only what can matter is asked for: SPF without a key, the return-path host with one.
            own_spf=((own and not own_key) or (by is Proof.SPF and wanted is not Rung.DEFAULT))
            and await self._shows(domain, Proof.SPF),
            return_host=(own or by is Proof.DKIM)
            and own_key
            and await self._shows(domain, RETURN_HOST, needed=False),
            login_refused=self._login_refused.get(sender.id),
        )

    async def _shows(self, domain: str, claim: Claim, *, needed: bool = True) -> bool:
        """Mail waits for DNS only where it can't do without, or where what was there may be gone; the rest
        is seen when the watch looks next."""
        known = self._domains.known(domain, claim)
        if known is None and (needed or self._domains.believed(domain, claim)):
            return await self._domains.proven(domain, claim)
        return bool(known)

    async def _header(
        self,
        block: HeaderBlock,
        plan: Plan,
        submission: Submission,
        sender: Sender,
        message_id: str,
        now: datetime,
    ) -> bytes:
        if plan.proof is None:
            return submission.header  # nothing is decided yet; the release dresses it
        facts = Facts(
            hostname=self._hostname,
            message_id=message_id,
            received_at=submission.received_at,
            smtputf8=submission.smtputf8,
        )
        try:
            header = headers.dress(block, plan, sender, facts)
        except ValueError as error:
            raise SigningFailed("the header can't be written") from error
        selectors = {domain: self._domains.selector(domain) for domain in plan.signs}
        signatures = await self._vault.sign(
            header, submission.body_hash, plan.signs, int(now.timestamp()), selectors
        )
        return signatures + header

    def _recipient(
        self, index: int, address: Address, plan: Plan, sender: Sender, message_id: str
    ) -> Recipient:
        match plan.return_path:
            case None:
                return_path = ""
            case Tokened(domain=domain):
                return_path = tokens.return_path(
                    self._vault.return_path_key, message=message_id, recipient=index, domain=domain
                )
            case Address() as fixed:
                return_path = str(fixed)
        hop = plan.hop(address, sender.id)
        return Recipient(index=index, address=address, hop=hop, return_path=return_path)
