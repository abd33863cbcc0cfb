"""Customers' domains through the API: what to publish, and how it stands; and the platform's own keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse

from relayd.core import phrases, settings_types
from relayd.core.doctor import Finding, Health
from relayd.core.phrases import domain as words
from relayd.core.phrases import forecast, spf
from relayd.core.records import zonefile
from relayd.core.records.domainnotes import Code, Note
from relayd.core.records.domainreport import Line, Outlook
from relayd.core.records.spfsurvey import Finding as SpfFinding
from relayd.identity.domainreport import Shown
from relayd.identity.rotation import Standing, UnderWay
from relayd.keyfiles import VaultError
from relayd.web.answers import in_language, moment
from relayd.web.requests import Refused, Row, known_language, read_object, shown


class Care(Protocol):
    """What is done for domains."""

    def show_domain(self, domain: str) -> Shown:
        """What to publish in it, with what was seen last."""
        ...

    async def check_domain(self, domain: str) -> Shown:
        """Look now."""
        ...

    async def keys(self) -> tuple[str, Standing]:
        """The platform's domain, and where its signing keys stand."""
        ...

    async def rotate_keys(self) -> Standing:
        """Begin a change of the signing key. Raises UnderWay, VaultError, StoreError."""
        ...

    async def examine(self) -> Sequence[Finding]:
        """The platform's own side."""
        ...


class Control(Protocol):
    @property
    def care(self) -> Care: ...


def routes(control: Control) -> list[Row]:
    return [
        ("GET", "/domains/{domain}", partial(_show, control)),
        ("POST", "/domains/{domain}/check", partial(_check, control)),
        ("GET", "/dkim", partial(_keys, control)),
        ("POST", "/dkim/rotate", partial(_rotate, control)),
        ("GET", "/doctor", partial(_doctor, control)),
    ]


async def _show(control: Control, request: Request) -> JSONResponse:
    """What to publish, and how it stood when somebody last looked. Asks nobody."""
    language = known_language(request.query_params.get("lang"))
    return JSONResponse(as_dict(control.care.show_domain(_domain(request)), language))


async def _check(control: Control, request: Request) -> JSONResponse:
    """Look now: the domain's own nameservers, and what others see."""
    domain = _domain(request)
    language = (await read_object(request, allowed={"lang"})).get("lang")
    if language is not None and not isinstance(language, str):
        raise Refused(400, "lang is not a text", "use one of: " + ", ".join(phrases.LANGUAGES))
    language = known_language(language)
    return JSONResponse(as_dict(await control.care.check_domain(domain), language))


async def _keys(control: Control, request: Request) -> JSONResponse:
    """Where the signing keys stand, and what the platform publishes for them."""
    return JSONResponse(keys_as_dict(*await control.care.keys()))


async def _rotate(control: Control, request: Request) -> JSONResponse:
    await read_object(request, allowed=set())
    try:
        await control.care.rotate_keys()
    except UnderWay:
        raise Refused(
            409,
            "a change of the signing key is under way",
            "`relayd dkim rotate --status` says for what it waits",
        ) from None
    except VaultError as error:
        raise Refused(422, str(error), "relayd's user must be able to write beside key_file") from None
    return JSONResponse(keys_as_dict(*await control.care.keys()))


async def _doctor(control: Control, request: Request) -> JSONResponse:
    """The platform's own side, as the daemon sees it. Takes as long as DNS does."""
    findings = [asdict(finding) for finding in await control.care.examine()]
    return JSONResponse(
        {"healthy": all(found["health"] != Health.BAD for found in findings), "findings": findings}
    )


def _domain(request: Request) -> str:
    text = request.path_params["domain"]
    try:
        return settings_types.domain(text.removesuffix("."))  # as zone files write it
    except ValueError as error:
        raise Refused(400, f"{shown(text)} is no domain", f"name {error}") from None


def as_dict(found: Shown, language: str | None) -> dict[str, Any]:
    """Texts as maps of languages, or in one."""
    report = found.report
    note = None
    if report.provider is not None:
        places = {"domain": report.domain, "provider": report.provider}
        note = _text(partial(words.say, Note(Code.SHARED, places)), language)
    return {
        "domain": report.domain,
        "provider": report.provider,
        "note": note,
        "looked_at": None if found.looked_at is None else moment(found.looked_at),
        "nameservers": list(report.servers),
        "records": [_line(line, language) for line in report.lines],
        "lookups": None
        if report.advice is None
        else {"needed": report.advice.lookups, "left": report.advice.left},
        "forecast": [_outlook(outlook, language) for outlook in report.outlooks],
    }


def _line(line: Line, language: str | None) -> dict[str, Any]:
    return {
        "purpose": line.purpose.value,
        "name": line.name,
        "type": line.type,
        "value": line.value,
        "zone": None if line.value is None else zonefile.line(line.name, line.type, line.value),
        "instead": None
        if line.text is None or line.type == "TXT"
        else {"type": "TXT", "value": line.text, "zone": zonefile.line(line.name, "TXT", line.text)},
        "needed": line.needed,
        "state": None if line.state is None else line.state.value,
        "seen": list(line.seen),
        "ttl": line.ttl,
        "notes": [
            {"note": note.code.value, "text": _text(partial(_said, note), language)} for note in line.notes
        ],
    }


def _outlook(outlook: Outlook, language: str | None) -> dict[str, Any]:
    seen = outlook.forecast
    return {
        "rung": outlook.rung.value,
        "proof": outlook.proof.value,
        "possible": outlook.possible,
        "dmarc": seen.dmarc.value,
        "text": _text(partial(forecast.sentence, seen), language),
    }


def _said(note: Note | SpfFinding, language: str) -> str:
    return spf.sentence(note, language) if isinstance(note, SpfFinding) else words.say(note, language)


def _text(said: Callable[[str], str], language: str | None) -> Any:
    return in_language({"text": phrases.in_every_language(said)}, language)["text"]


def keys_as_dict(platform: str, standing: Standing) -> dict[str, Any]:
    return {
        "selector": standing.selector,
        "since": None if standing.since is None else moment(standing.since),
        "records": [
            {
                "selector": key.selector,
                "name": key.name(platform),
                "type": "TXT",
                "value": key.record,
                "zone": zonefile.line(key.name(platform), "TXT", key.record),
            }
            for key in standing.keys
        ],
        "waiting_for": list(standing.waiting_for),
        "on_their_way": standing.on_their_way,
        "unneeded_since": None if standing.unneeded_since is None else moment(standing.unneeded_since),
    }
