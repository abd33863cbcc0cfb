"""Access tokens: fetched ahead, one question at a time, never used before what came with them is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relayd.core.event import EventType
from relayd.core.reasons import Reason
from relayd.core.reply import Fault, FaultKind, Stage
from relayd.core.sender import Secret
from relayd.core.verdict import Fate, Role, classify
from relayd.identity.oauth import KIND, REST
from relayd.masterkey import MasterKey
from relayd.sandbox.tokens import Answer, error
from relayd.store.contract import StoreFull
from relayd.store.sqlite import SqliteStore

from .oauth_house import ACCOUNT, House, house, sender, settings


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        await made.signed_in()
        made.provider.asked.clear()
        yield made


@contextmanager
def the_disk_full(home: House) -> Iterator[None]:
    async def full(*args: object, **more: object) -> None:
        raise StoreFull("no space left")

    remember, home.store.remember = home.store.remember, full  # type: ignore[method-assign,assignment]
    yield
    home.store.remember = remember  # type: ignore[method-assign]


def refreshes(home: House) -> int:
    return sum(form["grant_type"] == "refresh_token" for form in home.provider.asked)


# --- ahead of time ---


async def test_a_token_is_used_until_four_fifths_of_its_life_are_over(home: House) -> None:
    first = await home.token()
    home.later(3600 * 0.8 - 1)
    assert await home.token() == first
    home.later(2)
    second = await home.token()
    assert second != first
    assert home.provider.good(ACCOUNT, second)
    assert refreshes(home) == 1


async def test_who_asks_while_a_token_is_on_its_way_gets_that_one(home: House) -> None:
    home.later(3600)
    home.provider.tell(Answer(after=0.1, then=True))
    found = set(await asyncio.gather(*(home.token() for _ in range(50))))
    assert len(found) == 1
    assert refreshes(home) == 1


async def test_each_account_asks_for_itself(home: House) -> None:
    home.senders["globex"] = sender("globex", username="office@globex.example")
    await home.signed_in("globex", "office@globex.example")
    home.later(3600)
    one, other = await asyncio.gather(home.token("acme"), home.token("globex"))
    assert home.provider.good(ACCOUNT, one)
    assert home.provider.good("office@globex.example", other)


async def test_who_stops_waiting_stops_nothing(home: House) -> None:
    """A refresh token that the provider gave, and that nobody wrote down, is gone for good."""
    home.later(3600)
    home.provider.tell(Answer(after=0.1, then=True))
    waiting = asyncio.create_task(home.accounts.access_token("acme"))
    await asyncio.sleep(0.03)
    waiting.cancel()
    await home.accounts.close()
    await home.restart()
    home.provider.asked.clear()
    await home.token()
    assert home.provider.asked[0]["refresh_token"] == home.provider.given[1]


# --- rotation ---


async def test_a_rotated_refresh_token_is_on_disk_before_the_access_token_is_used(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "state")
    async with house(tmp_path, store=store) as home:
        await home.signed_in()
        home.later(3600)
        await home.token()
        # The process dies here: what another one reads is what was on disk when the token was handed out.
        await home.restart()
        await home.token()
        assert [form.get("refresh_token") for form in home.provider.asked] == [None, *home.provider.given[:2]]
    await store.close()


async def test_what_the_disk_does_not_take_is_used_by_nobody_and_is_not_lost(home: House) -> None:
    home.later(3600)
    with the_disk_full(home):
        fault = await home.accounts.access_token("acme")
    assert isinstance(fault, Fault)
    assert classify(fault, Role.UPSTREAM).fate is Fate.DEFERRED
    home.later(REST)
    assert home.provider.good(ACCOUNT, await home.token())
    assert refreshes(home) == 1  # the provider was not asked again: it would have void what it gave
    await home.restart()
    await home.token()


async def test_the_end_of_the_process_is_a_last_chance_for_what_is_not_on_disk(home: House) -> None:
    home.later(3600)
    with the_disk_full(home):
        assert isinstance(await home.accounts.access_token("acme"), Fault)
    await home.accounts.close()
    await home.restart()
    await home.token()
    assert home.provider.asked[-1]["refresh_token"] == home.provider.given[1]


async def test_a_crash_between_the_answer_and_the_disk_costs_nothing_where_the_old_token_still_works(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, rotates=False) as home:
        await home.signed_in()
        before = dict((await home.store.recall(KIND))["acme"])
        home.later(3600)
        await home.token()
        await home.store.remember(KIND, "acme", before)
        await home.restart()
        assert home.provider.good(ACCOUNT, await home.token())


# --- trouble that passes ---

PASSING = {
    "500": Answer(status=500, body=b"<html>oops</html>"),
    "503": Answer(status=503),
    "429": Answer(status=429),
    "closed": Answer(cut=True),
    "slow": Answer(hang=True),
    "no JSON": Answer(body=b"<html>hello</html>"),
    "another JSON": Answer(body=b"[1]"),
    "no token": Answer(body=b'{"token_type": "Bearer"}'),
    "a token with a line end": Answer(body=b'{"access_token": "a\\r\\nQUIT", "token_type": "Bearer"}'),
    "a token with a separator": Answer(body=b'{"access_token": "a\\u0001auth=x", "token_type": "Bearer"}'),
    "another kind of token": Answer(body=b'{"access_token": "a", "token_type": "mac"}'),
    "huge": Answer(body=b'{"access_token": "' + b"a" * 1_000_000 + b'"}'),
    "deep": Answer(body=b"[" * 200_000),
    "a redirect": Answer(status=302, headers={"Location": "http://169.254.169.254/token"}),
    "busy": error("temporarily_unavailable"),
    "an unknown error": error("the_dog_ate_it"),
    "an error of a strange form": Answer(status=400, body=b'{"error": {"code": 7}}'),
}


@pytest.mark.parametrize("answer", PASSING.values(), ids=PASSING)
async def test_trouble_of_the_provider_is_never_a_withdrawn_consent(
    home: House, answer: Answer, skip_waits: Callable[[], None]
) -> None:
    skip_waits()
    home.later(3600)
    home.provider.tell(answer)
    fault = await home.accounts.access_token("acme")
    assert isinstance(fault, Fault)
    assert fault.stage is Stage.AUTH
    verdict = classify(fault, Role.UPSTREAM)
    assert verdict.fate is Fate.DEFERRED
    assert verdict.reason is not None
    assert verdict.reason.value.startswith("network.")
    home.provider.release()
    home.later(REST)
    assert home.provider.good(ACCOUNT, await home.token())
    assert home.lost == []
    assert EventType.CONSENT_WITHDRAWN not in [event.type for event in await home.events()]


async def test_a_provider_that_is_gone_or_can_not_prove_its_name_is_trouble_that_passes(home: House) -> None:
    for url in ("https://127.0.0.1:1/token", home.provider.url.replace("127.0.0.1", "127.0.0.2") + "/token"):
        home.settings = settings(microsoft=home.provider.config(token_url=url))
        home.later(3600)
        fault = await home.accounts.access_token("acme")
        assert isinstance(fault, Fault)
        assert classify(fault, Role.UPSTREAM).fate is Fate.DEFERRED
        assert (classify(fault, Role.UPSTREAM).reason or Reason.UNKNOWN).value.startswith("network.")
    assert home.provider.asked == []


async def test_a_provider_in_trouble_is_left_alone_for_a_while(home: House) -> None:
    home.later(3600)
    home.provider.tell(Answer(status=500))
    for _ in range(20):
        assert isinstance(await home.accounts.access_token("acme"), Fault)
    assert refreshes(home) == 1
    home.later(REST)
    await home.token()


async def test_an_ageing_token_serves_while_the_provider_is_in_trouble(home: House) -> None:
    first = await home.token()
    home.later(3000)
    home.provider.tell(Answer(status=500))
    assert await home.token() == first
    home.later(500)
    home.provider.tell(Answer(status=500))
    assert await home.token() == first
    home.later(99)
    home.provider.tell(Answer(status=500))
    assert isinstance(await home.accounts.access_token("acme"), Fault)


async def test_a_registration_that_is_refused_is_the_operators_to_mend(home: House) -> None:
    home.settings = settings(microsoft=home.provider.config(client_secret="canary-run-out"))
    home.later(3600)
    fault = await home.accounts.access_token("acme")
    assert isinstance(fault, Fault)
    assert classify(fault, Role.UPSTREAM).fate is Fate.DEFERRED
    assert "invalid_client" in home.accounts.problems["microsoft"]
    assert home.lost == []
    home.settings = settings(microsoft=home.provider.config())
    home.later(REST)
    await home.token()
    assert home.accounts.problems == {}


# --- consent ---


@pytest.mark.parametrize("code", ["invalid_grant", "interaction_required", "consent_required"])
async def test_a_withdrawn_consent_is_said_once_and_nobody_is_asked_again(home: House, code: str) -> None:
    home.later(3600)
    home.provider.tell(error(code, description="AADSTS65001: <b>revoked</b>\r\n\x1b[31mtoday"))
    for _ in range(3):
        fault = await home.accounts.access_token("acme")
        assert isinstance(fault, Fault)
        assert fault.kind is FaultKind.TOKEN
    assert refreshes(home) == 1
    assert home.lost == [("acme", Reason.AUTH_TOKEN_EXPIRED)]
    events = [event for event in await home.events() if event.type is EventType.CONSENT_WITHDRAWN]
    assert [(event.sender, event.reason) for event in events] == [("acme", Reason.AUTH_TOKEN_EXPIRED)]
    assert "\x1b" not in (events[0].reply or "")
    assert home.accounts.missing("acme") is Reason.AUTH_TOKEN_EXPIRED

    await home.restart()
    assert isinstance(await home.accounts.access_token("acme"), Fault)
    assert refreshes(home) == 1
    state = home.accounts.state("acme")
    assert state is not None
    assert not state.connected
    assert state.withdrawn


async def test_a_consent_is_withdrawn_though_nobody_can_write_it_down(home: House) -> None:
    home.provider.withdraw(ACCOUNT)
    home.later(3600)
    home.broken = True
    with the_disk_full(home):
        assert isinstance(await home.accounts.access_token("acme"), Fault)
    assert home.accounts.missing("acme") is Reason.AUTH_TOKEN_EXPIRED
    await home.signed_in()  # what follows for mail fails too, and the sign-in counts all the same
    await home.token()


async def test_a_new_sign_in_ends_it(home: House) -> None:
    home.provider.withdraw(ACCOUNT)
    home.later(3600)
    await home.accounts.access_token("acme")
    before = home.accounts.grant("acme")
    home.later(1)
    await home.signed_in()
    assert home.gained == ["acme", "acme"]
    assert home.accounts.grant("acme") != before
    assert home.accounts.missing("acme") is None
    assert home.provider.good(ACCOUNT, await home.token())


async def test_an_answer_for_the_old_sign_in_does_not_undo_the_new_one(home: House) -> None:
    home.later(3600)
    home.provider.tell(Answer(status=400, body=b'{"error": "invalid_grant"}', after=0.2))
    asking = asyncio.create_task(home.accounts.access_token("acme"))
    await asyncio.sleep(0.05)
    await home.signed_in()
    found = await asking
    assert isinstance(found, Secret)
    assert home.provider.good(ACCOUNT, found.value)
    assert home.lost == []
    assert home.accounts.missing("acme") is None


async def test_consent_is_looked_after_though_no_mail_is_sent(home: House) -> None:
    home.provider.withdraw(ACCOUNT)
    home.later(3600 * 24 * 8)
    looking = asyncio.create_task(home.accounts.run())
    while not home.lost:
        await asyncio.sleep(0)
    looking.cancel()
    assert refreshes(home) == 1


async def test_accounts_that_are_in_use_are_not_asked_for(home: House) -> None:
    home.later(3600 * 24 * 6)
    looking = asyncio.create_task(home.accounts.run())
    while not home.pauses:
        await asyncio.sleep(0)
    looking.cancel()
    assert refreshes(home) == 0


# --- a token that a mail server does not take ---


async def test_a_refused_token_is_never_given_again(home: House) -> None:
    first = await home.token()
    second = await home.token(refused=Secret(first))
    assert second != first
    assert await home.token() == second
    assert await home.token(refused=Secret(first)) == second  # another courier was first with it
    assert refreshes(home) == 1


async def test_a_refused_token_is_not_given_though_the_provider_is_in_trouble(home: House) -> None:
    first = await home.token()
    home.provider.tell(Answer(status=500))
    assert isinstance(await home.accounts.access_token("acme", Secret(first)), Fault)


async def test_a_secret_that_the_provider_repeats_is_not_shown(home: House) -> None:
    home.later(3600)
    said = f"the token {home.provider.given[0]} of canary-client-secret is void"
    home.provider.tell(error("invalid_grant", description=said))
    await home.accounts.access_token("acme")
    state = home.accounts.state("acme")
    assert state is not None
    assert "the token *** of *** is void" in (state.withdrawn or "")
    assert "canary" not in repr(await home.events())


# --- settings ---


async def test_nobody_signed_in_yet(home: House) -> None:
    home.senders["globex"] = sender("globex", username="office@globex.example")
    fault = await home.accounts.access_token("globex")
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.TOKEN
    assert "office@globex.example" in fault.text
    assert home.accounts.missing("globex") is Reason.AUTH_TOKEN_EXPIRED


async def test_another_user_in_the_settings_needs_a_sign_in_of_its_own(home: House) -> None:
    home.senders["acme"] = sender(username="boss@acme.example")
    assert isinstance(await home.accounts.access_token("acme"), Fault)
    home.senders["acme"] = sender(username="Billing@ACME.example")
    await home.token()


async def test_a_sender_with_a_password_has_no_tokens(home: House) -> None:
    home.senders["acme"] = sender(oauth=None, password=Secret("x"))
    assert isinstance(await home.accounts.access_token("acme"), Fault)
    assert home.accounts.missing("acme") is None
    assert home.accounts.state("acme") is None


async def test_a_provider_that_left_the_config_is_the_operators_to_mend(home: House) -> None:
    home.settings = settings()
    fault = await home.accounts.access_token("acme")
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.INTERNAL


async def test_what_is_forgotten_is_gone(home: House) -> None:
    assert await home.accounts.forget("acme", by="cli")
    assert not await home.accounts.forget("acme", by="cli")
    assert isinstance(await home.accounts.access_token("acme"), Fault)
    await home.restart()
    assert isinstance(await home.accounts.access_token("acme"), Fault)
    changed = [event.detail for event in await home.events() if event.type is EventType.SENDER_CHANGED]
    assert changed == [{"keys": "upstream.oauth", "by": "test"}, {"keys": "upstream.oauth", "by": "cli"}]


async def test_who_gets_the_id_of_a_sender_that_is_gone_has_not_signed_in(home: House) -> None:
    """Also when the provider's answer comes after the sender went."""
    home.later(3600)
    home.provider.tell(Answer(after=0.1, then=True))
    asking = asyncio.create_task(home.accounts.access_token("acme"))
    await asyncio.sleep(0.03)
    before = len(await home.events())
    await home.store.forget(KIND, "acme")  # as the book of senders does
    assert await home.accounts.forget("acme", by=None)
    assert isinstance(await asking, Fault)
    assert await home.store.recall(KIND) == {}
    assert len(await home.events()) == before
    assert home.accounts.missing("acme") is Reason.AUTH_TOKEN_EXPIRED


# --- secrets ---


async def test_nothing_secret_is_in_the_store_the_journal_or_a_repr(home: House) -> None:
    token = await home.token()
    home.later(3600)
    await home.token()
    facts = await home.store.recall(KIND)
    shown = repr(facts) + repr(await home.events()) + repr(vars(home.accounts)) + repr(vars(home.sign_ins))
    for secret in (token, *home.provider.given, "canary-client-secret"):
        assert secret not in shown
    assert "sealed" in facts["acme"]


async def test_a_sealed_token_opens_for_its_sender_alone(home: House) -> None:
    fact = (await home.store.recall(KIND))["acme"]
    await home.store.remember(KIND, "globex", fact)
    home.senders["globex"] = sender("globex")
    await home.restart()
    assert home.accounts.unreadable() == ["globex"]
    fault = await home.accounts.access_token("globex")
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.INTERNAL
    assert home.provider.asked == []


@pytest.mark.parametrize("other", [None, b"o" * 32], ids=["missing", "another"])
async def test_without_the_master_key_mail_waits_until_it_is_back(home: House, other: bytes | None) -> None:
    key, home.master = home.master, MasterKey(other, stand_in=b"s" * 32, problem="master.key is missing")
    await home.restart()
    fault = await home.accounts.access_token("acme")
    assert isinstance(fault, Fault)
    assert classify(fault, Role.UPSTREAM).fate is Fate.DEFERRED
    assert home.lost == []
    assert home.accounts.unreadable() == ["acme"]
    home.master = key
    await home.restart()
    await home.token()


async def test_a_fact_that_can_not_be_read_is_a_sign_in_to_be_done_again(home: House) -> None:
    await home.store.remember(KIND, "acme", {"provider": "microsoft"})
    await home.restart()
    assert home.accounts.missing("acme") is Reason.AUTH_TOKEN_EXPIRED
