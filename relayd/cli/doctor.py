"""`relayd doctor`: the platform's own side, as receivers and this machine see it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relayd.cli.check_config import read_or_fail
from relayd.cli.daemon import Away, Daemon
from relayd.cli.options import config_option, json_option, print_json, waiting

if TYPE_CHECKING:
    from relayd.core.doctor import Finding
    from relayd.core.settings import Settings

TITLES = {
    "nameserver": "nameservers",
    "addresses": "mail leaves from",
    "hostname": "our name",
    "ptr": "reverse name",
    "port_25": "port 25",
    "own_key": "our DKIM key",
    "key_change": "change of the key",
    "own_spf": "our SPF",
    "own_dmarc": "our DMARC",
    "mx": "our MX",
    "return_path": "return path",
    "blocklist": "blocklist",
    "clock": "clock",
    "disk": "disk",
    "files": "files",
    "systemd": "systemd",
}
SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "bad": ("✗", "red"), "unknown": ("?", "yellow")}
HOST = ("clock", "disk", "files", "systemd")
"""What this command looks at itself: the daemon is locked in and may not ask for all of it."""

WIDTH = 100


@click.command("doctor")
@config_option
@json_option
def doctor_command(config: Path, as_json: bool) -> None:
    """Look at the platform's own side.

    That is everything that makes receivers refuse us, and this machine. One line for each thing, with what to
    do where something is wrong. The daemon is asked, because its network is what counts; without one this
    command looks itself. Exit 1 when something is bad.

    \b
    Examples:
      relayd doctor
      relayd doctor --json
    """
    settings = read_or_fail(config)
    with waiting("asking DNS, blocklists and large mail servers"):
        found = _findings(config, settings)
    if as_json:
        print_json({"healthy": not _sick(found), "findings": found})
    else:
        click.echo("\n".join(line for finding in found for line in lines(finding)))
    raise SystemExit(1 if _sick(found) else 0)


def _findings(config: Path, settings: Settings) -> Sequence[Mapping[str, Any]]:
    from relayd.identity import hostcheck

    host = [asdict(finding) for finding in hostcheck.findings(settings)]
    try:
        said = Daemon(config).get("/doctor")["findings"]
        network = [finding for finding in said if finding["check"] not in HOST]
    except Away:
        network = [asdict(finding) for finding in _alone(settings)]
    return [*network, *host]


def _alone(settings: Settings) -> Sequence[Finding]:
    """Without a daemon: the same, from this process."""
    import asyncio

    from relayd.domaincare import examine_alone

    return asyncio.run(examine_alone(settings))


def _sick(findings: Sequence[Mapping[str, Any]]) -> bool:
    return any(finding["health"] == "bad" for finding in findings)


def lines(finding: Mapping[str, Any]) -> Iterator[str]:
    sign, colour = SIGNS[finding["health"]]
    about = f"{finding['about']}: " if finding["about"] else ""
    text = f"{TITLES.get(finding['check'], finding['check']):<17} {about}{finding['text']}"
    first, *more = _wrapped(text, f"{sign} ", " " * 20)
    yield click.style(first[0], fg=colour) + first[1:]
    yield from more
    if finding["remedy"]:
        yield from _wrapped(finding["remedy"], " " * 20 + "→ ", " " * 22)


def _wrapped(text: str, first: str, further: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
