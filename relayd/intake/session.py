"""One client's side of the dialogue: who it is, what it is about to send, and the message coming in."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from relayd.core import answer
from relayd.core.address import Address, shown
from relayd.core.answer import Answer
from relayd.core.commands import Credentials, MailFrom
from relayd.core.content import ContentRefused, Settler
from relayd.core.mail import RefusedRecipient, Submission
from relayd.core.reasons import Reason
from relayd.core.refusal import Refusal
from relayd.core.sender import Sender
from relayd.core.settings import Limits
from relayd.crashpoints import crashpoint
from relayd.intake.accept import Acceptor, Outcome, store_fault
from relayd.intake.logins import ANYBODY, Failures, Identity, Logins
from relayd.net.smtpd_terms import Peer
from relayd.store.contract import CHUNK, Receiving, StoreError

ADDRESS_SHOWN = 320  # characters of an address that does not parse, as RefusedRecipient has it


class Session:
    """What net/smtpd asks, for one connection."""

    def __init__(
        self,
        *,
        peer: Peer,
        acceptor: Acceptor,
        logins: Logins,
        failures: Failures,
        limits: Limits,
        lmtp: bool,
    ) -> None:
        self._acceptor = acceptor
        self._logins = logins
        self._failures = failures
        self._peer = peer
        self._limits = limits
        self._lmtp = lmtp
        self._known = logins.of_process(peer.uid)
        self._forget()

    @property
    def logged_in(self) -> bool:
        return self._known is not None

    @property
    def _identity(self) -> Identity:
        return self._known or ANYBODY

    def log_in(self, credentials: Credentials) -> Answer:
        if self._failures.too_many(self._peer):
            return answer.LOGIN_BLOCKED()
        found = self._logins.check(credentials)
        if found is None:
            self._failures.add(self._peer)
            return answer.LOGIN_FAILED()
        self._known = found
        return answer.LOGGED_IN()

    def mail(self, mail: MailFrom) -> Answer | None:
        self._forget()
        if self._acceptor.store.low_on_space(self._limits.message_size):
            return answer.FULL()
        self._mail = mail
        self._sender = self._acceptor.senders.early(self._identity.may_be, mail.address)
        return None

    def rcpt(self, address: Address) -> Answer | Coroutine[Any, Any, Answer]:
        if address in self._recipients:
            self._said.append(address)
            return answer.RCPT_OK()
        if self._full:
            return answer.TOO_MANY_RCPT(self._limits.recipients)
        if self._sender is not None and self._acceptor.looks(self._sender):
            return self._looked_at(address, self._sender)
        return self._taken(address)

    async def _looked_at(self, address: Address, sender: Sender) -> Answer:
        refusal = await self._acceptor.impossible(address, sender)
        if refusal is not None:
            self._note(str(address), refusal)
            return answer.refused(refusal)
        return self._taken(address)

    def _taken(self, address: Address) -> Answer:
        self._recipients[address] = None
        self._said.append(address)
        return answer.RCPT_OK()

    def refuse(self, written: str, answer_: Answer) -> Answer:
        if self._full:
            return answer.TOO_MANY_RCPT(self._limits.recipients)
        reason = Reason.RECIPIENT_DOMAIN if answer_.enhanced == "5.1.2" else Reason.RECIPIENT_UNKNOWN
        if answer_.enhanced == "5.6.7":
            reason = Reason.MESSAGE_SMTPUTF8
        refusal = Refusal(code=answer_.code, enhanced=answer_.enhanced, reason=reason, text=answer_.text)
        self._note(shown(written, ADDRESS_SHOWN), refusal)
        return answer.refused(refusal)

    def data(self) -> Reception:
        reception = Reception(
            acceptor=self._acceptor,
            identity=self._identity,
            mail=self._mail,
            recipients=tuple(self._recipients),
            said=tuple(self._said) if self._lmtp else (),
            refused=tuple(self._refused),
            checked=self._sender is not None,
            size_max=self._limits.message_size,
        )
        self._forget()
        return reception

    def reset(self) -> Coroutine[Any, Any, None] | None:
        refused = tuple(self._refused)
        sender = self._sender
        self._forget()
        if not refused:
            return None
        return self._acceptor.note(refused, sender=None if sender is None else sender.id)

    @property
    def _full(self) -> bool:
        """Refused recipients are remembered too, so they count as well."""
        return len(self._recipients) + len(self._refused) >= self._limits.recipients

    def _note(self, written: str, refusal: Refusal) -> None:
        self._refused.append(
            RefusedRecipient(
                address=written,
                code=refusal.code,
                enhanced=refusal.enhanced,
                reason=refusal.reason,
                text=refusal.text,
            )
        )

    def _forget(self) -> None:
        self._mail = MailFrom(address=None, size=None, smtputf8=False)
        self._sender = None
        self._recipients: dict[Address, None] = {}
        self._said: list[
            Address
        ] = []  # each accepted RCPT, repetitions included: LMTP answers them one by one
        self._refused: list[RefusedRecipient] = []


class Reception:
    """One message coming in. What is wrong with it is said after the final dot; the rest of it is dropped."""

    def __init__(
        self,
        *,
        acceptor: Acceptor,
        identity: Identity,
        mail: MailFrom,
        recipients: tuple[Address, ...],
        said: tuple[Address, ...],
        refused: tuple[RefusedRecipient, ...],
        checked: bool,
        size_max: int,
    ) -> None:
        self._acceptor = acceptor
        self._identity = identity
        self._mail = mail
        self._recipients = recipients
        self._said = said
        self._refused = refused
        self._checked = checked
        self._settler = Settler(limit=size_max)
        self._chunks: list[bytes] = []
        self._waiting = 0  # octets in chunks
        self._receiving: Receiving | None = None
        self._refusal: Refusal | None = None
        self._fault: Answer | None = None

    async def write(self, data: bytes) -> None:
        if self._refusal is not None or self._fault is not None:
            return
        try:
            body = self._settler.feed(data)
            if body:
                await self._hold(body)
        except ContentRefused as no:
            await self._refuse(no)
        except StoreError as error:
            self._fault = store_fault(error)
            await self.discard()

    async def finish(self) -> Sequence[Answer]:
        crashpoint("intake.data_received")
        outcome = await self._finish()
        crashpoint("intake.before_answer")
        if not self._said:
            return (outcome.answer,)
        return tuple(outcome.by_recipient.get(address, outcome.answer) for address in self._said)

    async def discard(self) -> None:
        self._chunks.clear()
        if self._receiving is not None:
            receiving, self._receiving = self._receiving, None
            try:
                await receiving.discard()
            except StoreError as error:  # the sweep clears it later
                store_fault(error)

    async def _finish(self) -> Outcome:
        if self._refusal is None and self._fault is None:
            try:
                submission = self._submission()
            except ContentRefused as no:
                await self._refuse(no)
            else:
                body = b"".join(self._chunks) if self._receiving is None else self._receiving
                try:
                    return await self._acceptor.accept(submission, body, checked=self._checked)
                finally:
                    await self.discard()  # of what was put, nothing is left to discard
        if self._fault is not None:
            return Outcome(answer=self._fault)
        assert self._refusal is not None
        await self._acceptor.note_refused(self._recipients, self._refused, self._refusal)
        return Outcome(answer=answer.refused(self._refusal))

    def _submission(self) -> Submission:
        content = self._settler.finish()
        return Submission(
            login=self._identity.name,
            may_be=self._identity.may_be,
            mail_from=self._mail.address,
            recipients=self._recipients,
            refused=self._refused,
            header=content.header,
            body_size=content.body_size,
            body_hash=content.body_hash,
            eight_bit=content.eight_bit,
            smtputf8=self._mail.smtputf8,
            received_at=self._acceptor.clock(),
        )

    async def _hold(self, body: bytes) -> None:
        """Small bodies wait in memory, larger ones go to the store as they come."""
        if self._receiving is not None:
            await self._receiving.append(body)
            return
        self._chunks.append(body)
        self._waiting += len(body)
        if self._waiting > CHUNK:
            self._receiving = self._acceptor.store.receive()
            for chunk in self._chunks:
                await self._receiving.append(chunk)
            self._chunks.clear()

    async def _refuse(self, no: ContentRefused) -> None:
        self._refusal = Refusal(code=no.code, enhanced=no.enhanced, reason=no.reason, text=no.text)
        await self.discard()
