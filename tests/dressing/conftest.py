"""A dresser with a real vault, and submissions for it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relayd.core import address, dkim
from relayd.core.mail import IfUnproven, Proof, Rung, Submission
from relayd.core.policy import RETURN_HOST, Claim
from relayd.core.reasons import Reason
from relayd.core.sender import Sender
from relayd.core.settings import Settings
from relayd.dressing import Dresser
from relayd.vault import Vault

NOW = datetime(2026, 11, 22, 5, 11, 49, tzinfo=UTC)

SETTINGS: dict[str, Any] = {
    "hostname": "relay.example.net",
    "platform": {
        "domain": "my.platform.example",
        "name": "Platform",
        "return_path": "bounce.my.platform.example",
        "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
    },
}


@dataclass(kw_only=True)
class Published:
    """Stands for `identity.domains`, which lives a floor above: what is published, and who asked."""

    domains: set[str]  # with our key
    spf: set[str] = field(default_factory=set)  # whose SPF passes for us
    hosts: set[str] = field(default_factory=set)  # whose return-path host is delegated
    swapped: bool = False  # another key took the place of r1 everywhere
    lately: bool = True  # False: has to be looked up
    stale: set[Claim] = field(default_factory=set)  # ... these alone
    asked: list[tuple[str, Claim]] = field(default_factory=list)

    def known(self, domain: str, claim: Claim) -> bool | None:
        return self._shows(domain, claim) if self.lately and claim not in self.stale else None

    async def proven(self, domain: str, claim: Claim) -> bool:
        self.asked.append((domain, claim))
        return self._shows(domain, claim)

    def believed(self, domain: str, claim: Claim) -> bool:
        return self._shows(domain, claim)

    def _shows(self, domain: str, claim: Claim) -> bool:
        shown = {Proof.DKIM: self.domains, Proof.SPF: self.spf, RETURN_HOST: self.hosts}
        return domain in shown[claim]

    def selector(self, domain: str) -> str:
        return "r1"

    def withdrawn(self, domain: str, header: bytes) -> bool:
        return self.swapped and dkim.signed_by(header, domain, "r1")


@dataclass(kw_only=True)
class Workshop:
    """A dresser and all that it is made of."""

    vault: Vault
    published: Published
    login_refused: dict[str, Reason]
    dresser: Dresser


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    folder: Path = tmp_path_factory.mktemp("vault")
    opened = Vault.open(Settings.model_validate(SETTINGS), folder, empty_store=True)
    yield opened
    opened.close()


@pytest.fixture
def make_workshop(vault: Vault) -> Callable[..., Workshop]:
    def make(**platform: Any) -> Workshop:
        settings = {**SETTINGS, "platform": {**SETTINGS["platform"], **platform}}
        published = Published(domains={"my.platform.example", "acme.example"})
        refused: dict[str, Reason] = {}
        return Workshop(
            vault=vault,
            published=published,
            login_refused=refused,
            dresser=Dresser(
                vault=vault,
                settings=Settings.model_validate(settings),
                domains=published,
                login_refused=refused,
            ),
        )

    return make


@pytest.fixture
def workshop(make_workshop: Callable[..., Workshop]) -> Workshop:
    return make_workshop()


@pytest.fixture
def make_sender() -> Callable[..., Sender]:
    def make(**changes: Any) -> Sender:
        given: dict[str, Any] = {
            "id": "acme",
            "name": "Müller & Söhne GmbH",
            "contact": address.parse("billing@acme.example"),
            "confirmed": True,
            "default_address": address.parse("acme@my.platform.example"),
            "send_as": Rung.DEFAULT,
            "if_unproven": IfUnproven.DEFAULT,
            "language": "de",
            "test": False,
        }
        return Sender(**{**given, **changes})

    return make


HEADER = (
    b"From: ACME <billing@acme.example>\r\nTo: b@example.com\r\nSubject: Rechnung\r\n"
    b"X-Relayd-Ref: 1\r\nBcc: c@example.com\r\n"
)


@pytest.fixture
def make_submission() -> Callable[..., Submission]:
    def make(header: bytes = HEADER, body: bytes = b"hello\r\n", **changes: Any) -> Submission:
        given: dict[str, Any] = {
            "login": None,
            "may_be": None,
            "mail_from": address.parse("app@internal.example"),
            "recipients": (address.parse("b@example.com"), address.parse("c@example.org")),
            "header": header,
            "body_size": len(body),
            "body_hash": hashlib.sha256(body).digest(),
            "eight_bit": False,
            "smtputf8": False,
            "received_at": NOW,
        }
        return Submission(**{**given, **changes})

    return make
