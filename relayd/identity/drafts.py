"""A sender as it is going to be: what was given, judged and sealed. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from relayd.core.sender import Secret
from relayd.core.settings import SenderSettings
from relayd.identity import sendervalues
from relayd.identity.sendervalues import PASSWORD, Problem, SenderRefused
from relayd.identity.shelf import Known, Origin, Shelf, context
from relayd.store.contract import StoredSender
from relayd.vault import NoMasterKey, Vault

_UNREAD = Secret("kept")
"""Stands for a password that is kept and can't be read, while the settings are checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    id: str
    old: Known | None
    new: Known
    keys: tuple[str, ...]  # that change; none: nothing does
    unconfirmed: bool  # what was confirmed before counts no more
    warnings: tuple[Problem, ...]

    @property
    def row(self) -> StoredSender:
        sealed = {} if self.new.sealed is None else {PASSWORD: self.new.sealed}
        return StoredSender(id=self.id, settings=sendervalues.dump(self.new.settings), sealed=sealed)


def draft(id: str, values: Mapping[str, object], shelf: Shelf, vault: Vault, *, partly: bool) -> Draft:
    """Raises SenderRefused. `partly`: the values are changes, and what isn't named stays."""
    old = shelf.known.get(id)
    start = sendervalues.dump(old.settings) if partly and old is not None else {}
    read = sendervalues.read(id, sendervalues.merged(start, values), shelf.settings)
    if read.settings is None:
        raise SenderRefused(read.problems)
    settings = read.settings
    if old is not None and "confirmed" not in values:
        stays = old.settings.confirmed and settings.address == old.settings.address
        settings = settings.model_copy(update={"confirmed": stays})
    given = settings.upstream.password if settings.upstream is not None else None
    keep = old is not None and not sendervalues.names_password(values) and _same_login(old, settings)
    password = (old.password or _UNREAD) if keep and old is not None else given
    looked = sendervalues.check(id, sendervalues.with_password(settings, password), shelf.settings)
    if looked.problems:
        raise SenderRefused(looked.problems)
    settings = sendervalues.without_secrets(settings)
    if old is not None and (keep or (given is not None and given == old.password)):
        new = replace(old, settings=settings)
    else:
        new = _sealed(id, settings, given, vault)
    keys = _keys(old, new)
    taken_back = partly and "confirmed" in values and not settings.confirmed
    if taken_back and old is not None and shelf.confirmed_by(id) is not None:
        keys = tuple(sorted({*keys, "confirmed"}))
    return Draft(
        id=id,
        old=old,
        new=new,
        keys=keys,
        unconfirmed=taken_back or "address" in keys,
        warnings=(*looked.warnings, *_shared(id, settings, shelf)),
    )


def refused(drafts: Sequence[Draft], why: Mapping[str, str]) -> SenderRefused:
    """For local parts that can't be had: sentences by sender id."""
    wanted = {draft.id: draft.new.settings.local_part for draft in drafts}
    return SenderRefused(
        [
            Problem(sender=id, key="local_part", seen=str(wanted[id]), expected=f"another local part: {text}")
            for id, text in why.items()
        ]
    )


def _same_login(old: Known, new: SenderSettings) -> bool:
    """The password that is kept may be used with the new settings: it goes to the server and for the user it
    was entered for, and to no others."""
    before, after = old.settings.upstream, new.upstream
    return (
        old.has_password
        and before is not None
        and after is not None
        and after.oauth is None
        and (before.host, before.username) == (after.host, after.username)
    )


def _sealed(id: str, settings: SenderSettings, password: Secret | None, vault: Vault) -> Known:
    if password is None:
        return Known(settings=settings, origin=Origin.STORE)
    try:
        sealed = vault.seal(password.value, context=context(id))
    except NoMasterKey as error:
        wanted = f"the master key to seal it with. {error}"
        raise SenderRefused(
            [Problem(sender=id, key=PASSWORD, seen=sendervalues.HIDDEN, expected=wanted)]
        ) from None
    return Known(settings=settings, origin=Origin.STORE, password=password, sealed=sealed)


def _keys(old: Known | None, new: Known) -> tuple[str, ...]:
    if old is None:
        return tuple(sorted(sendervalues.dump(new.settings)))
    keys = sendervalues.changed_keys(old.settings, new.settings)
    if old.sealed != new.sealed and "upstream" not in keys:
        keys = sorted([*keys, PASSWORD])
    return tuple(keys)


def _shared(id: str, settings: SenderSettings, shelf: Shelf) -> list[Problem]:
    others = [sender.id for sender in shelf.senders.of_address(settings.address) if sender.id != id]
    if not others:
        return []
    wanted = f"an address per sender; {others[0]} has this one too, so From alone can't tell them apart"
    return [Problem(sender=id, key="address", seen=str(settings.address), expected=wanted)]
