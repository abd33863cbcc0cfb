"""Customers' own servers through the API: finding the one that an address has."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse

from relayd.core import phrases
from relayd.core.address import Address, AddressError, parse
from relayd.core.discovery import Candidate, Discovery, Note
from relayd.core.findings import Finding
from relayd.core.mailproviders import MailProvider, words
from relayd.core.phrases import discovery as discovery_texts
from relayd.core.phrases import findings as finding_texts
from relayd.web.answers import in_language
from relayd.web.requests import Refused, Row, known_language, read_object, shown

HOST_MAX = 255
"""Characters of a server's name (RFC 1035 section 2.3.4)."""


class Control(Protocol):
    async def discover(self, address: Address, *, host: str | None, look: bool) -> Discovery:
        """The servers for an address; `host` is one to judge, `look` connects to what was found."""
        ...


def routes(control: Control) -> list[Row]:
    return [("POST", "/upstreams/discover", partial(_discover, control))]


async def _discover(control: Control, request: Request) -> JSONResponse:
    """Where the mail of an address is handed in, and what must be done there first."""
    body = await read_object(request, allowed={"address", "host", "look", "lang"})
    address = _address(body.get("address"))
    host, look = body.get("host"), body.get("look", False)
    if host is not None and not (isinstance(host, str) and 0 < len(host.strip()) <= HOST_MAX):
        raise Refused(400, "host is not the name of a server", "leave it out, or write smtp.example.com")
    if not isinstance(look, bool):
        raise Refused(400, "look is neither true nor false", "true connects to the servers that are found")
    language = body.get("lang", request.query_params.get("lang"))
    if language is not None and not isinstance(language, str):
        raise Refused(400, "lang is not a text", "use one of: " + ", ".join(phrases.LANGUAGES))
    language = known_language(language)
    found = await control.discover(address, host=host, look=look)
    return JSONResponse(as_dict(found, language))


def _address(text: object) -> Address:
    if not isinstance(text, str):
        raise Refused(400, "address is not a text", 'send {"address": "billing@example.com"}')
    try:
        return parse(text.strip())
    except AddressError as error:
        raise Refused(400, str(error), f"{shown(text)} is what was sent") from None


def as_dict(found: Discovery, language: str | None) -> dict[str, Any]:
    """Texts as maps of languages, or in one."""
    return {
        "address": str(found.address),
        "provider": None if found.provider is None else _provider(found.provider, language),
        "mx": list(found.exchangers),
        "candidates": [_candidate(one) for one in found.candidates],
        "notes": [_note(note, name, language) for note, name in found.notes],
        "finding": None if found.finding is None else _finding(found.finding, language),
    }


def _provider(provider: MailProvider, language: str | None) -> dict[str, Any]:
    limits = {name: getattr(provider.limits, name) for name in type(provider.limits).__slots__}
    username = phrases.in_every_language(lambda known: words.username(provider, known))
    steps = phrases.in_every_language(lambda known: words.steps(provider, known))
    return {
        "id": provider.id,
        "name": provider.name,
        "username": in_language({"form": provider.username.value, "text": username}, language),
        "steps": [
            in_language(
                {
                    "step": need.step.value,
                    "text": {known: steps[known][at].text for known in phrases.LANGUAGES},
                    "link": need.link,
                },
                language,
            )
            for at, need in enumerate(provider.needs)
        ],
        "limits": {name: value for name, value in limits.items() if value is not None},
        "from": in_language(
            {
                "rule": provider.from_rule.value,
                "text": phrases.in_every_language(lambda known: words.from_rule(provider, known)),
            },
            language,
        ),
        "oauth": provider.oauth,
        "source": provider.source,
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    seen = one.seen
    return {
        "host": one.server.host,
        "port": one.server.port,
        "tls": one.server.tls.value,
        "username": one.username,
        "mechanisms": list(one.mechanisms),
        "source": one.source.value,
        "confidence": one.confidence.value,
        "derived": one.derived,
        "seen": None
        if seen is None
        else {"answers": seen.answers, "text": seen.text, "mechanisms": list(seen.mechanisms)},
    }


def _note(note: Note, name: str, language: str | None) -> dict[str, Any]:
    text = phrases.in_every_language(lambda known: discovery_texts.note(note, name, known))
    return in_language({"note": note.value, "text": text}, language)


def _finding(finding: Finding, language: str | None) -> dict[str, Any]:
    return in_language(
        {
            "finding": finding.kind.value,
            "text": phrases.in_every_language(lambda known: finding_texts.text(finding, known)),
            "remedy": phrases.in_every_language(lambda known: finding_texts.remedy(finding, known)),
        },
        language,
    )
