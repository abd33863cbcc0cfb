from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from relayd.core import headers, tokens
from relayd.core.mail import Hop, IfUnproven, Message, Proof, Route, Rung, Submission
from relayd.core.policy import RETURN_HOST, Claim, Refusal
from relayd.core.reasons import Reason
from relayd.core.sender import Tls, Upstream
from relayd.dressing import Dressed, SigningFailed

NOW = datetime(2026, 11, 22, 5, 11, 49, tzinfo=UTC)
ID = tokens.message_id(NOW, b"0123456789")
LOGIN = Upstream(host="smtp.acme.example", port=587, tls=Tls.STARTTLS)
PLATFORM_KEY = ("my.platform.example", Proof.DKIM)
OWN_KEY = ("acme.example", Proof.DKIM)
OWN_SPF = ("acme.example", Proof.SPF)
RETURN_PATH = ("acme.example", RETURN_HOST)


@pytest.fixture
def dress(workshop, make_sender, make_submission):
    async def run(
        *, now: datetime = NOW, submission: Submission | None = None, **changes
    ) -> Dressed | Refusal:
        return await workshop.dresser.dress(submission or make_submission(), make_sender(**changes), ID, now)

    return run


def kept(dressed: Dressed, submission: Submission) -> Message:
    return Message(
        id=ID,
        sender="acme",
        ref=None,
        submission=submission,
        dressing=dressed.dressing,
        recipients=dressed.recipients,
    )


async def test_on_the_default_address_every_recipient_has_a_return_path_of_its_own(workshop, dress) -> None:
    dressed = await dress()
    assert (dressed.dressing.rung, dressed.dressing.proof) == (Rung.DEFAULT, Proof.PLATFORM)
    assert dressed.held is None
    for index, recipient in enumerate(dressed.recipients):
        local, _, domain = recipient.return_path.partition("@")
        assert domain == "bounce.my.platform.example"
        named = tokens.verify(workshop.vault.return_path_key, local, domain)
        assert named == tokens.Token(message=ID, recipient=index)
    assert [r.hop for r in dressed.recipients] == [
        Hop(Route.DIRECT, "example.com"),
        Hop(Route.DIRECT, "example.org"),
    ]


async def test_signatures_stand_on_top_of_the_dressed_header(dress) -> None:
    header = (await dress(send_as=Rung.OWN)).dressing.header
    names = [name for name, _ in headers.parse(header).fields]
    assert names == [
        *("dkim-signature", "dkim-signature", "received"),
        *("from", "to", "subject", "date", "message-id"),
    ]


async def test_through_an_upstream_the_return_path_is_the_own_address(dress) -> None:
    dressed = await dress(send_as=Rung.UPSTREAM, upstream=LOGIN)
    assert {r.return_path for r in dressed.recipients} == {"billing@acme.example"}
    assert {r.hop for r in dressed.recipients} == {Hop(Route.UPSTREAM, "acme")}


async def test_a_null_return_path_stays_null(dress, make_submission) -> None:
    dressed = await dress(submission=make_submission(mail_from=None))
    assert {r.return_path for r in dressed.recipients} == {""}


async def test_without_a_return_path_domain_bounces_come_to_the_platforms(
    make_workshop, make_submission, make_sender
) -> None:
    workshop = make_workshop(return_path=None)
    dressed = await workshop.dresser.dress(make_submission(), make_sender(), ID, NOW)
    assert dressed.recipients[0].return_path.endswith("@my.platform.example")


async def test_with_a_smarthost_everything_goes_there(make_workshop, make_submission, make_sender) -> None:
    workshop = make_workshop(smarthost={"host": "smtp.host.example"})
    dressed = await workshop.dresser.dress(make_submission(), make_sender(), ID, NOW)
    assert {r.hop for r in dressed.recipients} == {Hop(Route.SMARTHOST, "")}


async def test_the_same_input_gives_the_same_octets_whenever_it_is_dressed(dress) -> None:
    first, again = await dress(send_as=Rung.OWN), await dress(send_as=Rung.OWN)
    assert first == again
    later = await dress(send_as=Rung.OWN, now=NOW + timedelta(days=3))
    assert later.recipients == first.recipients
    changed = [
        (one, other)
        for one, other in zip(
            first.dressing.header.split(b"\r\n"), later.dressing.header.split(b"\r\n"), strict=True
        )
        if one != other
    ]
    assert all(b" t=" in one or b"\tb=" in one or one.startswith(b"\t ") for one, _ in changed)


async def test_what_must_wait_keeps_the_header_that_was_submitted(dress, workshop, make_submission) -> None:
    workshop.published.domains.discard("acme.example")
    dressed = await dress(send_as=Rung.OWN, if_unproven=IfUnproven.HOLD)
    assert dressed.held is dressed.dressing.reason is Reason.SENDER_UNPROVEN
    assert dressed.dressing.proof is None
    assert dressed.dressing.header == make_submission().header


async def test_while_our_own_key_is_not_seen_mail_is_signed_and_waits(dress, workshop) -> None:
    workshop.published.domains.clear()
    dressed = await dress()
    assert dressed.held is Reason.SIGNING_FAILED
    assert dressed.dressing.header.startswith(b"DKIM-Signature:")


async def test_a_refused_login_is_seen_at_the_next_dressing(dress, workshop) -> None:
    workshop.login_refused["acme"] = Reason.AUTH_WRONG_PASSWORD
    dressed = await dress(send_as=Rung.UPSTREAM, upstream=LOGIN)
    assert (dressed.dressing.rung, dressed.dressing.reason) == (Rung.DEFAULT, Reason.AUTH_WRONG_PASSWORD)


@pytest.mark.parametrize(
    ("header", "code", "enhanced", "reason"),
    [
        (b"To: b@example.com\r\n", 554, "5.6.0", Reason.MESSAGE_MALFORMED),
        (b"From: a@b.example, c@d.example\r\n", 554, "5.6.0", Reason.MESSAGE_MALFORMED),
        (b"From: a@b.example\r\nTo: x\r\nTo: y\r\n", 554, "5.6.0", Reason.MESSAGE_MALFORMED),
        (b"garbage\r\n", 554, "5.6.0", Reason.MESSAGE_MALFORMED),
        (b"From: a@b.example\r\n" + b"Received: x\r\n" * 30, 554, "5.4.6", Reason.MESSAGE_LOOP),
    ],
)
async def test_a_header_that_can_not_be_dressed_is_refused(
    dress, make_submission, header: bytes, code: int, enhanced: str, reason: Reason
) -> None:
    refusal = await dress(submission=make_submission(header=header))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.enhanced, refusal.reason) == (code, enhanced, reason)


async def test_a_from_that_is_not_the_senders_is_refused_where_it_would_be_kept(
    dress, make_submission
) -> None:
    header = b"From: else@acme.example\r\n"
    refusal = await dress(submission=make_submission(header=header), send_as=Rung.OWN)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.POLICY_FROM_MISMATCH
    assert isinstance(await dress(submission=make_submission(header=header)), Dressed)


async def test_a_header_that_can_not_be_signed_does_not_leave(workshop, make_sender, make_submission) -> None:
    submission = make_submission(body_hash=None)
    with pytest.raises(SigningFailed):
        await workshop.dresser.dress(submission, make_sender(), ID, NOW)


async def test_a_name_that_can_not_be_written_is_a_fault_of_ours(
    make_workshop, make_sender, make_submission
) -> None:
    workshop = make_workshop()
    broken = dataclasses.replace(make_sender().default_address, local="a\r\nb")
    with pytest.raises(SigningFailed):
        await workshop.dresser.dress(make_submission(), make_sender(default_address=broken), ID, NOW)


async def test_a_parsed_header_is_not_parsed_again(workshop, make_sender, make_submission) -> None:
    submission = make_submission()
    block = headers.parse(submission.header)
    given = await workshop.dresser.dress(submission, make_sender(), ID, NOW, block)
    assert given == await workshop.dresser.dress(submission, make_sender(), ID, NOW)


@pytest.mark.parametrize(
    ("changes", "shown", "asked"),
    [
        ({}, [OWN_KEY], [PLATFORM_KEY]),
        ({"send_as": Rung.OWN}, [], [OWN_KEY, OWN_SPF, PLATFORM_KEY]),
        ({"send_as": Rung.OWN}, [OWN_KEY], [OWN_KEY, PLATFORM_KEY]),
        # a return-path host is looked for when it was there, and might be gone
        ({"send_as": Rung.OWN}, [OWN_KEY, RETURN_PATH], [OWN_KEY, RETURN_PATH, PLATFORM_KEY]),
        ({"send_as": Rung.OWN, "confirmed": False}, [OWN_KEY], [PLATFORM_KEY]),
        ({"send_as": Rung.UPSTREAM, "upstream": LOGIN}, [], [OWN_KEY, PLATFORM_KEY]),
    ],
)
async def test_dns_is_asked_only_for_what_the_wanted_rung_needs(
    dress,
    workshop,
    changes: dict[str, object],
    shown: list[tuple[str, Claim]],
    asked: list[tuple[str, Claim]],
) -> None:
    workshop.published.domains = {domain for domain, claim in [*shown, PLATFORM_KEY] if claim is Proof.DKIM}
    workshop.published.hosts = {domain for domain, claim in shown if claim == RETURN_HOST}
    await dress(**changes)
    assert workshop.published.asked == []
    workshop.published.lately = False
    await dress(**changes)
    assert sorted(workshop.published.asked) == sorted(asked)


async def test_while_spf_proves_the_address_no_mail_waits_for_news_of_a_key(dress, workshop) -> None:
    workshop.published.domains.discard("acme.example")
    workshop.published.spf = {"acme.example"}
    workshop.published.stale = {Proof.DKIM}
    dressed = await dress(send_as=Rung.OWN)
    assert (dressed.dressing.proof, workshop.published.asked) == (Proof.SPF, [PLATFORM_KEY])

    # but a key that was there is asked for: what was signed with it stands as long as it is there
    workshop.published.domains.add("acme.example")
    dressed = await dress(send_as=Rung.OWN)
    assert dressed.dressing.proof is Proof.DKIM


class TestStands:
    """Before the first attempt the proof is looked at again."""

    @pytest.fixture
    def message(self, dress, make_submission) -> Callable[..., object]:
        async def make(**changes: object) -> Message:
            return kept(await dress(**changes), make_submission())

        return make

    async def test_nothing_changed(self, workshop, message, make_sender) -> None:
        for changes in ({}, {"send_as": Rung.OWN}, {"send_as": Rung.UPSTREAM, "upstream": LOGIN}):
            assert await workshop.dresser.stands(await message(**changes), make_sender(**changes))

    async def test_the_key_is_gone(self, workshop, message, make_sender) -> None:
        own = await message(send_as=Rung.OWN)
        workshop.published.domains.discard("acme.example")
        assert not await workshop.dresser.stands(own, make_sender(send_as=Rung.OWN))

    async def test_the_key_it_is_signed_with_was_replaced(self, workshop, message, make_sender) -> None:
        own, default = await message(send_as=Rung.OWN), await message()
        assert not workshop.dresser.outdated(own, make_sender(send_as=Rung.OWN))
        workshop.published.swapped = True
        assert workshop.dresser.outdated(own, make_sender(send_as=Rung.OWN))
        assert workshop.dresser.outdated(default, make_sender())

    async def test_spf_no_longer_passes(self, workshop, message, make_sender) -> None:
        workshop.published.domains.discard("acme.example")
        workshop.published.spf = {"acme.example"}
        own = await message(send_as=Rung.OWN)
        assert own.dressing.proof is Proof.SPF
        assert await workshop.dresser.stands(own, make_sender(send_as=Rung.OWN))
        workshop.published.spf.clear()
        assert not await workshop.dresser.stands(own, make_sender(send_as=Rung.OWN))

    async def test_a_better_proof_that_comes_undoes_nothing(self, workshop, message, make_sender) -> None:
        """Mail that was tried already keeps its dressing, and must not wait because of a key."""
        workshop.published.domains.discard("acme.example")
        workshop.published.spf = {"acme.example"}
        own = await message(send_as=Rung.OWN)
        workshop.published.domains.add("acme.example")
        assert await workshop.dresser.stands(own, make_sender(send_as=Rung.OWN))
        # the key stands for nothing here: the message isn't signed with it for that domain
        workshop.published.spf.clear()
        assert not await workshop.dresser.stands(own, make_sender(send_as=Rung.OWN))

    @pytest.mark.parametrize("by", [Proof.SPF, Proof.DKIM])
    async def test_the_sender_now_wants_its_own_server(
        self, workshop, message, make_sender, by: Proof
    ) -> None:
        if by is Proof.SPF:
            workshop.published.domains.discard("acme.example")
        workshop.published.spf = workshop.published.hosts = {"acme.example"}
        own = await message(send_as=Rung.OWN)
        assert own.dressing.proof is by
        assert await workshop.dresser.stands(own, make_sender(send_as=Rung.UPSTREAM, upstream=LOGIN))
        assert not await workshop.dresser.stands(own, make_sender())

    async def test_the_host_of_its_return_path_no_longer_leads_to_us(
        self, workshop, message, make_sender
    ) -> None:
        workshop.published.hosts = {"acme.example"}
        own = await message(send_as=Rung.OWN)
        assert own.recipients[0].return_path.endswith("@bounce.acme.example")
        workshop.published.hosts.clear()
        assert not await workshop.dresser.stands(own, make_sender(send_as=Rung.OWN))

    async def test_the_sender_no_longer_wants_it(self, workshop, message, make_sender) -> None:
        assert not await workshop.dresser.stands(await message(send_as=Rung.OWN), make_sender())

    async def test_our_own_key_is_gone(self, workshop, message, make_sender) -> None:
        plain = await message()
        workshop.published.domains.clear()
        assert not await workshop.dresser.stands(plain, make_sender())

    async def test_what_was_held_undressed_is_dressed_first(self, workshop, message, make_sender) -> None:
        workshop.published.domains.discard("acme.example")
        wants = {"send_as": Rung.OWN, "if_unproven": IfUnproven.HOLD}
        waiting = await message(**wants)
        workshop.published.domains.add("acme.example")
        assert not await workshop.dresser.stands(waiting, make_sender(**wants))

    async def test_a_refused_login_leaves_what_was_accepted_where_it_is(
        self, workshop, message, make_sender
    ) -> None:
        wants = {"send_as": Rung.UPSTREAM, "upstream": LOGIN}
        accepted = await message(**wants)
        workshop.login_refused["acme"] = Reason.AUTH_WRONG_PASSWORD
        assert await workshop.dresser.stands(accepted, make_sender(**wants))


class TestMoved:
    """A smarthost came or went: mail in its dressing takes the other way."""

    SMARTHOST: ClassVar = {"host": "smtp.example.net"}

    @pytest.mark.parametrize("rung", [Rung.DEFAULT, Rung.OWN])
    async def test_to_a_smarthost_and_back(
        self, make_workshop, workshop, dress, make_submission, rung: Rung
    ) -> None:
        direct = kept(await dress(send_as=rung), make_submission())
        behind = make_workshop(smarthost=self.SMARTHOST).dresser
        moved = behind.moved(direct, direct.recipients)
        assert {r.hop for r in moved} == {Hop(Route.SMARTHOST, "")}
        assert [(r.index, r.address, r.return_path) for r in moved] == [
            (r.index, r.address, r.return_path) for r in direct.recipients
        ]
        assert behind.moved(direct, moved) == ()
        assert workshop.dresser.moved(direct, moved) == direct.recipients
        assert workshop.dresser.moved(direct, moved[:1]) == direct.recipients[:1]

    async def test_a_sender_s_own_server_stays_where_it_is(
        self, make_workshop, dress, make_submission
    ) -> None:
        own_server = kept(await dress(send_as=Rung.UPSTREAM, upstream=LOGIN), make_submission())
        behind = make_workshop(smarthost=self.SMARTHOST).dresser
        assert behind.moved(own_server, own_server.recipients) == ()

    async def test_what_is_not_dressed_yet_has_no_way_yet(
        self, make_workshop, workshop, dress, make_submission
    ) -> None:
        workshop.published.domains.discard("acme.example")
        waiting = kept(await dress(send_as=Rung.OWN, if_unproven=IfUnproven.HOLD), make_submission())
        assert make_workshop(smarthost=self.SMARTHOST).dresser.moved(waiting, waiting.recipients) == ()
