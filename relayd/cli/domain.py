"""`relayd domain`: what a customer's domain should publish, and how it stands."""

from __future__ import annotations

import textwrap
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from relayd.cli.daemon import Away, Daemon
from relayd.cli.lines import when
from relayd.cli.options import (
    EX_DATAERR,
    EX_TEMPFAIL,
    config_option,
    json_option,
    language_option,
    print_json,
    waiting,
)

TITLES = {
    "dkim": "DKIM: our key signs mail in the domain's name",
    "spf": "SPF: the domain lets our servers send",
    "dmarc": "DMARC: what receivers do with mail that fails",
    "return_path": "Return path: bounces come back under the domain's own name",
    "mx": "MX: replies arrive",
}

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

WIDTH = 96
PATIENCE = 120  # seconds; silent nameservers take most of it


@click.group("domain")
def domain_command() -> None:
    """See what a customer's domain should publish.

    \b
    Examples:
      relayd domain show acme.example
      relayd domain check acme.example
    """


@domain_command.command("show")
@click.argument("domain")
@click.option(
    "--zone", "as_zone", is_flag=True, help="Print only what is left to publish, as lines of a zone file."
)
@config_option
@language_option
@json_option
def show_command(domain: str, as_zone: bool, config: Path, language: str, as_json: bool) -> None:
    """Print the records to publish, ready to paste, and how they stood when somebody last looked.

    \b
    Examples:
      relayd domain show acme.example
      relayd domain show acme.example --lang de
      relayd domain show acme.example --zone
    """
    try:
        found = Daemon(config).get(_path(domain), lang=None if as_json else language)
    except Away:
        Daemon(config).away()
    if as_zone and not as_json:
        click.echo("\n".join(zone_lines(found)))
        return
    _print(found, as_json)


@domain_command.command("check")
@click.argument("domain")
@config_option
@language_option
@json_option
def check_command(domain: str, config: Path, language: str, as_json: bool) -> None:
    """Look into DNS now: at the domain's own nameservers, and at what others see.

    Exit 0 when mail in the domain's name is proven by DKIM or SPF, 65 when something is to be done, 75 when
    DNS could not say.

    \b
    Examples:
      relayd domain check acme.example
      relayd domain check acme.example --json
    """
    asked: dict[str, object] = {} if as_json else {"lang": language}
    try:
        with waiting(f"asking the nameservers of {domain}"):
            found = Daemon(config).post(_path(domain) + "/check", asked, PATIENCE)
    except Away:
        Daemon(config).away()
    _print(found, as_json)
    raise SystemExit(exit_code(found))


def _path(domain: str) -> str:
    return "/domains/" + urllib.parse.quote(domain, safe="")


def exit_code(found: Mapping[str, Any]) -> int:
    needed = [record["state"] for record in found["records"] if record["needed"]]
    if any(state in PROVEN for state in needed):
        return 0
    return EX_TEMPFAIL if "unknown" in needed else EX_DATAERR


def _print(found: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(card(found)))


def card(found: Mapping[str, Any]) -> Iterator[str]:
    """A domain as people read it."""
    yield click.style(found["domain"], bold=True) + _looked(found)
    if found["note"]:
        yield from _wrapped(found["note"], "  ")
        return
    if found["looked_at"] is not None:
        yield _proofs(found["records"])
    last = None
    for record in found["records"]:
        if record["purpose"] != last:
            last = record["purpose"]
            yield ""
            yield click.style(TITLES[last], bold=True)
        yield from _record(record)
        if last == "spf" and found["lookups"]:
            yield f"      {_budget(found['lookups'])}"
    if found["forecast"]:
        yield ""
        yield click.style("Forecast", bold=True)
    for each in found["forecast"]:
        sign = "✓" if each["possible"] else "·"  # a rung whose proof is not there yet
        name = f"{each['rung']} ({each['proof']})"
        yield from _wrapped(f"{name:<22} {each['text']}", f"  {sign} ", " " * 27)


def _looked(found: Mapping[str, Any]) -> str:
    if found["looked_at"] is None:
        return "" if found["note"] else "  nobody has looked yet: relayd domain check " + found["domain"]
    servers = ", ".join(found["nameservers"])
    asked = f"; its nameservers {servers}" if servers else "; its nameservers can't be asked themselves"
    return f"  looked at {when(found['looked_at'])}{asked}"


def _proofs(records: Sequence[Mapping[str, Any]]) -> str:
    proofs = dict.fromkeys(
        record["purpose"].upper() for record in records if record["needed"] and record["state"] in PROVEN
    )
    if proofs:
        return click.style(f"  mail in its name is proven by {' and '.join(proofs)}", fg="green")
    return click.style("  mail in its name is not proven: publish DKIM (better) or SPF", fg="yellow")


def _record(record: Mapping[str, Any]) -> Iterator[str]:
    state, optional = record["state"], not record["needed"] and record["value"] is not None
    sign, colour = SIGNS["warning" if optional and state == "missing" else state]
    words = [click.style(sign, fg=colour), record["name"]]
    words += [] if state is None else [click.style(state, fg=colour)]
    words += ["(optional)"] if optional and state != "ok" else []
    yield "  " + " ".join(words)
    for note in record["notes"]:
        yield from _wrapped(note["text"], "      ")
    if record["state"] not in ("ok", None):
        yield from (line for seen in record["seen"] for line in _wrapped(f"found: {seen}", "      "))
    if record["value"] is None or record["state"] in ("ok", "unknown"):
        return
    yield from _to_paste(record["type"], record["name"], record["value"], "publish")
    if record["instead"]:
        yield from _to_paste(record["instead"]["type"], record["name"], record["instead"]["value"], "or")


def _to_paste(kind: str, name: str, value: str, word: str) -> Iterator[str]:
    """As the forms of DNS providers ask for it; the value in one piece, for they split it themselves."""
    head = f"      {word}:".ljust(16)
    for label, text in (("type", kind), ("name", name), ("value", value)):
        yield f"{head}{label:<6} {click.style(text, fg='cyan')}"
        head = " " * 16


def zone_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """All there is to publish, as a zone file has it."""
    if found["note"]:
        yield f"; {found['note']}"
    for record in found["records"]:
        if record["zone"] and record["state"] != "ok":
            yield record["zone"]
            if record["instead"]:
                yield f"; or: {record['instead']['zone']}"


def _budget(lookups: Mapping[str, int]) -> str:
    return f"needs {lookups['needed']} of the 10 look-ups that receivers make"


def _wrapped(text: str, indent: str, further: str | None = None) -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if further is None else further,
        break_long_words=False,
        break_on_hyphens=False,
    )
