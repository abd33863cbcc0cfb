"""Taking a message in: find the sender, dress the message, keep it, answer. `250` only after it is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from relayd.core import acceptance, answer, headers, outcome, tokens
from relayd.core.address import Address
from relayd.core.answer import Answer
from relayd.core.headers import AppHeaders, HeaderBlock, HeaderRefused
from relayd.core.journal import Event, EventType
from relayd.core.mail import Message, RefusedRecipient, Rung, Submission
from relayd.core.outcome import Sentence
from relayd.core.refusal import Refusal
from relayd.core.sender import Sender, Senders
from relayd.dressing import Dressed, SigningFailed
from relayd.intake.recipients import Recipients
from relayd.store.contract import Receiving, Store, StoreError, StoreFull, Watch

log = logging.getLogger("relayd.intake")

ANSWER_MAX = timedelta(seconds=60)  # clients wait 10 minutes for this answer (RFC 5321 4.5.3.2.6), not all do


class Dresser(Protocol):
    async def dress(
        self,
        submission: Submission,
        sender: Sender,
        message_id: str,
        now: datetime,
        block: HeaderBlock | None = None,
    ) -> Dressed | Refusal:
        """Raises SigningFailed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What to tell the client: `answer` for the message, `by_recipient` where one has its own (LMTP)."""

    answer: Answer
    by_recipient: Mapping[Address, Answer] = field(default_factory=dict)


class Refused(Exception):
    """The message is not taken."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


class Acceptor:
    """Takes messages in. `senders`, `dresser`, `recipients` and `answer_within` may be replaced when the
    settings are read again."""

    def __init__(
        self,
        *,
        store: Store,
        senders: Senders,
        dresser: Dresser,
        recipients: Recipients | None,
        sentence: Sentence,
        answer_within: timedelta,
        clock: Callable[[], datetime],
        entropy: Callable[[int], bytes],
    ) -> None:
        """`recipients` is None when mail goes through a smarthost: nothing is direct then."""
        self.senders = senders
        self.dresser = dresser
        self.recipients = recipients
        self.answer_within = answer_within
        self.store = store
        self.clock = clock
        self._sentence = sentence
        self._entropy = entropy
        self._waiting: set[asyncio.Timeout] = set()  # for outcomes
        self._stopping = False

    async def accept(self, submission: Submission, body: bytes | Receiving, *, checked: bool) -> Outcome:
        """Take a submission with its settled body. Always gives an answer. `checked`: each recipient went
        through `impossible`. A body that isn't kept is the caller's to discard."""
        told, sender = AppHeaders(), None
        now = self.clock()
        try:
            block = headers.parse(submission.header)
            told = headers.app_headers(block)
            sender = self._find_sender(submission, block, told)
            if not checked:
                submission = await self._without_impossible(submission, sender)
                if not submission.recipients:
                    raise Refused(_refusal(submission.refused[-1]))
            message = await self._dress(submission, block, told, sender, now)
            return await self._keep(message, body, told)
        except (Refused, HeaderRefused) as no:
            id = None if sender is None else sender.id
            await self.note_refused(submission.recipients, submission.refused, no.refusal, told.ref, id)
            return Outcome(answer=answer.refused(no.refusal))
        except SigningFailed:
            log.exception("a message could not be signed")
            return Outcome(answer=answer.SIGNING_FAILED())
        except StoreError as error:
            return Outcome(answer=store_fault(error))

    def looks(self, sender: Sender) -> bool:
        """Whether a sender's recipients are looked up: only direct hops are, and test senders deliver to
        nobody."""
        return self.recipients is not None and not sender.test and sender.send_as is not Rung.UPSTREAM

    async def impossible(self, address: Address, sender: Sender) -> Refusal | None:
        """Why this recipient can't get the sender's mail, as far as DNS tells."""
        if self.recipients is None or not self.looks(sender):
            return None
        return await self.recipients.refusal(address)

    async def note_refused(
        self,
        recipients: Sequence[Address],
        refused: Sequence[RefusedRecipient],
        refusal: Refusal,
        ref: str | None = None,
        sender: str | None = None,
    ) -> None:
        """Write down for each recipient that a message was not taken; `refused` have their own reasons."""
        all_refused = (*(_refused(address, refusal) for address in recipients), *refused)
        await self.note(all_refused, ref, sender)

    async def note(
        self, refused: Sequence[RefusedRecipient], ref: str | None = None, sender: str | None = None
    ) -> None:
        """Write down refused recipients that no message follows. The client has its answer, so a store that
        can't take it is only logged."""
        now = self.clock()
        try:
            await self.store.note(
                [
                    _refused_event(one, now, message=None, ref=ref, sender=sender, test=False)
                    for one in refused
                ]
            )
        except StoreError as error:
            log.error("%d refused recipients are not in the status log: %s", len(refused), error)

    def _find_sender(self, submission: Submission, block: HeaderBlock, told: AppHeaders) -> Sender:
        header_from = headers.sender_of(block).address
        found = self.senders.find(told.sender, submission.may_be, submission.mail_from, header_from)
        if isinstance(found, Refusal):
            raise Refused(found)
        return found

    async def _without_impossible(self, submission: Submission, sender: Sender) -> Submission:
        """The sender was not known at RCPT: look at the recipients now. Refused ones stay with the message,
        as they would have."""
        refusals = await asyncio.gather(*(self.impossible(one, sender) for one in submission.recipients))
        pairs = list(zip(submission.recipients, refusals, strict=True))
        late = tuple(_refused(address, no) for address, no in pairs if no is not None)
        if not late:
            return submission
        left = tuple(address for address, no in pairs if no is None)
        return replace(submission, recipients=left, refused=(*submission.refused, *late))

    async def _dress(
        self, submission: Submission, block: HeaderBlock, told: AppHeaders, sender: Sender, now: datetime
    ) -> Message:
        id = tokens.message_id(now, self._entropy(tokens.ENTROPY))
        dressed = await self.dresser.dress(submission, sender, id, now, block)
        if isinstance(dressed, Refusal):
            raise Refused(dressed)
        return Message(
            id=id,
            sender=sender.id,
            ref=told.ref,
            meta=told.meta,
            submission=submission,
            dressing=dressed.dressing,
            recipients=dressed.recipients,
            held=dressed.held,
            test=sender.test,
        )

    async def _keep(self, message: Message, body: bytes | Receiving, told: AppHeaders) -> Outcome:
        events = _events(message, self.clock())
        wanted = self.answer_within if told.answer_within is None else told.answer_within
        seconds = min(wanted, ANSWER_MAX).total_seconds()
        if not seconds or message.held is not None:
            await self.store.put(message, body, events)
            return self._outcome(message, ())
        async with self.store.watch(message.id) as watch:
            await self.store.put(message, body, events)
            # Kept. Whatever happens from here on, the app must not hear that it wasn't.
            settled = await self._settled(watch, seconds, message.id)
        return self._outcome(message, settled)

    def hurry(self) -> None:
        """Answer now who waits for the outcome: we are stopping, and a client that is cut off after its
        message was kept would send it again."""
        self._stopping = True
        for patience in self._waiting:
            if not patience.expired():
                patience.reschedule(asyncio.get_running_loop().time())

    async def _settled(self, watch: Watch, seconds: float, message: str) -> Sequence[Event]:
        try:
            async with asyncio.timeout(0 if self._stopping else seconds) as patience:
                self._waiting.add(patience)
                return await watch.settled()
        except TimeoutError:
            return ()
        except Exception:
            log.exception("the outcome of message %s could not be waited for", message)
            return ()
        finally:
            self._waiting.discard(patience)

    def _outcome(self, message: Message, settled: Sequence[Event]) -> Outcome:
        if not settled:
            held = "" if message.held is None else f"held {message.held.value}"
            return Outcome(answer=outcome.queued(message.id, held))
        each = {
            recipient.address: outcome.answer(message.id, [event], self._sentence)
            for recipient, event in zip(message.recipients, settled, strict=False)
        }
        return Outcome(answer=outcome.answer(message.id, settled, self._sentence), by_recipient=each)


def store_fault(error: StoreError) -> Answer:
    """The answer when the store can't take something: always 4xx, the client keeps its message."""
    if isinstance(error, StoreFull):
        log.error("no space left to keep a message: %s", error)
        return answer.FULL()
    log.error("a message could not be kept: %s", error, exc_info=error)
    return answer.FAULT()


def _refused(address: Address, refusal: Refusal) -> RefusedRecipient:
    return RefusedRecipient(
        address=str(address),
        code=refusal.code,
        enhanced=refusal.enhanced,
        reason=refusal.reason,
        text=refusal.text,
    )


def _refusal(one: RefusedRecipient) -> Refusal:
    return Refusal(code=one.code, enhanced=one.enhanced, reason=one.reason, text=one.text)


def _events(message: Message, now: datetime) -> list[Event]:
    """What the journal says of a message just taken, and who was refused before."""
    return acceptance.events(message, now) + [
        _refused_event(
            one, now, message=message.id, ref=message.ref, sender=message.sender, test=message.test
        )
        for one in message.submission.refused
    ]


def _refused_event(
    one: RefusedRecipient,
    now: datetime,
    *,
    message: str | None,
    ref: str | None,
    sender: str | None,
    test: bool,
) -> Event:
    return Event(
        time=now,
        type=EventType.REFUSED,
        message=message,
        ref=ref,
        sender=sender,
        recipient=one.address,
        final=True,
        reason=one.reason,
        code=one.code,
        enhanced=one.enhanced,
        test=test,
        detail={"answer": one.text},
    )
