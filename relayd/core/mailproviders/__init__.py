"""Mail providers and how a customer's mail is handed in there: one table, looked up by domain, MX or server.

`core.providers` knows the houses behind the servers that answer, and reads their replies; the rows here name
the one they belong to (`family`).
"""

from __future__ import annotations

from relayd.core.mailproviders import benelux, english, french, german, services, worldwide
from relayd.core.mailproviders.provider import MX, MailProvider

TABLE: tuple[MailProvider, ...] = (
    *worldwide.ROWS,
    *german.ROWS,
    *benelux.ROWS,
    *french.ROWS,
    *english.ROWS,
    *services.ROWS,
)

_BY_ID = {row.id: row for row in TABLE}
_BY_DOMAIN = {domain: row for row in TABLE for domain in row.domains}
_BY_MX = {suffix: row for row in TABLE for suffix in row.mx}
_BY_SPF = {row.spf: row for row in TABLE if row.spf is not None}
_BY_HOST = {server.host: row for row in reversed(TABLE) for server in row.servers}


def get(id: str) -> MailProvider | None:
    return _BY_ID.get(id)


def of_domain(domain: str) -> MailProvider | None:
    """The provider that hands out addresses at this very domain: nobody else can publish records there."""
    return _BY_DOMAIN.get(domain) or (
        _BY_DOMAIN["onmicrosoft.com"] if domain.endswith(".onmicrosoft.com") else None
    )


def of_mx(host: str) -> MailProvider | None:
    """The provider that takes the mail of a domain with this MX. The longest end counts, at whole labels."""
    labels = host.rstrip(".").lower().split(".")
    ends = (".".join(labels[start:]) for start in range(len(labels)))
    return next((_BY_MX[end] for end in ends if end in _BY_MX), None)


def of_spf(record: str) -> MailProvider | None:
    """The first provider that an SPF record includes: where the mailboxes are, when the MX doesn't say it."""
    terms = (term.lstrip("+?~-") for term in record.lower().split())
    names = (term.removeprefix("include:") for term in terms if term.startswith("include:"))
    return next((_BY_SPF[name] for name in names if name in _BY_SPF), None)


def of_server(host: str) -> MailProvider | None:
    """The provider whose submission server this is; of several that share it, the first in the table."""
    name = host.rstrip(".").lower()
    return _BY_HOST.get(name) or next(
        (row for row in TABLE if any(s.host == MX for s in row.servers) and of_mx(name) is row), None
    )


__all__ = ["TABLE", "MailProvider", "get", "of_domain", "of_mx", "of_server", "of_spf"]
