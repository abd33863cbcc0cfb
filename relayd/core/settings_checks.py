"""How settings fit together: what no single value shows.

Each check takes what could be read; parts that are broken are None and were complained about already, so
that one mistake doesn't hide the others.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from relayd.core import bearer, localparts, public
from relayd.core.mail import Rung
from relayd.core.sender import HOUSE, Tls
from relayd.core.settings import (
    AllowPrivate,
    Delivery,
    Http,
    Limits,
    Listen,
    Login,
    OAuth,
    Platform,
    Retention,
    SenderSettings,
    Settings,
    Smarthost,
    UpstreamSettings,
)
from relayd.core.settings_types import address_and_port

Path = tuple[str | int, ...]

SENDER_ID = "an id of lower-case letters, digits, - and _, at most 63, such as acme"
SUN_PATH = 107  # octets of a Unix socket's path (unix(7): 108 with the closing NUL)
# Clients wait 10 minutes for the answer to DATA (RFC 5321 section 4.5.3.2.6); most apps' far shorter.
LONGEST_ANSWER = timedelta(minutes=5)
SMALLEST_MESSAGE = 64 * 1024  # RFC 5321 section 4.5.3.1.7

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`seen` None: the value as written."""

    path: Path
    expected: str
    seen: str | None = None
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What could be read of a config file."""

    hostname: str | None
    listen: tuple[Listen | None, ...]
    logins: tuple[Login | None, ...]
    platform: Platform | None
    senders: Mapping[str, SenderSettings | None]
    unknown_sender: str | None
    delivery: Delivery | None
    limits: Limits | None
    allow_private: AllowPrivate | None
    retention: Retention | None
    http: Http | None
    oauth: OAuth | None


def check(parts: Parts) -> Iterator[Finding]:
    yield from _listeners(parts)
    yield from _logins(parts)
    yield from _senders(parts)
    yield from _addresses(parts)
    yield from _upstreams(parts)
    yield from _delivery(parts)
    yield from _http(parts)
    yield from _oauth(parts)
    yield from _rest(parts)


def check_sender(settings: Settings, id: str, sender: SenderSettings) -> Iterator[Finding]:
    """What `check` would say of this sender, if it stood in the file: for one that is added at run time."""
    parts = Parts(
        hostname=settings.hostname,
        listen=settings.listen,
        logins=(),
        platform=settings.platform,
        senders={id: sender},
        unknown_sender=None,
        delivery=None,
        limits=None,
        allow_private=settings.allow_private,
        retention=None,
        http=settings.http,
        oauth=settings.oauth,
    )
    for findings in (_senders, _addresses, _upstreams):
        yield from (found for found in findings(parts) if found.path[0] == "senders")


def _listeners(parts: Parts) -> Iterator[Finding]:
    taken: dict[tuple[str | None, int | None, str | None], int] = {}
    if not parts.listen:
        yield Finding(path=("listen",), expected="at least one listener, else no app can hand in mail")
    for index, listen in enumerate(parts.listen):
        if listen is None:
            continue
        path: Path = ("listen", index)
        if (listen.address is None) == (listen.path is None):
            yield Finding(path=path, expected="either address and port, or path", seen=_given(listen))
            continue
        if listen.path is not None:
            yield from _unix_listener(path, listen, listen.path)
        else:
            yield from _tcp_listener(path, listen)
        if listen.require_login and not parts.logins:
            yield Finding(path=(*path, "require_login"), expected="logins, else nobody can log in")
        place = (listen.address, listen.port, listen.path)
        if place in taken and listen.port != 0:
            wanted = f"each place once; listen[{taken[place]}] listens there too"
            yield Finding(
                path=path, expected=wanted, seen=listen.path or f"{listen.address} port {listen.port}"
            )
        taken[place] = index


def _given(listen: Listen) -> str:
    return "both" if listen.address is not None else "neither"


def _unix_listener(path: Path, listen: Listen, socket: str) -> Iterator[Finding]:
    if listen.port is not None:
        yield Finding(path=(*path, "port"), expected="no port with a Unix socket")
    if listen.tls is not None:
        yield Finding(path=(*path, "tls"), expected="no TLS on a Unix socket: it never leaves this machine")
    yield from _socket_path((*path, "path"), socket)


def _tcp_listener(path: Path, listen: Listen) -> Iterator[Finding]:
    if listen.port is None:
        yield Finding(path=path, expected="a port beside the address, such as 2525", seen="no port")
    if loopback(listen.address or ""):
        return
    if listen.tls is None:
        wanted = "tls on a listener beyond loopback: passwords would cross the network in clear"
        yield Finding(path=path, expected=wanted, seen="no tls")
    if not listen.require_login:
        wanted = "require_login: true on a listener beyond loopback, else it's an open relay"
        yield Finding(path=path, expected=wanted, seen="require_login: false")


def _socket_path(path: Path, socket: str) -> Iterator[Finding]:
    if len(socket.encode()) > SUN_PATH:
        wanted = f"a socket path of at most {SUN_PATH} octets, the limit of the system"
        yield Finding(path=path, expected=f"{wanted}; this one has {len(socket.encode())}")


def _logins(parts: Parts) -> Iterator[Finding]:
    names: dict[str | int, int] = {}
    for index, login in enumerate(parts.logins):
        if login is None:
            continue
        path: Path = ("logins", index)
        name = login.username if login.username is not None else login.uid
        if name is None or (login.username is not None and login.uid is not None):
            seen = "neither" if name is None else "both"
            yield Finding(path=path, expected="either username with password, or uid", seen=seen)
            continue
        if login.username is not None and login.password is None:
            yield Finding(
                path=path, expected="password, password_file or password_credential", seen="no password"
            )
        if login.uid is not None:
            yield from _uid_login(parts, path, login)
        if name in names:
            wanted = f"each login once; logins[{names[name]}] is for {name} too"
            yield Finding(path=path, expected=wanted, seen=str(name))
        names[name] = index
        yield from _login_senders(parts, path, login)
    anonymous = [listen for listen in parts.listen if listen and listen.address and not listen.require_login]
    if not parts.logins and any(loopback(listen.address or "") for listen in anonymous):
        wanted = "logins on a machine with other users: without them any process may be any sender"
        yield Finding(path=("logins",), expected=wanted, seen="none", warning=True)


def _uid_login(parts: Parts, path: Path, login: Login) -> Iterator[Finding]:
    if login.password is not None:
        yield Finding(path=(*path, "password"), expected="no password with uid: the system vouches for it")
    if all(listen is not None and listen.path is None for listen in parts.listen):
        yield Finding(
            path=(*path, "uid"), expected="a listener with path: only Unix sockets tell the user id"
        )


def _login_senders(parts: Parts, path: Path, login: Login) -> Iterator[Finding]:
    if login.senders == "all":
        return
    if not login.senders:
        yield Finding(
            path=(*path, "senders"), expected="all, or at least one sender id", seen="an empty list"
        )
    for position, sender in enumerate(login.senders):
        yield from _id_of_sender(parts, (*path, "senders", position), sender)


def _id_of_sender(parts: Parts, path: Path, id: str, *, prefix: str = "") -> Iterator[Finding]:
    """It may be added at run time, so that it isn't in the file is no error."""
    if not _ID.fullmatch(id):
        yield Finding(path=path, expected=prefix + SENDER_ID)
    elif id not in parts.senders:
        ids = ", ".join(list(parts.senders)[:10]) or "none is there yet"
        wanted = f"{prefix}the id of a sender under senders ({ids}), or of one that is added at run time"
        yield Finding(path=path, expected=wanted, warning=True)


def _senders(parts: Parts) -> Iterator[Finding]:
    local_parts: dict[str, str] = {}
    contacts: dict[str, str] = {}
    for name, sender in parts.senders.items():
        path: Path = ("senders", name)
        if not _ID.fullmatch(name):
            yield Finding(path=path, expected=SENDER_ID, seen=f'"{name}"')
        if name in ("all", "reject", HOUSE):
            yield Finding(path=path, expected="another id: this word has a meaning of its own", seen=name)
        if sender is None:
            continue
        if sender.send_as is Rung.UPSTREAM and sender.upstream is None:
            yield Finding(path=(*path, "send_as"), expected="an upstream section beside send_as: upstream")
        yield from _local_part((*path, "local_part"), name, sender.local_part, local_parts)
        contact = str(sender.address).lower()
        if other := contacts.get(contact):
            wanted = f"an address per sender; {other} has this one too, so From alone can't tell them apart"
            yield Finding(path=(*path, "address"), expected=wanted, warning=True)
        contacts.setdefault(contact, name)
    if parts.unknown_sender not in (None, "reject"):
        yield from _id_of_sender(parts, ("unknown_sender",), parts.unknown_sender, prefix="reject, or ")


def _local_part(path: Path, sender: str, value: str | None, taken: dict[str, str]) -> Iterator[Finding]:
    if value is None:
        return
    if problem := localparts.problem_with(value):
        yield Finding(path=path, expected=f"another local part: {problem}")
    elif other := taken.get(value.lower()):
        yield Finding(path=path, expected=f"a local part of its own; {other} has this one too")
    taken.setdefault(value.lower(), sender)


def _addresses(parts: Parts) -> Iterator[Finding]:
    if parts.platform is None:
        return
    ours = {parts.platform.domain, parts.platform.return_path}
    for name, sender in parts.senders.items():
        if sender is not None and sender.address.domain in ours:
            wanted = "the sender's own address; replies to one in the platform's domain reach nobody"
            yield Finding(path=("senders", name, "address"), expected=wanted)


def _upstreams(parts: Parts) -> Iterator[Finding]:
    servers: list[tuple[Path, Smarthost]] = []
    if parts.platform and parts.platform.smarthost:
        servers.append((("platform", "smarthost"), parts.platform.smarthost))
    for name, sender in parts.senders.items():
        if sender and sender.upstream:
            servers.append((("senders", name, "upstream"), sender.upstream))
            yield from _guarded(parts, ("senders", name, "upstream", "host"), sender.upstream.host)
    for path, server in servers:
        if isinstance(server, UpstreamSettings) and server.oauth is not None:
            yield from _tokens_there(parts, path, server)
        else:
            yield from _login_there(path, server)
        yield from _transport(path, server)
        if _is_relayd(parts, server):
            yield Finding(path=(*path, "host"), expected="another server: relayd listens there itself")


def _login_there(path: Path, server: Smarthost) -> Iterator[Finding]:
    if server.username is not None and server.password is None:
        wanted = "password, password_file or password_credential beside username"
        yield Finding(path=path, expected=wanted, seen="no password")
    if server.username is None and server.password is not None:
        yield Finding(path=path, expected="a username beside the password", seen="no username")
    if server.username is None and server.mechanism is not None:
        yield Finding(path=(*path, "mechanism"), expected="a username beside mechanism: it is for logging in")
    elif server.mechanism in bearer.MECHANISMS:
        wanted = "PLAIN or LOGIN; the others log in with what a provider gives, see upstream.oauth"
        yield Finding(path=(*path, "mechanism"), expected=wanted)


def _tokens_there(parts: Parts, path: Path, server: UpstreamSettings) -> Iterator[Finding]:
    """It logs in with the tokens of a provider."""
    if server.password is not None:
        yield Finding(path=(*path, "password"), expected="no password beside oauth: one of them logs in")
    if server.mechanism is not None and server.mechanism not in bearer.MECHANISMS:
        wanted = " or ".join(bearer.MECHANISMS) + " beside oauth"
        yield Finding(path=(*path, "mechanism"), expected=wanted)
    if server.tls is Tls.NONE:
        wanted = "starttls or implicit: no login ever goes out in clear"
        yield Finding(path=(*path, "tls"), expected=wanted)
    if parts.oauth is not None and server.oauth and getattr(parts.oauth, server.oauth) is None:
        wanted = f"oauth.{server.oauth} with its client_id, so that customers can sign in there"
        yield Finding(path=(*path, "oauth"), expected=wanted, seen=f"{server.oauth}, which is not set up")


def _transport(path: Path, server: Smarthost) -> Iterator[Finding]:
    if server.tls is Tls.NONE:
        if server.username is not None or server.password is not None:
            wanted = "starttls or implicit: no login ever goes out in clear"
            yield Finding(path=(*path, "tls"), expected=wanted)
        elif not loopback(server.host):
            yield Finding(path=(*path, "tls"), expected="starttls or implicit; none is for loopback only")
    usual = {Tls.STARTTLS: 465, Tls.IMPLICIT: 587}
    if usual.get(server.tls) == server.port:
        other = Tls.IMPLICIT if server.tls is Tls.STARTTLS else Tls.STARTTLS
        wanted = f"{other.value} on port {server.port}, as nearly all servers have it"
        yield Finding(path=(*path, "tls"), expected=wanted, seen=server.tls.value, warning=True)
    if server.port == 25 and server.username is not None:
        wanted = "587 or 465: port 25 is where servers take mail for their own users, mostly without login"
        yield Finding(path=(*path, "port"), expected=wanted, warning=True)


def _guarded(parts: Parts, path: Path, host: str) -> Iterator[Finding]:
    """Hosts of customers must be public. Names are checked when looked up, addresses already here."""
    address = _ip("127.0.0.1" if host == "localhost" else host)
    if address is None or parts.allow_private is None or public.why_not(address) is None:
        return
    if not any(address in network for network in parts.allow_private.upstreams):
        network = f"{address}/{address.max_prefixlen}"
        yield Finding(path=path, expected=f"a public server, or {network} in allow_private.upstreams")


def _is_relayd(parts: Parts, server: Smarthost) -> bool:
    for listen in parts.listen:
        if listen is None or listen.address is None or listen.port != server.port:
            continue
        everywhere = listen.address in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
        ours = {listen.address, parts.hostname}
        if server.host in ours or ((everywhere or loopback(listen.address)) and loopback(server.host)):
            return True
    return False


def _delivery(parts: Parts) -> Iterator[Finding]:
    delivery = parts.delivery
    if delivery is None:
        return
    if delivery.answer_within > LONGEST_ANSWER:
        wanted = "at most 5m: clients give up waiting, and would send the mail again"
        yield Finding(path=("delivery", "answer_within"), expected=wanted)
    if not delivery.retry_after:
        yield Finding(path=("delivery", "retry_after"), expected="at least one wait", seen="an empty list")
    for index, wait in enumerate(delivery.retry_after):
        if wait < timedelta(seconds=1):
            wanted = "at least 1s between attempts"
            yield Finding(path=("delivery", "retry_after", index), expected=wanted)
    for key in ("give_up_after", "hold_limit"):
        if not getattr(delivery, key):
            yield Finding(path=("delivery", key), expected="more than 0s")
    if delivery.warn_after and delivery.warn_after >= delivery.give_up_after:
        wanted = "less than give_up_after, or 0s for no warning: mail is given up before it warns"
        yield Finding(path=("delivery", "warn_after"), expected=wanted, warning=True)
    if not delivery.families:
        wanted = "at least one of ipv6 and ipv4"
        yield Finding(path=("delivery", "families"), expected=wanted, seen="an empty list")
    if len(set(delivery.families)) < len(delivery.families):
        yield Finding(path=("delivery", "families"), expected="each family once")
    direct = parts.platform is None or parts.platform.smarthost is None
    only_ipv6 = delivery.egress and all(":" in ip for ip in delivery.egress)
    if direct and only_ipv6 and "ipv4" in delivery.families:
        wanted = "our IPv4 address too: mail leaves over IPv4 as long as delivery.families has it"
        yield Finding(path=("delivery", "egress"), expected=wanted, seen="IPv6 addresses alone")


def _http(parts: Parts) -> Iterator[Finding]:
    http = parts.http
    if http is None:
        return
    yield from _socket_path(("http", "socket"), http.socket)
    if http.listen is not None:
        address, _ = address_and_port(http.listen)
        if not loopback(address):
            wanted = "a loopback address: there is no TLS, and tokens would cross the network in clear"
            yield Finding(path=("http", "listen"), expected=wanted)
        if not http.tokens:
            wanted = "at least one token, else nobody may ask anything at listen"
            yield Finding(path=("http", "tokens"), expected=wanted, seen="none")
    elif http.tokens:
        wanted = "listen beside it: tokens are for the API over TCP; the Unix socket needs none"
        yield Finding(path=("http", "tokens"), expected=wanted, seen="no listen", warning=True)
    yield from _tokens(http)
    yield from _public(http)


def _oauth(parts: Parts) -> Iterator[Finding]:
    oauth = parts.oauth
    if oauth is None:
        return
    if oauth.google is not None and oauth.google.client_secret is None:
        wanted = "client_secret, client_secret_file or client_secret_credential: Google asks for it"
        yield Finding(path=("oauth", "google"), expected=wanted, seen="no client_secret")
    if (oauth.microsoft or oauth.google) and parts.http is not None and parts.http.public_url is None:
        wanted = "public_url, where customers come back to after they signed in; without it they need a code "
        wanted += "on another device, which Google has not for mail"
        yield Finding(path=("http", "public_url"), expected=wanted, seen="none", warning=True)


def _tokens(http: Http) -> Iterator[Finding]:
    names: dict[str, int] = {}
    secrets: dict[str, int] = {}
    for index, token in enumerate(http.tokens):
        for known, value, what in ((names, token.name, "name"), (secrets, token.token.value, "token")):
            if value in known:
                wanted = f"a {what} of its own; http.tokens[{known[value]}] has this one too"
                yield Finding(path=("http", "tokens", index, what), expected=wanted)
            known.setdefault(value, index)


def _public(http: Http) -> Iterator[Finding]:
    path: Path = ("http", "public_listen")
    if http.public_listen is None:
        if http.public_url is not None:
            wanted = "public_listen beside it, else nobody answers there"
            yield Finding(path=("http", "public_url"), expected=wanted, warning=True)
        return
    if http.public_listen == http.listen:
        yield Finding(path=path, expected="another port than listen: nothing of the API is on these pages")
    if http.public_url is None:
        wanted = "public_url beside it, else no mail has a link to these pages"
        yield Finding(path=path, expected=wanted, warning=True)
    address, _ = address_and_port(http.public_listen)
    if not loopback(address):
        wanted = "a loopback address behind a proxy that does TLS: this listener speaks plain HTTP"
        yield Finding(path=path, expected=wanted, warning=True)


def _rest(parts: Parts) -> Iterator[Finding]:
    if parts.limits and parts.limits.message_size < SMALLEST_MESSAGE:
        yield Finding(path=("limits", "message_size"), expected="at least 64KiB (RFC 5321 section 4.5.3.1.7)")
    if parts.retention and parts.retention.metadata < parts.retention.content:
        wanted = "at least as long as content: bodies can't outlive their messages"
        yield Finding(path=("retention", "metadata"), expected=wanted)


def loopback(host: str) -> bool:
    address = _ip(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
