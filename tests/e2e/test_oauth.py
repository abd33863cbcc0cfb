"""A customer who signs in at a provider: the whole daemon, a provider and a mail server on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
import urllib.parse
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import pytest

from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Offers, Receiver
from relayd.sandbox.script import Action, At, End
from relayd.sandbox.tokens import Answer, TokenServer, error

from ..conftest import PATIENCE, Daemon, MakeWorld, World
from .test_confirming import chromium, fits, needs_chromium

ACCOUNT = "billing@acme.example"
HOST = "smtp.acme.example"

Invoice = Callable[..., EmailMessage]


@dataclass(kw_only=True)
class Trade:
    world: World
    provider: TokenServer
    server: Receiver
    page: str

    @property
    def daemon(self) -> Daemon:
        return self.world.daemon

    async def submit(self, *letters: EmailMessage) -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.daemon.port, start_tls=False)
        async with client:
            for letter in letters:
                await client.send_message(letter, sender=ACCOUNT)

    async def sign_in(self, account: str = ACCOUNT, *, language: str = "de") -> tuple[int, str]:
        """`relayd upstream login`, and a person with a browser."""
        command = asyncio.create_task(self.daemon.command("upstream", "login", "acme", "--json"))
        begun = await self.begun()
        back = self.provider.sign_in(begun["url"], account)
        async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
            answer = await browser.get(back, headers={"Accept-Language": language})
            assert "Acme" in answer.text
            answer = await browser.post(answer.url, data={"form": ""})
        code, out, err = await command
        assert begun["url"] in out, err
        return code, answer.text

    async def begun(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await self.standing()
                if found["sign_in"] is not None and not found["sign_in"]["done"]:
                    return dict(found["sign_in"])
                await asyncio.sleep(0.05)

    async def standing(self) -> dict[str, Any]:
        code, out, err = await self.daemon.command("upstream", "login", "acme", "--status", "--json")
        assert code == 0, err
        found = json.loads(out)
        assert isinstance(found, dict)
        return found

    def events(self, *types: str) -> list[dict[str, Any]]:
        return [event for event in self.daemon.events() if event["type"] in types]

    async def until_events(self, number: int, *types: str) -> list[dict[str, Any]]:
        await self.daemon.until(lambda: len(self.events(*types)) >= number, f"{number} x {types}")
        return self.events(*types)


@pytest.fixture
def trade(make_world: MakeWorld, tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def open_trade(
        *, lives: float = 3600.0, offers: Offers | None = None, **sender: Any
    ) -> AsyncIterator[Trade]:
        authority = Authority()
        authority.write(tmp_path / "ca.pem")
        provider = TokenServer(certificate=authority.issue("127.0.0.1"), lives=lives)
        server = Receiver(
            name=HOST,
            certificate=authority.issue(HOST),
            takes_token=lambda user, token: provider.good(user, token),
            require_login=True,
            offers=offers or Offers(mechanisms=("XOAUTH2", "OAUTHBEARER")),
        )
        async with provider, server:
            with_port = free_port()
            page = f"http://127.0.0.1:{with_port}"
            acme = {
                "name": "Acme",
                "address": ACCOUNT,
                "confirmed": True,
                "send_as": "upstream",
                "if_unproven": "hold",
                "language": "de",
                "upstream": {"host": HOST, "port": server.port, "oauth": "microsoft"},
                **sender,
            }
            changes: Mapping[str, Any] = {
                "senders": {"acme": acme},
                "oauth": {"microsoft": provider.config()},
                "tls": {"ca_file": str(tmp_path / "ca.pem")},
                "http": {"public_listen": f"127.0.0.1:{with_port}", "public_url": page},
            }
            async with make_world(**changes) as world:
                # conftest merges senders into its own; this world has one
                world.zone.add(HOST, "A", "127.0.0.1")
                await world.daemon.start()
                yield Trade(world=world, provider=provider, server=server, page=page)

    return open_trade


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_mail_waits_for_the_sign_in_and_goes_by_itself(
    trade: Callable[..., Any], invoice: Invoice
) -> None:
    async with trade() as at:
        await at.submit(invoice(sender=ACCOUNT, to="bob@customer.example"))
        (held,) = await at.until_events(1, "held")
        assert held["reason"] == "auth.token_expired"
        assert at.server.logins == []

        code, page = await at.sign_in()

        assert code == 0
        assert "ist verbunden" in page
        (sent,) = await at.until_events(1, "relayed")
        assert sent["tls"].endswith("verified")
        assert [login for login in at.server.logins if not login[1]] == []
        (received,) = [each for each in at.server.received if b"Subject" in each.content]
        assert received.login == ACCOUNT
        assert (await at.standing())["connected"]


async def test_a_device_code_is_shown_while_the_command_waits(trade: Callable[..., Any]) -> None:
    async with trade() as at:
        command = asyncio.create_task(at.daemon.command("upstream", "login", "acme", "--device"))
        begun = await at.begun()
        at.provider.tell(error("authorization_pending"))
        at.provider.approve(begun["user_code"], ACCOUNT)
        code, out, err = await command
        assert code == 0, err
        assert begun["user_code"] in out
        assert begun["url"] in out
        assert f"account {ACCOUNT} is connected" in out

        told = [
            await at.daemon.command("upstream", "login", "acme", *words)
            for words in (("--status",), ("--forget",), ("--forget",), ("--status", "--lang", "nl"))
        ]
        assert [code for code, *_ in told] == [0, 0, 0, 0]
        connected, forgotten, again, lost = (out for _, out, _ in told)
        assert connected.startswith(f"connected  {ACCOUNT} at Microsoft, since ")
        assert "forgotten" in forgotten
        assert again == "nobody was signed in for acme\n"
        assert lost.startswith(f"not connected  {ACCOUNT} at Microsoft")
        assert "Verbind uw e-mailaccount opnieuw" in lost
        assert (await at.daemon.command("upstream", "login", "ghost", "--status"))[0] == 66
        assert (await at.daemon.command("upstream", "login", "acme", "--status", "--forget"))[0] == 64


async def test_another_account_is_refused_on_the_page_and_in_the_command(trade: Callable[..., Any]) -> None:
    async with trade() as at:
        code, page = await at.sign_in("private@hobby.example")
        assert code == 65
        assert "private@hobby.example" in page
        assert not (await at.standing())["connected"]


# --- over time ---


async def test_tokens_that_run_out_under_load_are_fetched_one_at_a_time(
    trade: Callable[..., Any], invoice: Invoice
) -> None:
    """Every connection logs in anew, tokens are good for a second, and refresh tokens work once."""
    async with trade(lives=1.0) as at:
        assert (await at.sign_in())[0] == 0
        at.provider.asked.clear()
        at.server.tell(At.END, *[Action(say="250 2.0.0 OK", end=End.CUT)])
        for batch in range(4):
            letters = [
                invoice("bob@customer.example", ref=f"2026-{batch}-{number}", sender=ACCOUNT)
                for number in range(10)
            ]
            await at.submit(*letters)
            await at.until_events(10 * (batch + 1), "relayed")
            await asyncio.sleep(0.6)
        refreshes = [form for form in at.provider.asked if form["grant_type"] == "refresh_token"]
        assert len(invoices(at)) == 40
        assert at.provider.most_at_once == 1
        assert 2 <= len(refreshes) <= 20
        # each refresh token was used once, in the order in which they were given
        assert [form["refresh_token"] for form in refreshes] == at.provider.given[: len(refreshes)]
        assert at.events("consent_withdrawn", "failed", "expired") == []


async def test_a_restart_goes_on_with_the_refresh_token_that_was_given_last(
    trade: Callable[..., Any], invoice: Invoice
) -> None:
    async with trade(lives=1.0) as at:
        assert (await at.sign_in())[0] == 0
        for number in range(3):
            await at.submit(invoice("bob@customer.example", ref=f"2026-{number}", sender=ACCOUNT))
            await at.until_events(number + 1, "relayed")
            await (at.daemon.stop() if number else at.daemon.kill())
            await at.daemon.start()
        assert at.events("consent_withdrawn", "held") == []


async def test_a_withdrawn_consent_holds_the_mail_and_a_new_sign_in_lets_it_go(
    trade: Callable[..., Any], invoice: Invoice
) -> None:
    async with trade() as at:
        assert (await at.sign_in())[0] == 0
        await at.submit(invoice("bob@customer.example", ref="2026-1", sender=ACCOUNT))
        await at.until_events(1, "relayed")

        at.provider.withdraw(ACCOUNT)
        await at.daemon.stop()  # nothing that is open or in memory helps any more
        await at.daemon.start()
        at.provider.asked.clear()
        letters = [invoice("bob@customer.example", ref=f"2026-{n}", sender=ACCOUNT) for n in range(2, 7)]
        await at.submit(*letters)
        held = await at.until_events(5, "held")
        assert {event["reason"] for event in held} == {"auth.token_expired"}
        (withdrawn,) = at.events("consent_withdrawn")
        assert (withdrawn["sender"], withdrawn["actor"]) == ("acme", "sender")
        assert len(at.provider.asked) == 1
        standing = await at.standing()
        assert (standing["connected"], standing["reason"]) == (False, "auth.token_expired")
        (letter,) = await at.world.receiver.wait_for(1)
        assert letter.recipients == (ACCOUNT,)
        _, out, _ = await at.daemon.command("sender", "show", "acme", "--json")
        assert "auth.token_expired" in out

        await at.daemon.stop()
        await at.daemon.start()
        assert len(at.provider.asked) == 1
        assert (await at.sign_in())[0] == 0
        await at.until_events(6, "relayed")
        assert len(at.events("consent_withdrawn")) == 1


async def test_new_mail_of_a_withdrawn_consent_follows_if_unproven(
    trade: Callable[..., Any], invoice: Invoice
) -> None:
    async with trade(if_unproven="default") as at:
        await at.submit(invoice("bob@customer.example", sender=ACCOUNT))
        (sent,) = await at.until_events(1, "delivered")
        assert sent["rung"] == "default"
        (received,) = at.world.receiver.received
        assert received.mail_from != ACCOUNT


async def test_a_provider_in_trouble_delays_the_mail_and_loses_nobodys_consent(
    trade: Callable[..., Any], invoice: Invoice
) -> None:
    async with trade() as at:
        assert (await at.sign_in())[0] == 0
        await at.daemon.stop()
        await at.daemon.start()
        at.provider.tell(Answer(status=503), Answer(status=503), Answer(status=503))
        await at.submit(invoice("bob@customer.example", sender=ACCOUNT))
        (deferred, *_) = await at.until_events(1, "deferred")
        assert deferred["reason"].startswith("network.")
        assert "503" in deferred["reply"]
        assert at.events("consent_withdrawn", "held", "upstream_failed") == []
        assert (await at.standing())["connected"]


async def test_no_secret_is_anywhere_people_or_programs_look(
    trade: Callable[..., Any], invoice: Invoice
) -> None:
    async with trade() as at:
        assert (await at.sign_in())[0] == 0
        await at.submit(invoice("bob@customer.example", sender=ACCOUNT))
        await at.until_events(1, "relayed")
        outputs = [
            await at.daemon.command(*words)
            for words in (("status",), ("log",), ("sender", "show", "acme", "--json"))
        ]
        seen = "".join(out + err for _, out, err in outputs) + at.daemon.tail(10**6)
        seen += at.daemon.status_log.read_text() + json.dumps(await at.standing())
        assert at.daemon.process is not None
        seen += Path(f"/proc/{at.daemon.process.pid}/cmdline").read_text()
        state = b"".join(path.read_bytes() for path in (at.daemon.folder / "state").glob("relayd.db*"))
        assert "canary" not in seen
        assert b"canary-refresh" not in state
        assert b"canary-access" not in state


# --- the page ---


async def ask(at: Trade, path: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(base_url=at.page, trust_env=False) as browser:
        return await browser.request(method, path)


async def test_the_page_takes_nothing_from_its_address(trade: Callable[..., Any]) -> None:
    async with trade() as at:
        hostile = "%3Cscript%3Ealert(1)%3C/script%3E"
        for query in (
            "",
            f"?error=access_denied&error_description={hostile}",
            f"?state={hostile}&code={hostile}",
            "?state=forged&code=x&redirect_uri=https://evil.example&next=//evil.example",
            "?" + "a=1&" * 50,
            "?state=" + "x" * 20_000,
        ):
            answer = await ask(at, "/oauth/callback" + query)
            assert answer.status_code in (400, 404, 414, 431), query
            assert "location" not in answer.headers
            assert "alert(1)" not in answer.text
            assert "evil" not in answer.text
        assert at.provider.asked == []
        assert (await ask(at, "/oauth/callback/unknown")).status_code == 404
        assert (await ask(at, "/oauth/callback", "POST")).status_code in (404, 405)


async def test_a_look_uses_nothing_up_and_the_address_holds_no_code_afterwards(
    trade: Callable[..., Any],
) -> None:
    async with trade() as at:
        command = asyncio.create_task(at.daemon.command("upstream", "login", "acme", "--json"))
        begun = await at.begun()
        back = urllib.parse.urlsplit(at.provider.sign_in(begun["url"], ACCOUNT))
        path = f"{back.path}?{back.query}"
        await ask(at, path, "HEAD")
        assert at.provider.asked == []
        answer = await ask(at, path)
        assert answer.status_code == 303
        assert re.fullmatch(r"callback/[A-Za-z0-9_-]{22}", answer.headers["location"])
        to = "/oauth/" + answer.headers["location"]
        page = await ask(at, to + "?lang=fr")
        assert "Relier ce compte" in page.text
        assert at.provider.asked == []
        await ask(at, to, "HEAD")
        page = await ask(at, to + "?lang=fr", "POST")
        assert "est relié" in page.text
        assert "est relié" in (await ask(at, to + "?lang=fr")).text
        assert page.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await ask(at, path)).status_code == 404
        assert (await command)[0] == 0


def invoices(at: Trade) -> list[Any]:
    """What the mail server took, without the letters of a probe."""
    return [each for each in at.server.received if b"Rechnung" in each.content]


async def test_without_the_master_key_mail_is_held_and_goes_when_it_is_back(
    trade: Callable[..., Any], invoice: Invoice
) -> None:
    async with trade() as at:
        assert (await at.sign_in())[0] == 0
        await at.daemon.stop()
        key = at.daemon.folder / "state" / "master.key"
        key.rename(key.with_suffix(".away"))
        await at.daemon.start()
        await at.submit(invoice("bob@customer.example", sender=ACCOUNT))
        (held,) = await at.until_events(1, "held")
        assert held["reason"] == "upstream.sealed"
        key.with_suffix(".away").rename(key)
        assert at.daemon.process is not None
        at.daemon.process.send_signal(signal.SIGHUP)
        await at.until_events(1, "relayed")

        await at.daemon.stop()
        key.write_bytes(base64.b64encode(b"another key, of thirty-two octets"[:32]))
        await at.daemon.start()
        await at.submit(invoice("bob@customer.example", ref="2026-2", sender=ACCOUNT))
        await at.until_events(2, "held")
        assert (await at.sign_in())[0] == 0  # the key is lost for good: nothing else is needed
        await at.until_events(2, "relayed")
        assert at.events("consent_withdrawn") == []


@pytest.mark.real
@needs_chromium
async def test_people_connect_their_account_on_a_phone_in_four_languages(trade: Callable[..., Any]) -> None:
    async with trade(name="Müller & <b>Söhne</b>") as at, chromium() as page:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        command = asyncio.create_task(at.daemon.command("upstream", "login", "acme", "--json"))
        begun = await at.begun()
        await page.goto(at.provider.sign_in(begun["url"], ACCOUNT))
        assert "code=" not in page.url
        assert "state=" not in page.url
        for language in ("de", "fr", "nl", "en"):
            if language != "de":
                await page.click(f"nav a[lang={language}]")
                await page.wait_for_url(f"**?lang={language}")
            assert await page.get_attribute("html", "lang") == language
            assert await fits(page)
            said = await page.inner_text("main")
            assert ACCOUNT in said
            assert "Müller & <b>Söhne</b>" in said
        assert at.provider.asked == []
        await page.click("button")
        await page.wait_for_selector(".done")
        assert (await command)[0] == 0
        await page.click("nav a[lang=de]")
        await page.wait_for_url("**?lang=de")
        assert "ist verbunden" in await page.inner_text("main")
        assert await fits(page)
        assert complaints == []


async def test_a_sender_that_is_added_at_run_time_signs_in_too(
    trade: Callable[..., Any], invoice: Invoice
) -> None:
    async with trade() as at:
        words = ("name=Bolt", "address=hello@two.example", "confirmed=true", "send_as=upstream")
        server = (f"upstream.host={HOST}", f"upstream.port={at.server.port}", "upstream.oauth=microsoft")
        code, _, err = await at.daemon.command("sender", "add", "bolt", *words, *server)
        assert code == 0, err
        command = asyncio.create_task(at.daemon.command("upstream", "login", "bolt", "--device", "--json"))
        async with asyncio.timeout(PATIENCE):
            while not at.provider._devices:
                await asyncio.sleep(0.05)
        at.provider.approve(next(iter(at.provider._devices)), "hello@two.example")
        code, _, err = await command
        assert code == 0, err
        await at.daemon.until(lambda: bool(at.events("upstream_ok")) or bool(at.server.logins), "a probe")

        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=at.daemon.port, start_tls=False)
        async with client:
            letter = invoice("bob@customer.example", sender="hello@two.example")
            await client.send_message(letter, sender="hello@two.example")
        await at.until_events(1, "relayed")
        assert at.events("upstream_failed") == []

        assert (await at.daemon.command("sender", "remove", "bolt"))[0] == 0
        code, _, err = await at.daemon.command("sender", "add", "bolt", *words, *server)
        assert code == 0, err
        code, out, _ = await at.daemon.command("upstream", "login", "bolt", "--status", "--json")
        assert not json.loads(out)["connected"]
