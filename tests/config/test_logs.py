"""The service's own log: one event, one line; no secret, no forged line."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd import logs
from relayd.core.sender import Secret

log = logging.getLogger("relayd.test")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def set_up(stream: io.StringIO | None = None, **changes: Any) -> io.StringIO:
    out = stream or io.StringIO()
    logs.set_up(**{"format": "journal", "level": "info", "addresses": "full", "stream": out, **changes})
    return out


def test_each_level_has_its_priority_for_the_journal() -> None:
    out = set_up(level="debug")
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        log.log(level, "x")

    assert out.getvalue().splitlines() == ["<7>x", "<6>x", "<4>x", "<3>x", "<2>x"]


def test_on_a_terminal_the_time_stands_instead() -> None:
    out = set_up(Terminal())
    log.warning("slow")

    assert out.getvalue()[2] == ":"
    assert out.getvalue().endswith(" warning slow\n")


def test_fields_follow_the_message() -> None:
    out = set_up()
    log.info("accepted", extra={"id": "AAA", "sender": "acme", "text": 'two "words"', "empty": ""})

    assert out.getvalue() == '<6>accepted id=AAA sender=acme text="two \\"words\\"" empty=""\n'


def test_json_has_a_key_for_each_field() -> None:
    out = set_up(format="json")
    log.info("accepted %d", 7, extra={"id": "AAA", "size": 12, "ok": True})

    found = json.loads(out.getvalue())
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "info",
        "logger": "relayd.test",
        "message": "accepted 7",
        "id": "AAA",
        "size": 12,
        "ok": True,
    }


@pytest.mark.parametrize("format", ["journal", "json"])
@given(text=st.text())
def test_whatever_is_logged_stays_one_line(format: str, text: str) -> None:
    out = set_up(format=format)
    log.info("%s", text, extra={"reply": text})

    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("format", ["journal", "json"])
def test_a_traceback_is_one_line_too(format: str) -> None:
    out = set_up(format=format)
    try:
        raise ValueError("x\n<2>forged")
    except ValueError:
        log.exception("a fault of ours")

    [line] = out.getvalue().splitlines()
    assert "Traceback" in line


@pytest.mark.parametrize("format", ["journal", "json"])
def test_no_secret_is_shown(format: str) -> None:
    secret = Secret("canary-password")
    out = set_up(format=format)
    log.info("login %s %r", secret, [secret], extra={"password": secret, "login": {"password": secret}})
    try:
        raise RuntimeError(secret)
    except RuntimeError:
        log.exception("failed")

    assert "canary" not in out.getvalue()
    assert "***" in out.getvalue()


def test_addresses_can_be_masked_and_domains_stay() -> None:
    out = set_up(addresses="masked")
    log.info(
        "<anna.b@example.com> to x@y.example, jürgen@z.example",
        extra={"recipient": '"a b"@example.com', "host": "h.example", "from": "billing@acme.example"},
    )

    assert out.getvalue() == (
        "<6><a***@example.com> to x***@y.example, j***@z.example "
        "recipient=***@example.com host=h.example from=b***@acme.example\n"
    )


@given(st.text('ab@"\\ <>.', max_size=200))
def test_masking_is_quick_and_leaves_no_local_part(text: str) -> None:
    assert "anna" not in logs.mask(f"{text} anna@example.com")


def test_libraries_that_log_what_clients_say_are_kept_quiet() -> None:
    """aiosmtpd logs each line of DATA, and logins that it can't decode."""
    out = set_up(level="debug")
    for name in ("mail.log", "mail.debug", "asyncio"):
        logging.getLogger(name).debug("canary")
        logging.getLogger(name).info("canary")
        logging.getLogger(name).warning("told")

    assert out.getvalue().count("told") == 3
    assert "canary" not in out.getvalue()


def test_nobody_fills_the_log_with_requests_that_are_none() -> None:
    out = set_up(level="debug")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application")
    assert [line for line in out.getvalue().splitlines() if "HTTP" in line] == []
    assert "Exception" in out.getvalue()


def test_set_up_again_it_replaces_what_was() -> None:
    first = set_up()
    second = set_up(level="error")
    log.info("x")
    log.error("y")

    assert first.getvalue() == ""
    assert second.getvalue() == "<3>y\n"
