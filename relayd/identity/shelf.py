"""What is known of senders: read from the config and the store, and put together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from relayd.core import settings_senders
from relayd.core.address import Address
from relayd.core.localparts import LocalParts, Wish
from relayd.core.sender import Secret, Sender, Senders
from relayd.core.settings import SenderSettings, Settings
from relayd.identity import sendervalues
from relayd.identity.sendervalues import PASSWORD
from relayd.store.contract import Fact, Store, StoredSender
from relayd.vault import SealBroken, Vault

LOCAL_PARTS = "local_part"
"""Kind of the facts that say which sender a default address was given to, for ever."""

CONFIRMED = "confirmed"
"""Kind of the facts that say, by sender id, which address was confirmed, by what and when."""


class Origin(StrEnum):
    CONFIG = "config"  # read-only at run time
    STORE = "store"


class SendersError(Exception):
    """The senders of config and store can't be had together; one sentence for each problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One sender as it was given."""

    settings: SenderSettings  # without secrets
    origin: Origin
    password: Secret | None = None  # of its upstream
    sealed: str | None = None  # the same as the store has it

    @property
    def has_password(self) -> bool:
        return self.password is not None or self.sealed is not None

    @property
    def unreadable(self) -> bool:
        """It has a password, and the master key that opens it is not there."""
        return self.sealed is not None and self.password is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All senders there are under these settings. It is changed in place, by the book alone."""

    settings: Settings
    known: dict[str, Known]
    local_parts: LocalParts
    confirmed: dict[str, Mapping[str, str]]  # facts of the kind CONFIRMED
    senders: Senders

    def put(self, id: str, known: Known, local_part: str) -> None:
        self.known[id] = known
        self.senders.put(self._sender(id, known, local_part))

    def remove(self, id: str) -> None:
        del self.known[id]
        self.confirmed.pop(id, None)
        self.senders.remove(id)

    def confirmed_by(self, id: str) -> str | None:
        known = self.known[id]
        if known.settings.confirmed:
            return "config" if known.origin is Origin.CONFIG else "vouch"
        return self._fact(id, known).get("by")

    def elsewhere(self) -> list[str]:
        """Senders who have another address than the one that was confirmed."""
        return [id for id in self.confirmed if id in self.known and not self._fact(id, self.known[id])]

    def _fact(self, id: str, known: Known) -> Mapping[str, str]:
        """Empty when it was another address that was confirmed."""
        fact = self.confirmed.get(id, {})
        return fact if fact.get("address") == str(known.settings.address) else {}

    def _sender(self, id: str, known: Known, local_part: str) -> Sender:
        return settings_senders.sender(
            id,
            known.settings,
            default_address=Address(local_part, self.settings.platform.domain),
            confirmed=bool(self._fact(id, known)),
            password=known.password,
            sealed=known.unreadable,
        )


async def read(settings: Settings, store: Store, vault: Vault) -> Shelf:
    """The senders of these settings and of the store, with their default addresses, which are remembered for
    ever. Raises SendersError, StoreError."""
    stored = await store.senders()
    given = {part: fact["sender"] for part, fact in (await store.recall(LOCAL_PARTS)).items()}
    confirmed = dict(await store.recall(CONFIRMED))
    known = await asyncio.to_thread(_all, settings, stored, vault)
    local_parts = LocalParts(given)
    assigned = local_parts.assign([wish(id, one.settings) for id, one in known.items()])
    if assigned.refused:
        raise SendersError(
            "; ".join(f"senders.{id}.local_part: {why}" for id, why in assigned.refused.items())
        )
    if assigned.new:
        await store.put_senders([], facts(assigned.new))
        local_parts.keep(assigned.new)
    unknown = None if settings.unknown_sender == "reject" else settings.unknown_sender
    shelf = Shelf(
        settings=settings,
        known={},
        local_parts=local_parts,
        confirmed=confirmed,
        senders=Senders(unknown=unknown),
    )
    for id, one in known.items():
        shelf.put(id, one, assigned.parts[id])
    return shelf


def wish(id: str, settings: SenderSettings) -> Wish:
    return Wish(sender=id, name=settings.name, contact=settings.address, local_part=settings.local_part)


def facts(local_parts: Mapping[str, str]) -> list[Fact]:
    """That these were given, for ever: sender by local part."""
    return [Fact(kind=LOCAL_PARTS, key=part, value={"sender": id}) for part, id in local_parts.items()]


def context(id: str) -> str:
    """Where the password of a sender's upstream is sealed."""
    return f"sender:{id}:{PASSWORD}"


def _all(settings: Settings, stored: Iterable[StoredSender], vault: Vault) -> dict[str, Known]:
    known = {
        id: Known(
            settings=sendervalues.without_secrets(one),
            origin=Origin.CONFIG,
            password=one.upstream.password if one.upstream else None,
        )
        for id, one in settings.senders.items()
    }
    problems = []
    for row in stored:
        if row.id in known:
            problems.append(
                f"senders.{row.id}: a sender with this id was added at run time; give this one another id, "
                f"or take it out of the file and run: relayd sender remove {row.id}"
            )
            continue
        try:
            known[row.id] = _stored(row, vault)
        except ValidationError as error:
            problems.append(
                f"sender {row.id} in the store can't be read ({error.error_count()} problems): was it "
                "written by a newer relayd? Start that version, or put back a backup"
            )
    if problems:
        raise SendersError("; ".join(problems))
    return known


def _stored(row: StoredSender, vault: Vault) -> Known:
    sealed, password = row.sealed.get(PASSWORD), None
    if sealed is not None:
        try:
            password = vault.unseal(sealed, context=context(row.id))
        except SealBroken:
            password = None
    return Known(
        settings=SenderSettings.model_validate(dict(row.settings)),
        origin=Origin.STORE,
        password=password,
        sealed=sealed,
    )
