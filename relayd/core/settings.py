"""Every key of the config file, declared once: type, default, reason.

`config.example.yaml` and `docs/configuration.md` are rendered from here. `config.py` reads the file, puts
secrets in place of `*_file` and `*_credential`, and gives errors their lines; these models only judge values.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from relayd.core.address import Address
from relayd.core.mail import IfUnproven, Rung
from relayd.core.sender import Secret, Tls

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(value: Any) -> timedelta:
    """`10s`, `2m`, `72h`, `14d`. A bare number has no unit and is refused."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"(\d{1,9})(ms|s|m|h|d)", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a duration with its unit, such as 10s, 2m, 72h or 14d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def size(value: Any) -> int:
    """`35MiB`, `512KiB` or octets as a whole number."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    found = re.fullmatch(r"(\d{1,9})(KiB|MiB|GiB)", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a size with its unit, such as 35MiB or 512KiB")
    return int(found[1]) << (10 * (["KiB", "MiB", "GiB"].index(found[2]) + 1))


def secret(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("a text that is not empty")
    return Secret(value)


Duration = Annotated[timedelta, BeforeValidator(duration), PlainSerializer(str)]
Size = Annotated[int, BeforeValidator(size)]
SecretText = Annotated[Any, BeforeValidator(secret)]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class ListenTls(Model):
    certificate: str
    key: str
    mode: Literal["starttls", "implicit"] = "starttls"


class Listen(Model):
    address: str | None = None
    port: int | None = Field(None, ge=0, le=65535)
    path: str | None = None
    protocol: Literal["smtp", "lmtp"] = "smtp"
    tls: ListenTls | None = None
    require_login: bool = False


class Login(Model):
    username: str | None = None
    password: SecretText | None = None
    uid: int | None = Field(None, ge=0)
    senders: Literal["all"] | list[str] = "all"


class Dkim(Model):
    selector: str
    key_file: str


class Smarthost(Model):
    host: str
    port: int = Field(587, ge=1, le=65535)
    tls: Tls = Tls.STARTTLS
    username: str | None = None
    password: SecretText | None = None
    mechanism: Literal["PLAIN", "LOGIN"] | None = None
    ca_file: str | None = None


class Platform(Model):
    domain: str
    name: str
    return_path: str | None = None  # None: the platform's domain
    dkim: Dkim
    if_unproven: Literal["hold", "send"] = "hold"
    smarthost: Smarthost | None = None


class SenderSettings(Model):
    name: str
    address: Any  # Address, parsed by a validator
    confirmed: bool = False
    local_part: str | None = None
    send_as: Rung = Rung.DEFAULT
    if_unproven: IfUnproven = IfUnproven.DEFAULT
    language: Literal["de", "en", "fr", "nl"] = "en"
    test: bool = False
    upstream: Smarthost | None = None


class Delivery(Model):
    answer_within: Duration = timedelta(seconds=10)
    give_up_after: Duration = timedelta(hours=72)
    warn_after: Duration = timedelta(hours=4)
    hold_limit: Duration = timedelta(days=14)
    retry_after: tuple[Duration, ...] = tuple(timedelta(minutes=m) for m in (2, 5, 15, 30, 60, 120))
    require_tls: bool = False
    parallel: int = Field(100, ge=1, le=1000)
    parallel_per_hop: int = Field(20, ge=1, le=1000)
    egress: tuple[str, ...] = ()
    families: tuple[Literal["ipv4", "ipv6"], ...] = ("ipv6", "ipv4")
    mx_port: int = Field(25, ge=1, le=65535)


class TlsSettings(Model):
    ca_file: str | None = None


class Limits(Model):
    message_size: Size = 35 * 1024**2
    recipients: int = Field(100, ge=1, le=1000)
    connections: int = Field(200, ge=1, le=10_000)


class Dns(Model):
    nameservers: tuple[str, ...] = ()


class AllowPrivate(Model):
    delivery: tuple[str, ...] = ()
    upstreams: tuple[str, ...] = ()


class Http(Model):
    socket: str = "api.sock"


class Retention(Model):
    content: Duration = timedelta(days=7)
    metadata: Duration = timedelta(days=400)


class Log(Model):
    format: Literal["journal", "json"] = "journal"
    level: Literal["debug", "info", "warning", "error"] = "info"
    addresses: Literal["full", "masked"] = "full"


class Settings(Model):
    hostname: str
    state_dir: str = "/var/lib/relayd"
    master_key_file: str = "master.key"
    listen: tuple[Listen, ...] = (Listen(address="127.0.0.1", port=2525),)
    logins: tuple[Login, ...] = ()
    platform: Platform
    senders: dict[str, SenderSettings] = Field(default_factory=dict)
    unknown_sender: str = "reject"
    delivery: Delivery = Delivery()
    tls: TlsSettings = TlsSettings()
    limits: Limits = Limits()
    dns: Dns = Dns()
    allow_private: AllowPrivate = AllowPrivate()
    http: Http = Http()
    retention: Retention = Retention()
    status_log: str = "status.jsonl"
    log: Log = Log()


__all__ = ["Address", "Settings"]
