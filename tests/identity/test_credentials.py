"""A refused login is remembered with what was tried, and stands until that changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from relayd.core.delivery import Attempt
from relayd.core.journal import EventType
from relayd.core.mail import Hop, Route
from relayd.core.reasons import Reason
from relayd.core.reply import Reply, Stage
from relayd.core.sender import Secret, Tls, Upstream
from relayd.core.verdict import Fate, Scope, Verdict
from relayd.identity.credentials import Credentials
from relayd.store.contract import StoreFull
from relayd.store.memory import MemoryStore

NOW = datetime(2026, 11, 22, 5, 11, 49, tzinfo=UTC)
ACME, SMARTHOST = Hop(Route.UPSTREAM, "acme"), Hop(Route.SMARTHOST, "")
LOGIN = Upstream(
    host="smtp.acme.example",
    port=587,
    tls=Tls.STARTTLS,
    username="billing@acme.example",
    password=Secret("canary-7c1f"),
)


class Bench:
    def __init__(self) -> None:
        self.store = MemoryStore(clock=lambda: NOW)
        self.logins: dict[Hop, Upstream | None] = {ACME: LOGIN, SMARTHOST: replace(LOGIN, host="out.example")}
        self.credentials = self.restarted()

    def restarted(self) -> Credentials:
        return Credentials(
            store=self.store,
            upstream=self.logins.get,
            fingerprint=lambda text: f"#{hash(text)}",
            matches=lambda text, fingerprint: f"#{hash(text)}" == fingerprint,
        )

    async def refuse(self, hop: Hop, reason: Reason = Reason.AUTH_WRONG_PASSWORD) -> None:
        said = Reply(
            code=535, enhanced="5.7.8", text="bad password", stage=Stage.AUTH, host="smtp.acme.example"
        )
        attempt = Attempt(
            recipient=SimpleNamespace(),  # type: ignore[arg-type]
            evidence=said,
            verdict=Verdict(fate=Fate.DEFERRED, reason=reason, scope=Scope.HOP),
            host="smtp.acme.example",
            ip="192.0.2.1",
            tls=None,
            started_at=NOW,
            seconds=0.1,
        )
        parcel: Any = SimpleNamespace(hop=hop)
        await self.credentials.refuse(parcel, attempt, NOW)


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_refusal_is_known_after_a_restart_and_told_once(bench: Bench) -> None:
    await bench.refuse(ACME)
    await bench.refuse(ACME)

    again = bench.restarted()
    assert await again.load() == {}

    assert again.refused == {"upstream:acme": Reason.AUTH_WRONG_PASSWORD}
    assert again.of_senders == {"acme": Reason.AUTH_WRONG_PASSWORD}
    [event] = await bench.store.journal(0)
    assert (event.type, event.sender, event.code) == (EventType.UPSTREAM_FAILED, "acme", 535)


async def test_nothing_that_is_kept_or_told_shows_the_password(bench: Bench) -> None:
    await bench.refuse(ACME)

    assert "canary" not in repr(await bench.store.recall("credentials")) + repr(await bench.store.journal(0))


@pytest.mark.parametrize(
    "changed",
    [
        replace(LOGIN, password=Secret("new")),
        replace(LOGIN, host="new.example"),
        replace(LOGIN, mechanism="LOGIN"),
        None,
    ],
)
async def test_a_refusal_stands_until_other_settings_are_seen_to_work(
    bench: Bench, changed: Upstream | None
) -> None:
    await bench.refuse(ACME)
    bench.logins[ACME] = changed

    again = bench.restarted()
    assert await again.load() == {ACME: Reason.AUTH_WRONG_PASSWORD}
    assert again.changed(ACME)
    assert again.of_senders == {"acme": Reason.AUTH_WRONG_PASSWORD}
    # Killed before the held mail was let go, the next start finds it again.
    assert await bench.restarted().load() == {ACME: Reason.AUTH_WRONG_PASSWORD}

    assert again.trust(ACME)
    assert (again.refused, again.of_senders) == ({}, {})
    await again.good(ACME, NOW)
    assert await bench.restarted().load() == {}
    assert [event.type for event in await bench.store.journal(0)] == [
        EventType.UPSTREAM_FAILED,
        EventType.UPSTREAM_OK,
    ]


async def test_new_settings_that_are_refused_as_well_are_told_and_kept_in_the_old_one_s_place(
    bench: Bench,
) -> None:
    await bench.refuse(ACME)
    bench.logins[ACME] = replace(LOGIN, password=Secret("new"))
    await bench.refuse(ACME, Reason.AUTH_APP_PASSWORD_NEEDED)

    assert not bench.credentials.changed(ACME)
    assert [event.reason for event in await bench.store.journal(0)] == [
        Reason.AUTH_WRONG_PASSWORD,
        Reason.AUTH_APP_PASSWORD_NEEDED,
    ]
    assert await bench.restarted().load() == {}


async def test_only_the_very_login_that_was_refused_is_not_tried_again(bench: Bench) -> None:
    await bench.refuse(ACME)
    why_not = bench.credentials.why_not

    assert why_not(ACME, LOGIN) is Reason.AUTH_WRONG_PASSWORD
    assert why_not(ACME, replace(LOGIN, password=Secret("new"))) is None


async def test_a_login_that_several_senders_have_is_refused_to_all_of_them_at_once(bench: Bench) -> None:
    globex = Hop(Route.UPSTREAM, "globex")
    bench.logins[globex] = LOGIN
    assert bench.credentials.refused_elsewhere(globex) is None
    await bench.refuse(ACME)

    again = bench.restarted()
    await again.load()
    for credentials in (bench.credentials, again):
        assert credentials.refused_elsewhere(globex) is Reason.AUTH_WRONG_PASSWORD
        assert credentials.refused_elsewhere(ACME) is None  # known there
        assert credentials.refused_elsewhere(SMARTHOST) is None

    await again.forget(ACME)
    assert again.refused_elsewhere(globex) is None


async def test_where_nobody_logs_in_nobody_is_refused_in_another_s_place(bench: Bench) -> None:
    """A server that knows its customers by address may take one sender and ask another for a password."""
    globex, open_to_us = Hop(Route.UPSTREAM, "globex"), replace(LOGIN, username=None, password=None)
    bench.logins |= {ACME: open_to_us, globex: open_to_us}
    await bench.refuse(ACME, Reason.AUTH_NOT_LOGGED_IN)
    bench.credentials.learn_candidate(open_to_us, Reason.AUTH_NOT_LOGGED_IN)

    assert bench.credentials.refused_elsewhere(globex) is None
    assert bench.credentials.why_not(globex, open_to_us) is None
    assert bench.credentials.why_not(ACME, open_to_us) is Reason.AUTH_NOT_LOGGED_IN


async def test_a_login_that_was_refused_is_known_after_another_one_came_and_went(bench: Bench) -> None:
    await bench.refuse(ACME)
    bench.logins[ACME] = replace(LOGIN, password=Secret("new"))
    assert bench.credentials.trust(ACME)
    assert bench.credentials.refused_elsewhere(ACME) is None

    bench.logins[ACME] = LOGIN

    assert bench.credentials.refused_elsewhere(ACME) is Reason.AUTH_WRONG_PASSWORD
    bench.logins[ACME] = None
    assert bench.credentials.refused_elsewhere(ACME) is None


async def test_an_address_that_was_refused_is_no_reason_not_to_log_in(bench: Bench) -> None:
    await bench.refuse(ACME, Reason.SENDER_NOT_ALLOWED)

    assert bench.credentials.of_senders == {"acme": Reason.SENDER_NOT_ALLOWED}
    assert bench.credentials.why_not(ACME, LOGIN) is None


async def test_what_was_typed_and_refused_is_remembered_though_nobody_saved_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayd.identity.credentials.LOGINS", 2)
    typed = [replace(LOGIN, password=Secret(f"try {n}")) for n in range(3)]
    for each in typed:
        bench.credentials.learn_candidate(each, Reason.AUTH_WRONG_PASSWORD)
    known = [bench.credentials.why_not(ACME, each) for each in typed]
    assert known == [None, Reason.AUTH_WRONG_PASSWORD, Reason.AUTH_WRONG_PASSWORD]

    bench.credentials.learn_candidate(typed[2], None)
    assert bench.credentials.why_not(ACME, typed[2]) is None


async def test_a_refused_smarthost_is_nobody_s_upstream(bench: Bench) -> None:
    await bench.refuse(SMARTHOST)

    assert bench.credentials.refused == {"smarthost:": Reason.AUTH_WRONG_PASSWORD}
    assert bench.credentials.of_senders == {}


async def test_a_mark_is_the_login_s(bench: Bench) -> None:
    before = bench.credentials.mark(ACME)
    assert bench.credentials.mark(ACME) == before

    bench.logins[ACME] = replace(LOGIN, password=Secret("new"))

    assert bench.credentials.mark(ACME) != before


async def test_what_the_store_could_not_take_stands_until_the_settings_change_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*args: Any) -> None:
        raise StoreFull("no space left")

    monkeypatch.setattr(bench.store, "remember", full)
    with pytest.raises(StoreFull):
        await bench.refuse(ACME)

    assert await bench.credentials.load() == {}
    assert bench.credentials.refused == {"upstream:acme": Reason.AUTH_WRONG_PASSWORD}

    bench.logins[ACME] = replace(LOGIN, password=Secret("new"))

    assert await bench.credentials.load() == {ACME: Reason.AUTH_WRONG_PASSWORD}
