"""Writes what is rendered from code: config.example.yaml and tables in docs/. Run it after changing a key.

python docs/render.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from relayd.cli import reference
from relayd.core import phrases, reasons, settings_docs
from relayd.core.findings import Finding, Kind
from relayd.core.mailproviders import MailProvider, benelux, english, french, german, services, worldwide
from relayd.core.mailproviders.provider import MX, FromRule, Step, Username
from relayd.core.phrases import findings
from relayd.core.reasons import Reason
from relayd.web import roles
from relayd.web.roles import Role

ROOT = Path(__file__).parent.parent


def rendered() -> dict[Path, str]:
    """What each file should hold."""
    docs = ROOT / "docs"
    parts = {
        docs / "configuration.md": ("keys", settings_docs.table()),
        docs / "commands.md": ("commands", reference.reference()),
        docs / "api.md": ("routes", routes_table()),
        docs / "status-log.md": ("reasons", reasons_table()),
        docs / "upstream-providers.md": ("providers", providers_tables()),
        docs / "own-server.md": ("findings", findings_table()),
    }
    pages = {path: between(path.read_text(), name, new) for path, (name, new) in parts.items()}
    return {ROOT / "config.example.yaml": settings_docs.example(), **pages}


def routes_table() -> str:
    """Which role may use which route of the API."""
    roles_shown = [role for role in Role if role is not Role.ADMIN]
    head = ["| request | " + " | ".join(roles_shown) + " |", "|---|" + "---|" * len(roles_shown)]
    rows = [
        f"| `{method} {re.sub(r'{(.*?)}', lambda place: place[1].upper(), path)}` | "
        + " | ".join("yes" if role in allowed else "" for role in roles_shown)
        + " |"
        for (method, path), allowed in roles.MAY.items()
    ]
    return "\n".join([*head, *rows]) + "\n"


def reasons_table() -> str:
    rows = (
        (f"`{reason}`", reasons.row(reason).actor, phrases.text(reason, "en"), phrases.remedy(reason, "en"))
        for reason in Reason
    )
    head = ["| reason | who must act | what happened | what to do |", "|---|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


PLACES = {
    "host": "smtp.acme.example",
    "port": "587",
    "other": "465",
    "tls": "implicit",
    "username": "info@acme.example",
    "address": "billing@acme.example",
    "provider": "the provider",
    "seen": "info@acme.example",
    "expected": "the whole e-mail address",
}


def findings_table() -> str:
    """What a probe can find, as it is said to a customer."""
    found = [Finding(kind=kind, places=PLACES) for kind in Kind if kind is not Kind.OTHER]
    rows = (
        (f"`{each.kind}`", each.actor, findings.text(each, "en"), findings.remedy(each, "en"))
        for each in found
    )
    head = ["| finding | who must act | what is behind it | what to do |", "|---|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


FIRST = {
    Step.APP_PASSWORD: "app password",
    Step.APP_PASSWORD_IF_TWO_STEP: "app password if sign-in has two steps",
    Step.SEPARATE_PASSWORD: "a password of its own for programs",
    Step.MAILBOX_PASSWORD: "the mailbox's password",
    Step.PROGRAM_ACCESS: "allow programs",
    Step.SMTP_AUTH_ADMIN: "the administrator allows SMTP login",
    Step.BROWSER_LOGIN: "sign in in the browser",
    Step.API_KEY: "API key",
    Step.SMTP_CREDENTIALS: "credentials for SMTP",
    Step.TOKEN: "SMTP token",
    Step.TOKEN_AS_BOTH: "server token, as name and password",
    Step.VERIFY_SENDER: "verify the sender",
    Step.ALLOW_NETWORK: "allow our IP address",
    Step.PAID_PLAN: "a paid plan",
    Step.NO_PROGRAMS: "not possible",
}
FROM = {
    FromRule.MUST_MATCH: "must be the login's address",
    FromRule.REWRITTEN: "**replaced silently**",
    FromRule.VERIFIED_ONLY: "verified ones only",
    FromRule.ALIAS_ALLOWED: "the account's, or an alias",
    FromRule.UNKNOWN: "",
}
USERNAME = {Username.ADDRESS: "address", Username.LOCAL_PART: "part before the @", Username.OWN: "given out"}
LIMITS = {
    "messages_per_minute": "/minute",
    "messages_per_hour": "/hour",
    "messages_per_day": "/day",
    "recipients_per_day": " recipients/day",
    "recipients_per_message": " recipients/message",
}


def providers_tables() -> str:
    """A table for each file of rows."""
    parts = (
        ("Worldwide", worldwide),
        ("Germany, Austria, Switzerland", german),
        ("Belgium and the Netherlands", benelux),
        ("France", french),
        ("United Kingdom and United States", english),
        ("Services that send for programs", services),
    )
    return "\n".join(f"### {title}\n\n{providers_table(module.ROWS)}" for title, module in parts)


def providers_table(rows: Sequence[MailProvider]) -> str:
    head = ["| provider | server | username | first | limits | From |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(_provider(row))} |" for row in rows)]) + "\n"


def _provider(row: MailProvider) -> Iterator[str]:
    yield f"[{row.name}]({row.source})"
    servers: dict[str, list[str]] = {}
    for server in row.servers:
        name = "the domain's MX" if server.host == MX else f"`{server.host}`"
        servers.setdefault(name, []).append(f"{server.port} {server.tls.value}")
    shown = [f"{host} {', '.join(ports)}" for host, ports in servers.items()]
    more = f"<br>and {len(shown) - 2} other regions" if len(shown) > 2 else ""
    yield "<br>".join(shown[:2]) + more
    yield f"`{row.fixed_username}`" if row.fixed_username else USERNAME[row.username]
    steps = [f"[{FIRST[need.step]}]({need.link})" for need in row.needs]
    yield "<br>".join([*steps, *([f"or sign in with {row.oauth.capitalize()}"] if row.oauth else [])])
    limits = [f"{value:,}{LIMITS[name]}" for name in LIMITS if (value := getattr(row.limits, name))]
    size = row.limits.message_size
    yield "<br>".join([*limits, *([f"{size / 1024**2:.0f} MiB"] if size else [])])
    yield FROM[row.from_rule]


def between(text: str, name: str, new: str) -> str:
    """Replace what stands between the marks of a rendered part."""
    start, end = f"<!-- {name}: rendered by docs/render.py -->\n", f"<!-- end of {name} -->\n"
    return re.sub(
        re.escape(start) + ".*?" + re.escape(end), lambda _: start + new + end, text, flags=re.DOTALL
    )


if __name__ == "__main__":
    for path, content in rendered().items():
        path.write_text(content)
