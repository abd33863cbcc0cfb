"""Messages and events as lines for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click

COLOURS = {"sent": "green", "queued": "cyan", "delayed": "yellow", "held": "magenta", "not_sent": "red"}

ACTORS = {
    "recipient": "the recipient (ask them)",
    "sender": "the customer who sends",
    "sender_it": "the IT of the customer who sends",
    "app": "the app",
    "platform": "the platform's operator",
    "nobody": "nobody, it solves itself",
}
"""Who must act, as the operator reads it."""


def when(moment: str) -> str:
    """A time of the API or the status log (RFC 3339) as people write it: whole seconds, UTC."""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def message_lines(message: Mapping[str, Any]) -> Iterator[str]:
    """Who sends, from which address, and per recipient what became of it and why."""
    ref = f"  ref {message['ref']}" if message["ref"] else ""
    yield f"{click.style(message['id'], bold=True)}{ref}  sender {message['sender']}"
    because = f", because {message['rung_reason']}" if message["rung_reason"] else ""
    test = ", a test: nothing leaves" if message["test"] else ""
    accepted = when(message["accepted_at"])
    yield f"  from {message['from'] or '<>'} ({message['rung']}{because}), accepted {accepted}{test}"
    for each in message["recipients"]:
        later = f"  next attempt {when(each['next_attempt'])}" if each["next_attempt"] else ""
        yield f"  {_coloured(each['status'])}  {each['recipient']}  attempts {each['attempts']}{later}"
        yield from _cause(each, each.get("reason") or each.get("held"))
    for each in message["refused"]:
        yield f"  {_coloured('not_sent')}  {each['recipient']}  refused when it was handed in"
        yield from _cause(each, each["reason"])


def event_lines(event: Mapping[str, Any], language: str) -> Iterator[str]:
    """One line, and more of them when somebody has to act."""
    status = event.get("status")
    kind = click.style(f"{event['type']:<9}", fg=COLOURS.get(status or ""), bold=True)
    names = (event.get("message"), event.get("ref"), event.get("recipient") or event.get("sender"))
    said = _in_language(event.get("text"), language)
    yield f"{when(event['time'])}  {kind}  {'  '.join([*filter(None, names), said])}".rstrip()
    if answer := _our_answer(event):
        yield f"  {answer}"
    if status in ("not_sent", "held", None) and (remedy := _in_language(event.get("remedy"), language)):
        yield f"  {remedy}"


def _cause(each: Mapping[str, Any], reason: str | None) -> Iterator[str]:
    if reason:
        actor = f"  who must act: {ACTORS.get(each['actor'], each['actor'])}" if each.get("actor") else ""
        yield f"    why: {reason}{actor}"
    yield from (f"    {each[key]}" for key in ("text", "remedy", "link") if each.get(key))
    if answer := _our_answer(each):
        yield f"    {answer}"
    if each.get("reply"):
        code = " ".join(str(each[key]) for key in ("code", "enhanced") if each.get(key))
        yield f"    {each.get('host') or 'the server'} said: {code} {each['reply']}".replace("\n", " ")


def _our_answer(found: Mapping[str, Any]) -> str | None:
    """What relayd itself told the app when it took a recipient not at all."""
    answer = found.get("answer") or found.get("detail", {}).get("answer")
    return f"the app was told: {found['code']} {found['enhanced']} {answer}" if answer else None


def _in_language(texts: Mapping[str, str] | None, language: str) -> str:
    return "" if texts is None else texts.get(language, texts.get("en", ""))


def _coloured(status: str) -> str:
    return click.style(status, fg=COLOURS.get(status), bold=True)
