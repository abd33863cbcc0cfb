"""Every rung but `upstream` under the strictest DMARC policy, judged by libraries that share nothing with us:
dkimpy and authheaders for DKIM and DMARC, the sandbox's receiver for SPF."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Mapping
from typing import Any

import authheaders
import pytest
from authres import SPFAuthenticationResult

from relayd.sandbox import verify

KEY = "r1._domainkey.globex.example"
EGRESS = {"families": ["ipv4"], "retry_after": ["1s"], "answer_within": "0s", "egress": ["127.0.0.1"]}
INCLUDE = "v=spf1 include:my.platform.example -all"
STRICT = "v=DMARC1; p=reject; adkim=s; aspf=s"
RELAXED = "v=DMARC1; p=reject"
GLOBEX = {"name": "Globex", "address": "office@globex.example", "confirmed": True, "send_as": "own"}
OWN_HOST, PLATFORMS_HOST = "bounce.globex.example", "bounce.my.platform.example"


async def hand_in(daemon: Any, mail_from: str = "office@globex.example", *to: str) -> tuple[int, str]:
    content = b"From: Globex <office@globex.example>\r\nTo: k@customer.example\r\nSubject: 1\r\n\r\nText\r\n"

    def send() -> tuple[int, bytes]:
        with smtplib.SMTP("127.0.0.1", daemon.port, timeout=30) as smtp:
            smtp.ehlo("app")
            assert smtp.mail(mail_from)[0] == 250
            for recipient in to or ("kunde@customer.example",):
                assert smtp.rcpt(recipient)[0] == 250
            return smtp.data(b"X-Relayd-Sender: globex\r\n" + content)

    code, text = await asyncio.to_thread(send)
    return code, text.decode()


def dmarc(world: Any, got: Any, *, by: str = "spf dkim") -> tuple[str, str]:
    """What DMARC comes to for a received message, and for which domain: looking at SPF, at DKIM, or both."""

    def text(name: str) -> str | None:
        found = world.txt(name.encode())
        return found.decode() if found else None

    spf = dkim = None
    if "spf" in by:
        domain = got.mail_from.rpartition("@")[2] or "relay.my.platform.example"
        outcome = verify.spf_result(domain, got.ip, world.zone)
        spf = SPFAuthenticationResult(result=outcome, smtp_mailfrom=got.mail_from)
    if "dkim" in by:
        dkim = authheaders.check_dkim(got.content, dnsfunc=world.txt)
    result = authheaders.check_dmarc(got.content, spf_result=spf, dkim_result=dkim, dnsfunc=text)
    return result.result, result.header_from


def publish(world: Any, *, key: bool, spf: bool, host: bool, policy: str = STRICT) -> None:
    if not key:
        world.zone.remove(KEY)
    if spf:
        world.zone.add("globex.example", "TXT", INCLUDE)
    if host:
        world.zone.add(OWN_HOST, "CNAME", PLATFORMS_HOST)
    for domain in ("globex.example", "my.platform.example"):
        world.zone.add(f"_dmarc.{domain}", "TXT", policy)


def last(daemon: Any, type: str) -> Mapping[str, Any] | None:
    return next((event for event in reversed(daemon.events()) if event["type"] == type), None)


def proven(daemon: Any) -> list[tuple[str | None, str]]:
    return [(e.get("sender"), e["proof"]) for e in daemon.events() if e["type"] == "proven"]


@pytest.mark.parametrize(
    ("shown", "author", "rung", "proof", "return_path"),
    [
        ((), "my.platform.example", "default", "platform", PLATFORMS_HOST),
        (("key",), "globex.example", "own", "dkim", PLATFORMS_HOST),
        (("key", "spf", "host"), "globex.example", "own", "dkim", OWN_HOST),
        (("spf", "host"), "globex.example", "own", "spf", "globex.example"),
    ],
)
async def test_dmarc_passes_on_every_rung(
    make_world: Any, shown: tuple[str, ...], author: str, rung: str, proof: str, return_path: str
) -> None:
    async with make_world(delivery=EGRESS) as world:
        publish(world, **{name: name in shown for name in ("key", "spf", "host")})
        await world.daemon.start()
        assert (await hand_in(world.daemon))[0] == 250

        [got] = await world.receiver.wait_for(1)
        assert dmarc(world, got) == ("pass", author)
        local, _, domain = got.mail_from.rpartition("@")
        assert domain == return_path
        assert (local == "office") == (proof == "spf")
        await world.daemon.until(lambda: last(world.daemon, "delivered") is not None, "delivered")
        event = last(world.daemon, "delivered")
        assert event is not None
        assert (event["rung"], event["proof"]) == (rung, proof)
        assert event["bounces"] == ("customer" if proof == "spf" else "tracked")


async def test_with_the_return_path_in_the_own_domain_spf_and_dkim_pass_each_by_itself(
    make_world: Any,
) -> None:
    async with make_world(delivery=EGRESS) as world:
        publish(world, key=True, spf=False, host=True, policy=RELAXED)
        await world.daemon.start()
        await hand_in(world.daemon)

        [got] = await world.receiver.wait_for(1)
        assert dmarc(world, got, by="spf") == ("pass", "globex.example")
        assert dmarc(world, got, by="dkim") == ("pass", "globex.example")
        assert got.mail_from.endswith(f"@{OWN_HOST}")


async def test_by_spf_recipients_of_a_hop_share_a_transaction_and_the_platform_signs(make_world: Any) -> None:
    async with make_world(delivery=EGRESS) as world:
        publish(world, key=False, spf=True, host=False)
        await world.daemon.start()
        await hand_in(world.daemon, "office@globex.example", "a@customer.example", "b@customer.example")

        [got] = await world.receiver.wait_for(1)
        assert got.recipients == ("a@customer.example", "b@customer.example")
        assert got.mail_from == "office@globex.example"
        assert world.verified(got.content) == ["my.platform.example"]


async def test_mail_without_a_return_path_is_never_sent_on_the_strength_of_spf(make_world: Any) -> None:
    async with make_world(delivery=EGRESS) as world:
        publish(world, key=False, spf=True, host=False)
        await world.daemon.start()
        await hand_in(world.daemon, "")

        [got] = await world.receiver.wait_for(1)
        assert got.mail_from == ""
        assert dmarc(world, got) == ("pass", "my.platform.example")
        await world.daemon.until(lambda: last(world.daemon, "accepted") is not None, "accepted")
        event = last(world.daemon, "accepted")
        assert event is not None
        assert (event["rung"], event["reason"]) == ("default", "sender.unproven")


async def test_what_waits_for_spf_leaves_when_the_record_is_published(make_world: Any) -> None:
    senders = {"globex": {**GLOBEX, "if_unproven": "hold"}}
    async with make_world(delivery=EGRESS, senders=senders) as world:
        publish(world, key=False, spf=False, host=False)
        await world.daemon.start()
        code, text = await hand_in(world.daemon)
        assert (code, "held sender.unproven" in text) == (250, True)
        await world.daemon.stop()
        assert world.receiver.received == []

        world.zone.add("globex.example", "TXT", INCLUDE)
        await world.daemon.start()  # its first look finds the record

        [got] = await world.receiver.wait_for(1)
        assert got.mail_from == "office@globex.example"
        assert dmarc(world, got) == ("pass", "globex.example")
        await world.daemon.until(lambda: ("globex", "spf") in proven(world.daemon), "proven")


async def test_other_egress_addresses_void_what_spf_proved(make_world: Any) -> None:
    async with make_world(delivery=EGRESS) as world:
        publish(world, key=False, spf=True, host=False)
        await world.daemon.start()
        await hand_in(world.daemon)
        [first] = await world.receiver.wait_for(1)
        assert first.mail_from == "office@globex.example"
        await world.daemon.stop()

        named = world.daemon.config.read_text()
        world.daemon.config.write_text(named.replace("- 127.0.0.1\n", "- 127.0.0.1\n  - 192.0.2.1\n", 1))
        await world.daemon.start()
        await hand_in(world.daemon)
        _, second = await world.receiver.wait_for(2)
        assert second.mail_from.endswith(PLATFORMS_HOST)
        assert dmarc(world, second) == ("pass", "my.platform.example")


async def test_behind_a_smarthost_spf_proves_nothing_until_its_addresses_are_named(make_world: Any) -> None:
    async with make_world(platform={"smarthost": {"host": "127.0.0.1", "port": 2, "tls": "none"}}) as world:
        await world.daemon.start()
        async with asyncio.timeout(30):  # it is said once DNS was asked about ourselves
            while "the smarthost's addresses are not known" not in (
                out := (await world.daemon.command("status"))[1]
            ):
                pass
        assert "name them in delivery.egress" in out


async def test_behind_a_smarthost_its_addresses_need_no_names_of_ours(make_world: Any) -> None:
    smarthost = {"smarthost": {"host": "127.0.0.1", "port": 2, "tls": "none"}}
    async with make_world(platform=smarthost, delivery={**EGRESS, "families": ["ipv6", "ipv4"]}) as world:
        await world.daemon.start()
        _, out, _ = await world.daemon.command("status")
        assert "IPv6" not in out
        assert "delivery.egress" not in out
