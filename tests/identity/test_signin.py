"""Signing in: who comes back, with what, and what is made of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from relayd.core.oauth import Problem
from relayd.identity.begun import CannotSignIn, SignIn
from relayd.identity.signin import VISITS
from relayd.sandbox.tokens import Answer, error
from relayd.store.contract import StoreFull

from .oauth_house import ACCOUNT, BACK, House, house, sender, settings


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


def asked(url: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}


# --- in a browser ---


async def test_the_page_asks_for_what_is_needed_and_shows_no_secret(home: House) -> None:
    begun = home.sign_ins.in_browser("acme", by="test")
    wanted = asked(begun.url)
    assert begun.url.startswith(home.provider.url + "/authorize?")
    assert (wanted["response_type"], wanted["redirect_uri"]) == ("code", BACK)
    assert wanted["code_challenge_method"] == "S256"
    assert len(wanted["code_challenge"]) == 43
    assert len(wanted["state"]) >= 43
    assert wanted["login_hint"] == ACCOUNT
    assert "offline_access" in wanted["scope"]
    assert "canary" not in begun.url


async def test_signing_in_connects_the_account(home: House) -> None:
    await home.signed_in()
    state = home.accounts.state("acme")
    assert state is not None
    assert (state.connected, state.account, state.provider) == (True, ACCOUNT, "microsoft")
    assert home.gained == ["acme"]
    assert home.provider.good(ACCOUNT, await home.token())
    ended = home.sign_ins.of("acme")
    assert ended is not None
    assert (ended.done, ended.problem, ended.language) == (True, None, "de")


async def test_google_is_asked_for_lasting_access(home: House) -> None:
    home.settings = settings(google=home.provider.config())
    home.senders["acme"] = sender(oauth="google")
    wanted = asked(home.sign_ins.in_browser("acme", by="test").url)
    assert (wanted["access_type"], wanted["prompt"]) == ("offline", "consent")
    await home.signed_in()


async def test_a_state_works_once(home: House) -> None:
    url = home.provider.sign_in(home.sign_ins.in_browser("acme", by="test").url, ACCOUNT)
    assert await home.come_back(url) is not None
    assert await home.come_back(url) is None
    assert len(home.provider.asked) == 1


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=abc",
        "state=&code=abc",
        "state=forged&code=abc",
        "state={state}x&code=abc",
        "state={state}&state={state}&code=abc",
        "state=" + "a" * 5000 + "&code=abc",
        "error=access_denied",
    ],
)
async def test_who_comes_back_without_our_state_is_nobody(home: House, query: str) -> None:
    state = asked(home.sign_ins.in_browser("acme", by="test").url)["state"]
    assert await home.come_back(f"{BACK}?{query.replace('{state}', state)}") is None
    assert home.provider.asked == []
    known = home.sign_ins.of("acme")
    assert known is not None
    assert not known.done


async def test_a_state_runs_out(home: House) -> None:
    url = home.provider.sign_in(home.sign_ins.in_browser("acme", by="test").url, ACCOUNT)
    home.later(901)
    ended = await home.come_back(url)
    assert ended is not None
    assert ended.problem is Problem.EXPIRED
    assert home.provider.asked == []


async def test_beginning_anew_ends_what_was_begun_before(home: House) -> None:
    first = home.provider.sign_in(home.sign_ins.in_browser("acme", by="test").url, ACCOUNT)
    home.sign_ins.in_browser("acme", by="test")
    assert await home.come_back(first) is None


async def test_a_restart_costs_one_more_click(home: House) -> None:
    url = home.provider.sign_in(home.sign_ins.in_browser("acme", by="test").url, ACCOUNT)
    await home.restart()
    assert await home.come_back(url) is None
    await home.signed_in()


async def problem_of(home: House, **changes: str) -> SignIn:
    begun = home.sign_ins.in_browser("acme", by="test")
    ended = await home.come_back(home.provider.sign_in(begun.url, ACCOUNT, **changes))
    assert ended is not None
    assert ended.problem is not None
    state = home.accounts.state("acme")
    assert state is not None
    assert not state.connected
    return ended


async def test_a_code_of_another_sign_in_is_worth_nothing(home: House) -> None:
    """Code injection: without the verifier of the sign-in it belongs to, the provider takes no code."""
    home.senders["evil"] = sender("evil", username="mallory@evil.example")
    other = home.sign_ins.in_browser("evil", by="test")
    stolen = asked(home.provider.sign_in(other.url, "mallory@evil.example"))["code"]
    assert (await problem_of(home, code=stolen)).problem is Problem.MIXED_UP


async def test_an_answer_of_another_issuer_is_not_taken_to_ours(home: House) -> None:
    """RFC 9207: the code is shown to nobody then."""
    assert (await problem_of(home, iss="https://evil.example")).problem is Problem.MIXED_UP
    assert home.provider.asked == []


async def test_our_own_issuer_is_fine(home: House) -> None:
    begun = home.sign_ins.in_browser("acme", by="test")
    ended = await home.come_back(home.provider.sign_in(begun.url, ACCOUNT, iss=home.provider.url))
    assert ended is not None
    assert ended.problem is None


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "another"}, {"iss": "https://evil.example"}, {"aud": "another-client"}, {"aud": ["a", "b"]}],
)
async def test_an_answer_that_was_meant_for_somebody_else_is_none(
    home: House, claims: dict[str, object]
) -> None:
    home.provider.claims = claims
    assert (await problem_of(home)).problem in (Problem.MIXED_UP, Problem.OURS)


async def test_a_mixed_up_provider_gets_no_code(home: House) -> None:
    """A state belongs to the provider it was made for: what comes back goes to that one's token server."""
    async with house_of_google(home) as google:
        home.settings = settings(microsoft=home.provider.config(), google=google.config())
        begun = home.sign_ins.in_browser("acme", by="test")
        code = "code-of-google"
        ended = await home.come_back(
            f"{BACK}?state={asked(begun.url)['state']}&code={code}&iss={google.url}x"
        )
        assert ended is not None
        assert ended.problem is not None
        assert google.asked == []


def house_of_google(home: House):  # type: ignore[no-untyped-def]
    return type(home.provider)(certificate=home.provider.certificate)


async def test_another_account_is_refused_and_named(home: House) -> None:
    begun = home.sign_ins.in_browser("acme", by="test")
    ended = await home.come_back(home.provider.sign_in(begun.url, "private@hobby.example"))
    assert ended is not None
    assert (ended.problem, ended.account, ended.username) == (
        Problem.OTHER_ACCOUNT,
        "private@hobby.example",
        ACCOUNT,
    )
    assert home.gained == []
    assert await home.events() == []


async def test_an_address_that_anybody_can_write_is_not_who_signed_in(home: House) -> None:
    """At Microsoft the claim `email` is what the account's owner wrote there."""
    home.provider.claims = {"preferred_username": "mallory@evil.example", "email": ACCOUNT}
    assert (await problem_of(home)).problem is Problem.OTHER_ACCOUNT


async def test_an_address_that_google_did_not_check_is_not_who_signed_in(home: House) -> None:
    home.settings = settings(google=home.provider.config())
    home.senders["acme"] = sender(oauth="google")
    home.provider.claims = {"email_verified": False, "nonce": None}
    begun = home.sign_ins.in_browser("acme", by="test")
    ended = await home.come_back(home.provider.sign_in(begun.url, ACCOUNT))
    assert ended is not None
    assert ended.account is None


async def test_without_mail_among_what_was_allowed_nothing_is_connected(home: House) -> None:
    home.provider.scope = "openid email"
    assert (await problem_of(home)).problem is Problem.NO_MAIL


async def test_a_permission_that_does_not_last_is_the_operators_to_mend(home: House) -> None:
    home.provider.tell(Answer(body=b'{"access_token": "a", "token_type": "Bearer", "expires_in": 3600}'))
    assert (await problem_of(home)).problem is Problem.NOT_LASTING


async def test_settings_that_changed_meanwhile_need_another_sign_in(home: House) -> None:
    url = home.provider.sign_in(home.sign_ins.in_browser("acme", by="test").url, ACCOUNT)
    home.senders["acme"] = sender(username="boss@acme.example")
    ended = await home.come_back(url)
    assert ended is not None
    assert ended.problem is Problem.CHANGED


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("access_denied", Problem.DENIED),
        ("temporarily_unavailable", Problem.PASSING),
        ("server_error", Problem.PASSING),
        ("unauthorized_client", Problem.OURS),
        ("login_required", Problem.MIXED_UP),
    ],
)
async def test_what_the_provider_says_instead_of_a_code(home: House, code: str, problem: Problem) -> None:
    state = asked(home.sign_ins.in_browser("acme", by="test").url)["state"]
    hostile = "%3Cscript%3Ealert(1)%3C/script%3E%1B%5B31m" + "x" * 3000
    ended = await home.come_back(f"{BACK}?state={state}&error={code}&error_description={hostile}")
    assert ended is not None
    assert ended.problem is problem
    assert "\x1b" not in ended.detail
    assert len(ended.detail) <= 500


@pytest.mark.parametrize("answer", [Answer(status=500), Answer(cut=True), error("temporarily_unavailable")])
async def test_a_provider_in_trouble_can_be_asked_again(home: House, answer: Answer) -> None:
    home.provider.tell(answer)
    assert (await problem_of(home)).problem is Problem.PASSING
    await home.signed_in()


async def test_who_comes_back_with_neither_code_nor_error_ends_the_sign_in(home: House) -> None:
    state = asked(home.sign_ins.in_browser("acme", by="test").url)["state"]
    ended = await home.come_back(f"{BACK}?state={state}")
    assert ended is not None
    assert ended.problem is Problem.MIXED_UP
    assert home.provider.asked == []


async def test_a_sign_in_that_nobody_finishes_is_over_some_time(home: House) -> None:
    home.sign_ins.in_browser("acme", by="test")
    home.later(901)
    found = home.sign_ins.of("acme")
    assert found is not None
    assert found.problem is Problem.EXPIRED


async def test_who_waits_for_a_sign_in_that_is_cancelled_hears_of_it(home: House) -> None:
    home.sign_ins.in_browser("acme", by="test")
    waiting = asyncio.create_task(home.sign_ins.wait("acme", 5))
    await asyncio.sleep(0)
    home.sign_ins.cancel("acme")
    assert await waiting is None


async def test_a_device_code_needs_a_provider_that_answers(home: House) -> None:
    home.provider.tell(Answer(cut=True))
    with pytest.raises(CannotSignIn) as refused:
        await home.sign_ins.on_device("acme", by="cli")
    assert refused.value.problem is Problem.PASSING


async def test_what_can_not_be_kept_is_not_connected(home: House) -> None:
    async def full(*args: object, **more: object) -> None:
        raise StoreFull("no space left")

    home.store.remember = full  # type: ignore[method-assign,assignment]
    assert (await problem_of(home)).problem is Problem.PASSING


async def test_a_sign_in_begins_only_where_the_settings_ask_for_one(home: House) -> None:
    home.senders["plain"] = sender("plain", oauth=None)
    home.senders["none"] = replace(sender("none"), upstream=None)
    home.senders["google"] = sender("google", oauth="google")
    for id, problem in {
        "ghost": Problem.NOT_WANTED,
        "plain": Problem.NOT_WANTED,
        "none": Problem.NOT_WANTED,
        "google": Problem.OURS,
    }.items():
        with pytest.raises(CannotSignIn) as refused:
            home.sign_ins.in_browser(id, by="test")
        assert refused.value.problem is problem
    home.page = None
    with pytest.raises(CannotSignIn) as refused:
        home.sign_ins.in_browser("acme", by="test")
    assert refused.value.problem is Problem.NO_PAGE


# --- on a device ---


async def ended(home: House) -> SignIn:
    found = await home.sign_ins.wait("acme", 5)
    assert found is not None
    assert found.done
    return found


async def test_a_code_on_a_device_connects_the_account(home: House) -> None:
    begun = await home.sign_ins.on_device("acme", by="cli")
    assert begun.user_code is not None
    home.provider.approve(begun.user_code, ACCOUNT)
    assert (await ended(home)).problem is None
    assert home.provider.good(ACCOUNT, await home.token())
    assert "canary" not in repr(begun)


async def test_the_provider_is_asked_as_often_as_it_likes(home: House) -> None:
    begun = await home.sign_ins.on_device("acme", by="cli")
    pending, slow = error("authorization_pending"), error("slow_down")
    home.provider.tell(pending, slow, pending, slow, pending, Answer(status=500), pending)
    home.provider.approve(begun.user_code or "", ACCOUNT)
    assert (await ended(home)).problem is None
    assert home.pauses == [1, 1, 6, 6, 11, 11, 22, 22]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("access_denied", Problem.DENIED),
        ("authorization_declined", Problem.DENIED),
        ("expired_token", Problem.EXPIRED),
        ("bad_verification_code", Problem.EXPIRED),
        ("unauthorized_client", Problem.OURS),
    ],
)
async def test_how_a_device_code_may_end(home: House, code: str, problem: Problem) -> None:
    await home.sign_ins.on_device("acme", by="cli")
    home.provider.tell(error("authorization_pending"), error(code))
    assert (await ended(home)).problem is problem
    assert len(home.provider.asked) == 2


async def test_a_device_code_that_nobody_types_in_runs_out(home: House) -> None:
    home.provider.interval = 60
    await home.sign_ins.on_device("acme", by="cli")
    assert (await ended(home)).problem is Problem.EXPIRED
    assert sum(home.pauses) >= 900


async def test_another_account_on_a_device_is_refused_too(home: House) -> None:
    begun = await home.sign_ins.on_device("acme", by="cli")
    home.provider.approve(begun.user_code or "", "private@hobby.example")
    assert (await ended(home)).problem is Problem.OTHER_ACCOUNT


HOSTILE = {
    "no page": b'{"device_code": "d", "user_code": "AB-CD"}',
    "a page that is a script": b'{"device_code": "d", "user_code": "A", "verification_uri": "script:x"}',
    "a page in clear": b'{"device_code": "d", "user_code": "A", "verification_uri": "http://evil.example/"}',
    "a page with a line end": b'{"device_code": "d", "user_code": "A", "verification_uri": "https://e.example/\\n"}',
    "an empty code": b'{"device_code": "d", "user_code": "\\u001b", "verification_uri": "https://e.example/"}',
    "a long code": b'{"device_code": "d", "user_code": "%s", "verification_uri": "https://e.example/"}'
    % (b"A" * 99),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
async def test_a_device_code_that_can_not_be_shown_is_none(home: House, body: bytes) -> None:
    home.provider.tell(Answer(body=body))
    with pytest.raises(CannotSignIn) as refused:
        await home.sign_ins.on_device("acme", by="cli")
    assert refused.value.problem is Problem.PASSING


async def test_a_provider_without_codes_for_devices_says_so(home: House) -> None:
    """Google gives devices no permission for mail."""
    google = {key: value for key, value in home.provider.config().items() if key != "device_url"}
    home.settings = settings(google=google)
    home.senders["acme"] = sender(oauth="google")
    with pytest.raises(CannotSignIn) as refused:
        await home.sign_ins.on_device("acme", by="cli")
    assert refused.value.problem is Problem.NO_DEVICE


async def test_a_registration_that_may_not_use_codes_is_the_operators_to_mend(home: House) -> None:
    home.provider.tell(error("unauthorized_client", description="AADSTS7000218"))
    with pytest.raises(CannotSignIn) as refused:
        await home.sign_ins.on_device("acme", by="cli")
    assert (refused.value.problem, refused.value.detail) == (
        Problem.OURS,
        "unauthorized_client: AADSTS7000218",
    )


async def test_beginning_anew_stops_asking_for_the_old_code(home: House) -> None:
    await home.sign_ins.on_device("acme", by="cli")
    begun = await home.sign_ins.on_device("acme", by="cli")
    home.provider.approve(begun.user_code or "", ACCOUNT)
    assert (await ended(home)).user_code == begun.user_code
    await home.sign_ins.close()


async def test_who_waits_hears_at_once(home: House) -> None:
    url = home.provider.sign_in(home.sign_ins.in_browser("acme", by="test").url, ACCOUNT)
    waiting = asyncio.create_task(home.sign_ins.wait("acme", 5))
    await asyncio.sleep(0)
    await home.come_back(url)
    found = await waiting
    assert found is not None
    assert found.done
    assert await home.sign_ins.wait("ghost", 5) is None


# --- agreeing ---


async def test_nothing_is_asked_of_the_provider_before_somebody_agrees(home: House) -> None:
    url = home.provider.sign_in(home.sign_ins.in_browser("acme", by="test").url, ACCOUNT)
    visit = home.sign_ins.come_back(parse_qs(urlsplit(url).query))
    assert visit is not None
    assert not visit.ended
    assert visit.sign_in.customer == "ACME"
    assert home.sign_ins.visit(visit.ticket) == visit
    assert home.provider.asked == []
    state = home.accounts.state("acme")
    assert state is not None
    assert not state.connected

    agreed = await home.sign_ins.agree(visit.ticket)
    assert agreed is not None
    assert (agreed.ended, agreed.sign_in.problem) == (True, None)
    assert await home.sign_ins.agree(visit.ticket) == agreed  # pressed twice
    assert home.sign_ins.visit(visit.ticket) == agreed
    assert len(home.provider.asked) == 1


async def test_who_agrees_too_late_begins_again(home: House) -> None:
    url = home.provider.sign_in(home.sign_ins.in_browser("acme", by="test").url, ACCOUNT)
    visit = home.sign_ins.come_back(parse_qs(urlsplit(url).query))
    assert visit is not None
    home.later(901)
    agreed = await home.sign_ins.agree(visit.ticket)
    assert agreed is not None
    assert agreed.sign_in.problem is Problem.EXPIRED
    assert home.provider.asked == []


async def test_another_sign_in_ends_what_nobody_agreed_to(home: House) -> None:
    url = home.provider.sign_in(home.sign_ins.in_browser("acme", by="test").url, ACCOUNT)
    visit = home.sign_ins.come_back(parse_qs(urlsplit(url).query))
    assert visit is not None
    home.sign_ins.in_browser("acme", by="test")
    assert home.sign_ins.visit(visit.ticket) is None
    assert await home.sign_ins.agree(visit.ticket) is None
    assert await home.sign_ins.agree("guessed") is None
    assert home.provider.asked == []


async def test_only_so_many_comings_back_are_kept(home: House) -> None:
    tickets = []
    for number in range(VISITS + 5):
        home.senders[f"s{number}"] = sender(f"s{number}")
        url = home.provider.sign_in(home.sign_ins.in_browser(f"s{number}", by="test").url, ACCOUNT)
        visit = home.sign_ins.come_back(parse_qs(urlsplit(url).query))
        assert visit is not None
        tickets.append(visit.ticket)
    assert home.sign_ins.visit(tickets[0]) is None
    assert home.sign_ins.visit(tickets[-1]) is not None
