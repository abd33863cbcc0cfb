"""OAuth 2.0 with mail providers: who they are, what their answers mean, how long a token is good.

`net/oauth` asks, `identity/oauth` keeps and decides when. Nothing that a provider says is trusted further
than its form was checked: tokens end up in SMTP commands, its texts before people.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from relayd.core.reasons import Reason
from relayd.core.reply import Evidence, Fault, FaultKind, Reply, Stage, clean
from relayd.core.sender import Secret
from relayd.core.settings import OAuth
from relayd.core.verdict import Role, classify

CALLBACK = "/oauth/callback"
"""Where browsers come back to, below `http.public_url`. The providers' registrations have it, so it stays."""

TOKEN_MAX = 8192
"""Characters of a token. Microsoft's have 1,500 to 3,000; in base64 it must fit the 12,288 octets that an
exchange of AUTH may have (RFC 4954 section 4)."""

LIFE_DEFAULT = 600.0
"""Seconds, where a provider doesn't say how long an access token is good (RFC 6749 section 5.1 lets it)."""
LIFE_MAX = 24 * 3600.0

AGEING = 0.8
"""Share of a token's life after which the next one is fetched, while this one still works."""
SPENT = 0.05
"""Share of its life that must be left for a login to begin with it, and at most a minute."""

STALE_TOKEN = frozenset({Reason.AUTH_WRONG_PASSWORD, Reason.AUTH_TOKEN_EXPIRED, Reason.AUTH_NOT_LOGGED_IN})
"""What a refused token looks like: servers have the same words for it as for a password."""


def stale_token(evidence: Evidence) -> bool:
    """A mail server refused a token, and a new one may help: not where logging in is switched off."""
    at_login = isinstance(evidence, Reply) and evidence.stage is Stage.AUTH
    return at_login and classify(evidence, Role.UPSTREAM).reason in STALE_TOKEN


INTERVAL = 5.0
"""Seconds between two questions about a device code (RFC 8628 section 3.5), and what `slow_down` adds."""
INTERVAL_MAX = 60.0
DEVICE_LIFE_MAX = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider with what it knows us as. `needed` is the scope without which no mail can be sent."""

    name: str
    client_id: str
    client_secret: Secret | None
    authorize_url: str
    token_url: str
    device_url: str | None
    scope: str
    needed: str
    account_claims: tuple[str, ...]  # of the id token, the first that is there says who signed in
    extra: tuple[tuple[str, str], ...] = ()  # parameters of the authorization request

    @property
    def host(self) -> str:
        """Where tokens come from, for people."""
        return urllib.parse.urlsplit(self.token_url).hostname or ""

    @property
    def issuer(self) -> str:
        """The host that stands in the issuer of its answers: the one where people sign in."""
        return urllib.parse.urlsplit(self.authorize_url).hostname or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a provider gave. `account` is who signed in, as far as it says so."""

    access: Secret
    lives: float  # seconds, from now on
    refresh: Secret | None
    account: str | None
    nonce: str | None
    mail: bool  # False: it says that sending mail is not among what was allowed


class TroubleKind(StrEnum):
    WITHDRAWN = "withdrawn"  # this grant is no longer good: a person has to sign in
    DENIED = "denied"  # the person said no
    PENDING = "pending"  # the person has not answered yet
    SLOW_DOWN = "slow_down"
    EXPIRED = "expired"  # the device code is
    OURS = "ours"  # our registration at the provider is wrong: the operator's to mend
    PASSING = "passing"  # try again


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What a provider said instead of giving a token. `text` is for people, cleaned."""

    kind: TroubleKind
    text: str


class Problem(StrEnum):
    """Why a sign-in came to nothing. `core.phrases.signin` has the words."""

    NOT_WANTED = "not_wanted"  # the sender's settings name no provider
    NO_PAGE = "no_page"  # there is no public page to come back to
    NO_DEVICE = "no_device"  # the provider has no codes for devices
    EXPIRED = "expired"  # too late, or used before, or never begun
    DENIED = "denied"
    OTHER_ACCOUNT = "other_account"
    NO_MAIL = "no_mail"  # sending mail was not allowed
    NOT_LASTING = "not_lasting"  # nothing was given that lasts longer than an hour
    MIXED_UP = "mixed_up"  # what came back belongs to something else
    CHANGED = "changed"  # the settings changed meanwhile
    OURS = "ours"  # the operator's registration
    PASSING = "passing"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """A sign-in on another device (RFC 8628 section 3.2). `user_code` is typed in at `url`."""

    code: Secret
    user_code: str
    url: str
    lives: float
    interval: float


class AccessTokens(Protocol):
    """Who logs in with tokens asks this for one."""

    async def access_token(self, sender: str, refused: Secret | None = None) -> Secret | Fault:
        """A token that is good now; a TOKEN fault when a person has to sign in first, another fault for what
        passes. `refused` is one that a server didn't take: it is never given again."""
        ...


# RFC 6749 section 5.2, RFC 8628 section 3.5, OpenID Connect Core section 3.1.2.6; the last two of DENIED and
# EXPIRED are Microsoft's.
_KINDS: Mapping[str, TroubleKind] = {
    "invalid_grant": TroubleKind.WITHDRAWN,
    "interaction_required": TroubleKind.WITHDRAWN,
    "login_required": TroubleKind.WITHDRAWN,
    "consent_required": TroubleKind.WITHDRAWN,
    "account_selection_required": TroubleKind.WITHDRAWN,
    "access_denied": TroubleKind.DENIED,
    "authorization_declined": TroubleKind.DENIED,
    "authorization_pending": TroubleKind.PENDING,
    "slow_down": TroubleKind.SLOW_DOWN,
    "expired_token": TroubleKind.EXPIRED,
    "bad_verification_code": TroubleKind.EXPIRED,
    "invalid_client": TroubleKind.OURS,
    "unauthorized_client": TroubleKind.OURS,
    "unsupported_grant_type": TroubleKind.OURS,
    "unsupported_response_type": TroubleKind.OURS,
    "invalid_scope": TroubleKind.OURS,
    "invalid_request": TroubleKind.OURS,
    "invalid_resource": TroubleKind.OURS,
}

_TOKEN = re.compile(rf"[!-~]{{1,{TOKEN_MAX}}}")


def trouble(error: object, description: object = None) -> Trouble:
    """What an error code means. One that nobody knows passes, we hope: a consent that is still given must not
    be thrown away by guess."""
    code = error if isinstance(error, str) else ""
    words = [code, description if isinstance(description, str) else ""]
    text = clean(": ".join(word for word in words if word)) or "no reason given"
    return Trouble(kind=_KINDS.get(code, TroubleKind.PASSING), text=text)


def read_grant(status: int, body: bytes, provider: Provider) -> Grant | Trouble | Fault:
    """The answer of a token endpoint (RFC 6749 section 5)."""
    found = _object(status, body, provider)
    if not isinstance(found, dict):
        return found
    access, refresh = found.get("access_token"), found.get("refresh_token")
    if not _token(access) or str(found.get("token_type", "bearer")).lower() != "bearer":
        return _useless(provider, "an answer without an access token that can be used")
    if refresh is not None and not _token(refresh):
        return _useless(provider, "a refresh token that can't be used")
    claims = _claims(found.get("id_token"), provider)
    if isinstance(claims, Trouble):
        return claims
    scope = found.get("scope")
    return Grant(
        access=Secret(str(access)),
        lives=_seconds(found.get("expires_in"), LIFE_DEFAULT, LIFE_MAX),
        refresh=None if refresh is None else Secret(str(refresh)),
        account=_account(claims, provider),
        nonce=_text(claims.get("nonce")),
        mail=not isinstance(scope, str) or provider.needed.lower() in scope.lower().split(),
    )


def read_device(status: int, body: bytes, provider: Provider) -> DeviceCode | Trouble | Fault:
    """The answer to a device authorization request (RFC 8628 section 3.2)."""
    found = _object(status, body, provider)
    if not isinstance(found, dict):
        return found
    code, user_code, url = (found.get(key) for key in ("device_code", "user_code", "verification_uri"))
    shown = clean(user_code) if isinstance(user_code, str) else ""
    if not _token(code) or not 0 < len(shown) <= 40 or "\n" in shown or not _page(url, provider):
        return _useless(provider, "a device code that can't be used")
    return DeviceCode(
        code=Secret(str(code)),
        user_code=shown,
        url=str(url),
        lives=_seconds(found.get("expires_in"), DEVICE_LIFE_MAX, DEVICE_LIFE_MAX),
        interval=max(_seconds(found.get("interval"), INTERVAL, INTERVAL_MAX), 1.0),
    )


def _object(status: int, body: bytes, provider: Provider) -> dict[str, Any] | Trouble | Fault:
    """The JSON object of an answer that is well; what is not well says why."""
    if status >= 500 or status == 429:
        text = f"{provider.host} answered {status}"
        return Fault(kind=FaultKind.UNREACHABLE, text=text, stage=Stage.AUTH, host=provider.host)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return _useless(provider, f"answer {status}, which is not the JSON of OAuth")
    if "error" in found:
        return trouble(found["error"], found.get("error_description"))
    if status != 200:
        return _useless(provider, f"answer {status}")
    return found


def _useless(provider: Provider, what: str) -> Fault:
    text = f"{provider.host} gave {what}"
    return Fault(kind=FaultKind.UNREACHABLE, text=text, stage=Stage.AUTH, host=provider.host)


def _token(value: object) -> bool:
    """Printable ASCII without a blank: nothing in it can end a line, a field or a command."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _page(value: object, provider: Provider) -> bool:
    """A page that people can be sent to: over TLS, or where the operator has plain HTTP on loopback."""
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,500}", value):
        return False
    try:
        url = urllib.parse.urlsplit(value)
    except ValueError:
        return False
    ours = urllib.parse.urlsplit(provider.authorize_url)
    return bool(url.hostname) and (
        url.scheme == "https" or (url.scheme, url.hostname) == (ours.scheme, ours.hostname)
    )


def _seconds(value: object, default: float, most: float) -> float:
    """Numbers, also as text (Microsoft's first version has them so)."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return default
    return min(max(float(value), 0.0), most)


def _claims(id_token: object, provider: Provider) -> dict[str, Any] | Trouble:
    """What an id token says. Its signature is not looked at: it came from the token endpoint itself, over TLS
    that was verified (OpenID Connect Core section 3.1.3.7, number 6). Issuer and audience are: an answer that
    was meant for somebody else is none."""
    if not isinstance(id_token, str) or len(id_token) > 4 * TOKEN_MAX:
        return {}
    parts = id_token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "==")) if len(parts) == 3 else None
    except (ValueError, binascii.Error, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        return {}
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not issued_by(claims.get("iss"), provider) or provider.client_id not in named:
        return Trouble(kind=TroubleKind.OURS, text=f"{provider.host} gave an answer meant for somebody else")
    return claims


def issued_by(issuer: object, provider: Provider) -> bool:
    """Whether an issuer (RFC 9207, or of an id token) is this provider. Google writes its name without
    https:// in some places."""
    if not isinstance(issuer, str):
        return False
    try:
        return urllib.parse.urlsplit(issuer if "://" in issuer else f"https://{issuer}").hostname == (
            provider.issuer
        )
    except ValueError:
        return False


def _account(claims: Mapping[str, Any], provider: Provider) -> str | None:
    if claims.get("email_verified") is False:
        return None
    return next((text for name in provider.account_claims if (text := _text(claims.get(name)))), None)


def _text(value: object) -> str | None:
    return clean(value)[:320] or None if isinstance(value, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An access token in hand."""

    token: Secret
    since: datetime
    lives: float  # seconds

    def spent(self, now: datetime) -> bool:
        """Too little is left of it to begin a login with."""
        left = self.lives - (now - self.since).total_seconds()
        return left <= min(self.lives * SPENT, 60.0)

    def ageing(self, now: datetime, jitter: float) -> bool:
        """The next one is due. `jitter` (0..1) draws it forward by up to a tenth of the life, so that
        accounts that signed in together don't come back together."""
        return now >= self.since + timedelta(seconds=self.lives * (AGEING - jitter / 10))


def same_account(account: str, wanted: str) -> bool:
    """Providers compare the whole of an address without case."""
    return account.strip().casefold() == wanted.strip().casefold()


_MICROSOFT = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/"
_SMTP_SEND = "https://outlook.office.com/SMTP.Send"
_GMAIL = "https://mail.google.com/"


def providers(oauth: OAuth) -> Mapping[str, Provider]:
    """The providers that the operator registered relayd with, by name."""
    found = {}
    if (microsoft := oauth.microsoft) is not None:
        place = _MICROSOFT.format(tenant=microsoft.tenant)
        found["microsoft"] = Provider(
            name="microsoft",
            client_id=microsoft.client_id,
            client_secret=microsoft.client_secret,
            authorize_url=microsoft.authorize_url or place + "authorize",
            token_url=microsoft.token_url or place + "token",
            device_url=microsoft.device_url or place + "devicecode",
            scope=f"{microsoft.scope or _SMTP_SEND} offline_access openid profile email",
            needed=microsoft.scope or _SMTP_SEND,
            # Never `email`: at Microsoft anybody can write there what they like. `upn` is the login itself.
            account_claims=("upn", "preferred_username"),
            extra=(("prompt", "select_account"),),
        )
    if (google := oauth.google) is not None:
        found["google"] = Provider(
            name="google",
            client_id=google.client_id,
            client_secret=google.client_secret,
            authorize_url=google.authorize_url or "https://accounts.google.com/o/oauth2/v2/auth",
            token_url=google.token_url or "https://oauth2.googleapis.com/token",
            device_url=google.device_url,  # Google gives no mail to devices: its list of scopes for them
            scope=f"{google.scope or _GMAIL} openid email",
            needed=google.scope or _GMAIL,
            account_claims=("email",),
            # Without these Google gives a refresh token only the first time that somebody signs in.
            extra=(("access_type", "offline"), ("prompt", "consent")),
        )
    return found
