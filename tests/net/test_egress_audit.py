"""Every place that opens a connection is known, and so is who judged the address before.

Whoever opens another one finds this list in the way, and adds to it what holds it back.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

RELAYD = Path(__file__).parents[2] / "relayd"

OPENERS = {
    "asyncio.open_connection",
    "asyncio.open_unix_connection",
    "loop.create_connection",
    "loop.sock_connect",
    "loop.getaddrinfo",
    "socket.create_connection",
    "socket.getaddrinfo",
    "dns.asyncquery",
    "httpx.AsyncClient",
    "httpx.AsyncHTTPTransport",
    "httpx.Client",
    "httpx.get",
    "httpx.post",
    "smtplib.SMTP",
    "urllib.request",
}
"""What opens a connection, or looks a name up past our resolver; compared by the last two names."""

DOORS = {
    "net/smtp.py": "to an address it is given; its callers are below",
    "net/https.py": "judges each address itself, redirects too",
    "net/authority.py": "judges the addresses of nameservers that DNS names",
    "net/greeting.py": "to mail servers of large providers, when the operator asks about port 25",
    "net/dns.py": "asks the machine's own names for hosts of the operator alone",
    "cli": "commands of the operator, to our own listener",
    "sandbox/climb.py": "the browser of the demo, to our own page",
}

JUDGED = {
    "couriers/handover.py": "Way.refusal, which both couriers fill from their guard",
    "identity/discover.py": "the guard of allow_private.upstreams",
    "identity/probe.py": "the guard of allow_private.upstreams",
    "identity/lookout.py": "its guard, or the probe that asks about an address it has judged",
}
"""Who calls `net/smtp`, and what judges the address before."""


SESSIONS = {"smtp.connect", "smtp.reaches"}


@cache
def sources() -> list[tuple[str, list[ast.AST]]]:
    """Each file in which something of interest is written, with the nodes that use or call anything."""
    interesting = re.compile("|".join({"guard", *(name.rpartition(".")[2] for name in OPENERS | SESSIONS)}))
    texts = [(path, path.read_text()) for path in sorted(RELAYD.rglob("*.py"))]
    return [
        (
            str(path.relative_to(RELAYD)),
            [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute | ast.Call)],
        )
        for path, text in texts
        if interesting.search(text)
    ]


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        called = dotted(node.func)
        return "loop" if called.endswith("get_running_loop") else called
    return node.id if isinstance(node, ast.Name) else ""


def uses(nodes: list[ast.AST], names: set[str]) -> set[str]:
    found = set()
    ends = {name.rpartition(".")[2] for name in names}
    for node in nodes:
        name = dotted(node) if isinstance(node, ast.Attribute) and node.attr in ends else ""
        last = ".".join(name.split(".")[-2:])
        found |= {last} & names
        found |= {name} & names
    return found


def door(file: str) -> str:
    return next((name for name in DOORS if file == name or file.startswith(f"{name}/")), file)


def test_only_doors_open_connections() -> None:
    opening = {door(file) for file, nodes in sources() if uses(nodes, OPENERS)}
    assert opening <= set(DOORS)


def test_who_opens_a_session_has_the_address_judged_before() -> None:
    callers = {file for file, nodes in sources() if uses(nodes, SESSIONS)}
    assert callers == set(JUDGED)


def test_a_guard_is_left_out_only_where_the_operator_wrote_the_host() -> None:
    """`guard=None` is for the smarthost, and for what the code or the config names for OAuth."""
    without = [
        f"{file}: {dotted(node.func)}"
        for file, nodes in sources()
        for node in nodes
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "guard" and isinstance(keyword.value, ast.Constant) and keyword.value.value is None
    ]
    assert set(without) <= {"parts.py: upstream", "parts.py: Https", "customers.py: Https"}
