"""A domain's records as people read them at a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from relayd.cli.domain_words import WORDS, Words
from relayd.cli.lines import when

SIGNS = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "missing": ("✗", "red"),
    "wrong": ("✗", "red"),
    "duplicate": ("✗", "red"),
    "unknown": ("?", "yellow"),
    None: ("·", "cyan"),
}

PROVEN = ("ok", "warning")
"""States of a record that counts."""

WIDTH = 96
INDENT = " " * 6


def card(found: Mapping[str, Any], language: str = "en") -> Iterator[str]:
    """What the API says of a domain, in lines."""
    words = WORDS[language]
    yield click.style(found["domain"], bold=True) + _looked(found, words)
    if found["note"]:
        yield from _wrapped(found["note"], "  ")
        return
    if found["looked_at"] is not None:
        yield _proofs(found["records"], words)
    last = None
    for record in found["records"]:
        if record["purpose"] != last:
            last = record["purpose"]
            yield ""
            yield click.style(words.titles[last], bold=True)
        yield from _record(record, words)
        if last == "spf" and found["lookups"]:
            yield INDENT + words.lookups.format(**found["lookups"])
    if found["forecast"]:
        yield ""
        yield click.style(words.forecast, bold=True)
    for each in found["forecast"]:
        sign = "✓" if each["possible"] else "·"  # a rung whose proof is not there yet
        name = f"{each['rung']} ({each['proof']})"
        yield from _wrapped(f"{name:<22} {each['text']}", f"  {sign} ", " " * 27)


def zone_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """All there is to publish, as a zone file has it, to be pasted without harm."""
    if found["note"]:
        yield f"; {found['note']}"
    for record in found["records"]:
        state, counts = record["state"], record["needed"] and record["state"] in PROVEN
        if not record["zone"] or state == "ok" or counts or record["value"] in record["seen"]:
            continue
        yield from (f"; in place of: {seen}" for seen in record["seen"])
        yield f"; if nobody needs that: {record['zone']}" if state == "warning" else record["zone"]
        if record["instead"]:
            yield f"; or: {record['instead']['zone']}"


def _looked(found: Mapping[str, Any], words: Words) -> str:
    if found["note"]:
        return ""
    if found["looked_at"] is None:
        return "  " + words.never.format(command=f"relayd domain check {found['domain']}")
    servers = ", ".join(found["nameservers"])
    asked = words.servers.format(servers=servers) if servers else words.no_servers
    return f"  {words.looked.format(when=when(found['looked_at']))}; {asked}"


def _proofs(records: Sequence[Mapping[str, Any]], words: Words) -> str:
    proofs = dict.fromkeys(
        record["purpose"].upper() for record in records if record["needed"] and record["state"] in PROVEN
    )
    if not proofs:
        return click.style(f"  {words.not_proven}", fg="yellow")
    return click.style("  " + words.proven.format(proofs=f" {words.conjunction} ".join(proofs)), fg="green")


def _record(record: Mapping[str, Any], words: Words) -> Iterator[str]:
    state, optional = record["state"], not record["needed"] and record["value"] is not None
    sign, colour = SIGNS["warning" if optional and state == "missing" else state]
    head = [click.style(sign, fg=colour), record["name"]]
    head += [] if state is None else [click.style(words.states[state], fg=colour)]
    head += [words.optional] if optional and state != "ok" else []
    yield "  " + " ".join(head)
    for note in record["notes"]:
        yield from _wrapped(note["text"], INDENT)
    if state not in ("ok", None):
        for seen in record["seen"]:
            yield from _wrapped(f"{words.found} {seen}", INDENT)
    if record["value"] is None or state in ("ok", "unknown"):
        return
    yield from _to_paste(record["name"], record, words.publish, words)
    if record["instead"]:
        yield from _to_paste(record["name"], record["instead"], words.instead, words)


def _to_paste(name: str, what: Mapping[str, Any], word: str, words: Words) -> Iterator[str]:
    """As the forms of DNS providers ask for it; the value in one piece, for they split it themselves."""
    head = f"{INDENT}{word} ".ljust(18)
    for label, text in zip(words.labels, (what["type"], name, what["value"]), strict=True):
        yield f"{head}{label:<6} {click.style(text, fg='cyan')}"
        head = " " * 18


def _wrapped(text: str, indent: str, further: str | None = None) -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if further is None else further,
        break_long_words=False,
        break_on_hyphens=False,
    )
