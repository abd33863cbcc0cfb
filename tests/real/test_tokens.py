"""Postfix with Dovecot as a customer's submission server that takes access tokens and no passwords."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relayd.core.mail import Hop, Route
from relayd.core.reasons import Reason
from relayd.core.reply import Reply, Stage
from relayd.core.sender import Tls, Upstream
from relayd.core.verdict import Fate
from relayd.sandbox.receiver import Receiver

from ..couriers.conftest import World, authority, contexts, letter, world
from ..identity.oauth_house import ACCOUNT, House, house
from .dovecot_instance import Dovecot, dovecot
from .dovecot_instance import why_not as why_no_dovecot
from .postfix_instance import postfix, why_not

WHY_NOT = why_not() or why_no_dovecot()

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(60),
    pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or ""),
]

__all__ = ["authority", "contexts", "world"]

HOP = Hop(Route.UPSTREAM, "acme")


@pytest.fixture
async def elsewhere() -> AsyncIterator[Receiver]:
    """Where Postfix hands on what it took."""
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    """A provider at whom the customer has signed in."""
    async with house(tmp_path, certificate=None) as made:
        await made.signed_in()
        yield made


@contextmanager
def submission(world: World, elsewhere: Receiver, home: House) -> Iterator[tuple[int, Dovecot]]:
    with dovecot({}, tokeninfo=f"{home.provider.url}/tokeninfo?token=") as running:
        settings = {
            "myhostname": "smtp.acme.example",
            "relayhost": f"[127.0.0.1]:{elsewhere.port}",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_sasl_authenticated_header": "yes",
            **running.postfix_settings,
        }
        with postfix(settings, world.authority.issue("smtp.acme.example")) as port:
            yield port, running


def server(port: int, mechanism: str | None = None) -> Upstream:
    return Upstream(
        host="smtp.acme.example",
        port=port,
        tls=Tls.STARTTLS,
        username=ACCOUNT,
        oauth="microsoft",
        mechanism=mechanism,
    )


@pytest.mark.parametrize("mechanism", [None, "XOAUTH2", "OAUTHBEARER"])
async def test_postfix_and_dovecot_take_our_token_and_our_mail(
    world: World, elsewhere: Receiver, home: House, mechanism: str | None
) -> None:
    mail = letter("bob@customer.example", hop=HOP, return_path=ACCOUNT)
    with submission(world, elsewhere, home) as (port, _):
        courier = world.upstream(server(port, mechanism), tokens=home.accounts)
        (attempt,) = await courier.deliver(mail.parcel, mail.body)
        (received, *_) = await elsewhere.wait_for(1)
        await courier.close()
    assert attempt.verdict.fate is Fate.SENT
    assert f"(Authenticated sender: {ACCOUNT})".encode() in received.content


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
async def test_a_token_that_is_spent_before_its_time_is_fetched_anew(
    world: World, elsewhere: Receiver, home: House, mechanism: str
) -> None:
    mail = letter("bob@customer.example", hop=HOP, return_path=ACCOUNT)
    home.provider.spend()
    with submission(world, elsewhere, home) as (port, _):
        courier = world.upstream(server(port, mechanism), tokens=home.accounts)
        (attempt,) = await courier.deliver(mail.parcel, mail.body)
        await courier.close()
    assert attempt.verdict.fate is Fate.SENT
    assert [form["grant_type"] for form in home.provider.asked] == ["authorization_code", "refresh_token"]


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
async def test_tokens_of_another_account_are_tried_twice_and_never_again(
    world: World, elsewhere: Receiver, home: House, mechanism: str
) -> None:
    """The server wants another user than the one whose token it is."""
    mail = letter("bob@customer.example", hop=HOP, return_path=ACCOUNT)
    with submission(world, elsewhere, home) as (port, _):
        home.provider._refresh = dict.fromkeys(home.provider._refresh, "private@hobby.example")
        home.provider._access.clear()
        courier = world.upstream(server(port, mechanism), tokens=home.accounts)
        (first,) = await courier.deliver(mail.parcel, mail.body)
        (second,) = await courier.deliver(mail.parcel, mail.body)
    assert isinstance(first.evidence, Reply)
    assert (first.evidence.code, first.evidence.stage) == (535, Stage.AUTH)
    assert first.verdict.reason is Reason.AUTH_TOKEN_EXPIRED
    assert second.evidence == first.evidence
    assert len(home.provider.asked) == 2
