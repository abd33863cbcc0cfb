"""Every key of the config file, declared once: type, default, reason.

`config.example.yaml` and the table in `docs/configuration.md` are rendered from here (`settings_docs`), and
a test compares them. `config.py` reads the file, puts secrets in place of `*_file` and `*_credential`, and
gives errors their lines; these models judge single values, `settings_checks` judges how they fit together.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from relayd.core.mail import IfUnproven, Rung
from relayd.core.sender import Tls
from relayd.core.settings_types import (
    Cidr,
    Domain,
    Duration,
    Folder,
    Host,
    Ip,
    KeyPath,
    Line,
    LogPath,
    Mailbox,
    Nameserver,
    RuntimePath,
    SecretText,
    Selector,
    Size,
    StatePath,
    Tcp,
    Tenant,
    TokenText,
    Url,
)


def _key(default: Any, why: str, example: object = None, **limits: Any) -> Any:
    """A key with its reason. `example` stands in the example file where the default says little."""
    return Field(default, description=why, examples=None if example is None else [example], **limits)


def _section(why: str, model: type[BaseModel]) -> Any:
    return Field(default_factory=model, description=why)


class Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True
    )


class ListenTls(Model):
    certificate: StatePath = _key(..., "PEM file: the certificate and the chain to its root.", "tls/cert.pem")
    key: KeyPath = _key(..., "PEM file: its private key, readable by relayd alone.", "tls/key.pem")
    mode: Literal["starttls", "implicit"] = _key(
        "starttls", "`starttls` begins in clear and upgrades; `implicit` speaks TLS from the first octet."
    )


class Listen(Model):
    address: Ip | None = _key(
        None, "IP address to listen on. Beyond loopback only with `tls` and `require_login`.", "127.0.0.1"
    )
    port: int | None = _key(None, "TCP port; 0 takes any free one.", 2525, ge=0, le=65535)
    path: RuntimePath | None = _key(None, "Unix socket instead of address and port.", "/run/relayd/smtp.sock")
    protocol: Literal["smtp", "lmtp"] = _key(
        "smtp", "`lmtp` (RFC 2033) answers for each recipient on its own after the final dot."
    )
    tls: ListenTls | None = _key(None, "Offers TLS with this certificate.")
    require_login: bool = _key(False, "Refuse mail from clients that haven't logged in.")


class Login(Model):
    username: Line | None = _key(None, "The name an app logs in with.", "billing")
    password: SecretText | None = _key(None, "Its password.")
    uid: int | None = _key(
        None, "Instead of a name: the user id of a process on a Unix socket.", ge=0, le=2**32 - 2
    )
    senders: Literal["all"] | tuple[str, ...] = _key(
        "all", "The senders it may be: `all`, or a list of sender ids."
    )


class Dkim(Model):
    selector: Selector = _key(
        ...,
        "The key is published at `<selector>._domainkey.<domain>`. A second selector follows from it, for "
        "the change of the key: `r1` and `r2` are each other's. Not to be changed: customers' "
        "records name it.",
        "r1",
    )
    key_file: KeyPath = _key(
        ...,
        "PEM file with the private key. Made with an empty store only; missing later: exit 78. The key of "
        "the second selector is beside it, in `<selector>.pem`.",
        "keys/r1.pem",
    )


class Smarthost(Model):
    """A submission server: the platform's smarthost, or a sender's upstream."""

    host: Host = _key(..., "The server's name, as its certificate says it.", "smtp.example.net")
    port: int = _key(587, "587 for `starttls`, 465 for `implicit`.", ge=1, le=65535)
    tls: Tls = _key(
        Tls.STARTTLS, "`starttls` or `implicit`, always verified. `none` only on loopback and without login."
    )
    username: Line | None = _key(None, "Login there; without it none is tried.")
    password: SecretText | None = _key(None, "Its password.")
    mechanism: Literal["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"] | None = _key(
        None,
        "The one login mechanism to use; null: PLAIN if the server offers it, else LOGIN; with `oauth` "
        "XOAUTH2, else OAUTHBEARER.",
    )
    ca_file: StatePath | None = _key(None, "PEM file with the roots to trust there instead of the system's.")


class UpstreamSettings(Smarthost):
    oauth: Literal["microsoft", "google"] | None = _key(
        None,
        "Log in with what this provider gives after `relayd upstream login`, instead of a password. "
        "`username` is the account, null: the contact address.",
        "microsoft",
    )


class Platform(Model):
    domain: Domain = _key(
        ..., "Domain of the default addresses; publish the DKIM key there.", "my.platform.example"
    )
    name: Line = _key(..., "Shown in what relayd itself writes.", "Platform")
    return_path: Domain | None = _key(
        None,
        "Domain of the return path, where bounces come to; has MX and SPF. Null: the platform's domain.",
        "bounce.my.platform.example",
    )
    spf_include: Domain | None = _key(
        None,
        "Domain that customers include in their SPF record, directly after `v=spf1`; its own record lists "
        "the addresses we send from. Null: the domain of the return path.",
        "my.platform.example",
    )
    dkim: Dkim = _key(
        ..., "The platform's signing key; also the one that customers publish in their own domain."
    )
    if_unproven: Literal["hold", "send"] = _key(
        "hold",
        "While our own key isn't seen in DNS: `hold` mail on default addresses, or `send` all the same.",
    )
    smarthost: Smarthost | None = _key(
        None, "Send through this server instead of to the recipients' MX: for hosts where port 25 is closed."
    )


class SenderSettings(Model):
    name: Line = _key(..., "Shown to recipients beside the default address.", "ACME BV")
    address: Mailbox = _key(
        ..., "The contact address: the sender's own e-mail address.", "billing@acme.example"
    )
    confirmed: bool = _key(False, "true: the operator vouches that the address belongs to the sender.")
    local_part: Line | None = _key(
        None, "Of the default address. Null: made from the name, unique, and fixed once assigned.", "acme"
    )
    send_as: Rung = _key(
        Rung.DEFAULT,
        "The wanted rung: the `default` address, the `own` one once proven, or the sender's own `upstream`.",
    )
    if_unproven: IfUnproven = _key(
        IfUnproven.DEFAULT,
        "While the wanted rung isn't proven: fall back to the `default` address, `hold`, or `reject`.",
    )
    language: Literal["de", "en", "fr", "nl"] = _key(
        "en", "Language that this sender reads; the API gives texts in it with `lang=sender`."
    )
    test: bool = _key(False, "true: deliver to nobody and report as if.")
    upstream: UpstreamSettings | None = _key(
        None, "The sender's own submission server, for `send_as: upstream`."
    )


class Delivery(Model):
    answer_within: Duration = _key(
        timedelta(seconds=10),
        "Hold the app's DATA answer this long for the real outcome; 0s answers as soon as the mail is kept. "
        "Most apps' SMTP clients give up after 30 s.",
    )
    give_up_after: Duration = _key(
        timedelta(hours=72),
        "Then the recipient is told `not_sent`. Waiting in hold and downtime don't count.",
    )
    warn_after: Duration = _key(
        timedelta(hours=4), "Then one `warned` event says that mail is late; 0s: none."
    )
    hold_limit: Duration = _key(timedelta(days=14), "Held mail that nobody releases expires after this.")
    retry_after: tuple[Duration, ...] = _key(
        tuple(timedelta(minutes=m) for m in (2, 5, 15, 30, 60, 120)),
        "Waits between attempts; the last repeats. The first are short because greylisting ends in minutes.",
    )
    require_tls: bool = _key(False, "Never deliver to an MX in clear.")
    parallel: int = _key(100, "Deliveries at once, in all.", ge=1, le=1000)
    parallel_per_hop: int = _key(
        20, "Deliveries at once to one hop (a smarthost may take `parallel`).", ge=1, le=1000
    )
    families: tuple[Literal["ipv6", "ipv4"], ...] = _key(
        ("ipv6", "ipv4"),
        "Address families to deliver over, in order of preference. IPv6 is used only while our address has a "
        "PTR record whose name leads back to it, and SPF of the return path's domain passes for it.",
    )
    egress: tuple[Ip, ...] = _key(
        (),
        "The addresses that recipients see our mail come from: SPF must pass for each of them before it "
        "proves an own address. Empty: found out, where they are public; behind a NAT or a smarthost they "
        "must be named, or SPF proves nothing.",
        ["192.0.2.25"],
    )
    mx_port: int = _key(25, "Port of the recipients' servers; another one only for tests.", ge=1, le=65535)


class TlsSettings(Model):
    ca_file: StatePath | None = _key(None, "PEM file with the roots to trust instead of the system's.")


class Limits(Model):
    message_size: Size = _key(
        35 * 1024**2, "Largest message taken, announced as SIZE; large providers take 25 to 35 MiB."
    )
    recipients: int = _key(
        100, "Most recipients of one message (RFC 5321 section 4.5.3.1.8 asks for 100).", ge=1, le=1000
    )
    connections: int = _key(200, "Most clients connected at once.", ge=1, le=10_000)


class Dns(Model):
    nameservers: tuple[Nameserver, ...] = _key(
        (), "IP addresses of resolvers, with `:port` if it isn't 53; empty: the system's.", ["127.0.0.1:5353"]
    )


class AllowPrivate(Model):
    delivery: tuple[Cidr, ...] = _key(
        (), "Private networks that recipients' MX may be in.", ["192.168.20.0/24"]
    )
    upstreams: tuple[Cidr, ...] = _key(
        (), "Private networks that senders' upstreams may be in.", ["10.1.0.0/16"]
    )


class Token(Model):
    """Who may ask the API over TCP."""

    name: Line = _key(..., "Stands in the log and the journal for who did it.", "app")
    token: TokenText = _key(..., "The secret that goes into `Authorization: Bearer`.")
    role: Literal["app", "support", "admin", "metrics"] = _key(
        ...,
        "`app`: senders, messages, events; `support`: reads all, acts on the queue; `admin`: everything; "
        "`metrics`: health alone.",
        "app",
    )


class Http(Model):
    socket: RuntimePath = _key(
        "api.sock", "Unix socket of the API that the commands use; in /run/relayd under systemd."
    )
    listen: Tcp | None = _key(
        None, "The API for apps: a loopback address, as it speaks no TLS. Needs `tokens`.", "127.0.0.1:8025"
    )
    tokens: tuple[Token, ...] = _key((), "Who may ask there, and what; read again at a reload.")
    public_listen: Tcp | None = _key(
        None,
        "The pages for people, such as the one that confirms an address, and nothing else; behind a proxy "
        "that does TLS.",
        "127.0.0.1:8026",
    )
    public_url: Url | None = _key(
        None,
        "Where people reach these pages. Without it mails carry a code and no link.",
        "https://relay.example.net",
    )


class OAuthClient(Model):
    """What a provider knows relayd as, after it was registered there (docs/oauth.md)."""

    client_id: Line = _key(..., "The id that the provider gave when relayd was registered there.", "0a1b2c3d")
    client_secret: SecretText | None = _key(None, "The secret that came with it.")
    authorize_url: Url | None = _key(
        None, "Another place where people sign in: for national clouds and for tests."
    )
    token_url: Url | None = _key(None, "Another place that gives tokens.")
    device_url: Url | None = _key(None, "Another place that gives device codes.")
    scope: Line | None = _key(None, "What to ask for there, instead of the usual permission to send mail.")


class OAuthMicrosoft(OAuthClient):
    tenant: Tenant = _key(
        "common",
        "`common`: accounts of all organisations; or the id of one, whose accounts alone may sign in.",
    )


class OAuth(Model):
    microsoft: OAuthMicrosoft | None = _key(None, "Microsoft 365 and Outlook.com.")
    google: OAuthClient | None = _key(None, "Gmail and Google Workspace.")


class Retention(Model):
    content: Duration = _key(timedelta(days=7), "Bodies are wiped this long after the final state.")
    metadata: Duration = _key(timedelta(days=400), "Everything else; at least as long as `content`.")


class Log(Model):
    format: Literal["journal", "json"] = _key(
        "journal", "`journal`: one line with its priority for systemd's journal; `json`: one object a line."
    )
    level: Literal["debug", "info", "warning", "error"] = _key("info", "The least severe line to write.")
    addresses: Literal["full", "masked"] = _key(
        "full", "`masked` writes a***@example.com instead of addresses."
    )


class Settings(Model):
    hostname: Domain = _key(
        ..., "EHLO name and Received; has a PTR record that points back here.", "relay.example.net"
    )
    state_dir: Folder = _key(
        "/var/lib/relayd", "Queue, journal and keys. Relative paths in this file start here."
    )
    master_key_file: KeyPath = _key(
        "master.key",
        "Seals stored secrets. Made with an empty store only; missing later: mail that needs them waits.",
    )
    listen: tuple[Listen, ...] = _key(
        (Listen(address="127.0.0.1", port=2525),),
        "Where apps hand in mail. Beyond loopback only with TLS and `require_login`: no open relay.",
    )
    logins: tuple[Login, ...] = _key(
        (), "Apps. None: any process on loopback may be any sender (warned about)."
    )
    platform: Platform = _key(..., "The platform in whose service the senders' mail goes out.")
    senders: dict[str, SenderSettings] = Field(
        default_factory=dict, description="Customers in whose name mail is sent, by id."
    )
    unknown_sender: str = _key(
        "reject", "Mail that no sender matches: `reject`, or the id of the sender that takes it."
    )
    delivery: Delivery = _section("How mail leaves.", Delivery)
    tls: TlsSettings = _section("TLS towards recipients' servers and upstreams.", TlsSettings)
    limits: Limits = _section("What one client may ask.", Limits)
    dns: Dns = _section("Name resolution.", Dns)
    allow_private: AllowPrivate = _section(
        "Hosts named by customers or DNS must be public, unless a network here holds them.", AllowPrivate
    )
    http: Http = _section("The API.", Http)
    oauth: OAuth = _section("Providers at whom customers sign in instead of giving a password.", OAuth)
    retention: Retention = _section("How long things are kept.", Retention)
    status_log: LogPath = _key("status.jsonl", "One JSON line per event; in /var/log/relayd under systemd.")
    log: Log = _section("The service's own log.", Log)


NOT_BUILT: frozenset[str] = frozenset(
    {
        "webhooks",
    }
)
"""Keys that are promised and refused until something acts on them; list positions and ids left out."""
