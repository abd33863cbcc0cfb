"""The door to authlib: what is asked at a provider's endpoints, and what came of it, as values.

authlib knows the protocol: parameters, PKCE (RFC 7636), how a client says who it is. The octets go through
`net/https`, so that limits of time and size and the certificate are the same as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from authlib.oauth2.client import OAuth2Client

from relayd.core import oauth
from relayd.core.oauth import DeviceCode, Grant, Provider, Trouble
from relayd.core.reply import Fault, FaultKind, Stage
from relayd.core.sender import Secret
from relayd.net.https import Https, Response

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
"""RFC 8628 section 3.4."""


class _Client(OAuth2Client):  # type: ignore[misc]  # authlib has no types
    """authlib's client, but the requests that it prepares are handed out instead of sent."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(
            session=None,
            client_id=provider.client_id,
            client_secret=provider.client_secret.value if provider.client_secret else None,
            # Both providers take it; the other way (Basic) needs an encoding that servers disagree about.
            token_endpoint_auth_method="client_secret_post" if provider.client_secret else "none",
            scope=provider.scope,
            code_challenge_method="S256",
        )

    def _fetch_token(
        self, url: str, body: str, headers: Mapping[str, str], auth: Any, method: str = "POST"
    ) -> tuple[Mapping[str, str], bytes]:
        _, prepared, filled = auth.prepare("POST", url, dict(headers), body)
        return prepared, filled.encode()

    def _refresh_token(
        self, url: str, refresh_token: str, body: str, headers: Mapping[str, str], auth: Any
    ) -> tuple[Mapping[str, str], bytes]:
        return self._fetch_token(url, body, headers, auth)


class Providers:
    """The providers' endpoints. `https` is for hosts that the operator wrote, or relayd itself knows."""

    def __init__(self, https: Https) -> None:
        self._https = https

    def sign_in_page(
        self, provider: Provider, *, redirect_uri: str, state: str, nonce: str, verifier: Secret, account: str
    ) -> str:
        """Where a person signs in (RFC 6749 section 4.1.1). `account` is filled in there; it can be
        changed."""
        url, _ = _Client(provider).create_authorization_url(
            provider.authorize_url,
            state=state,
            code_verifier=verifier.value,
            redirect_uri=redirect_uri,
            nonce=nonce,
            login_hint=account,
            **dict(provider.extra),
        )
        return str(url)

    async def redeem(
        self, provider: Provider, *, code: Secret, verifier: Secret, redirect_uri: str
    ) -> Grant | Trouble | Fault:
        """Exchange the code that a person came back with."""
        prepared = _Client(provider).fetch_token(
            provider.token_url,
            grant_type="authorization_code",
            code=code.value,
            code_verifier=verifier.value,
            redirect_uri=redirect_uri,
        )
        return await self._grant(provider, prepared, code, verifier)

    async def refresh(self, provider: Provider, token: Secret) -> Grant | Trouble | Fault:
        """The next access token. A refresh token in the answer takes the place of this one."""
        prepared = _Client(provider).refresh_token(provider.token_url, refresh_token=token.value)
        return await self._grant(provider, prepared, token)

    async def device(self, provider: Provider) -> DeviceCode | Trouble | Fault:
        """Begin a sign-in on another device (RFC 8628 section 3.1), at a provider with a `device_url`."""
        assert provider.device_url is not None
        form = {"client_id": provider.client_id, "scope": provider.scope}
        answer = await self._https.post(provider.device_url, form=form)
        if isinstance(answer, Fault):
            return _of_token_server(answer, provider)
        return oauth.read_device(answer.status, answer.body, provider)

    async def poll(self, provider: Provider, code: Secret) -> Grant | Trouble | Fault:
        """Ask whether the person is done (RFC 8628 section 3.4)."""
        prepared = _Client(provider).fetch_token(
            provider.token_url, grant_type=DEVICE_GRANT, device_code=code.value
        )
        return await self._grant(provider, prepared, code)

    async def _grant(
        self, provider: Provider, prepared: tuple[Mapping[str, str], bytes], *shown: Secret
    ) -> Grant | Trouble | Fault:
        """`shown` is what the provider gets to see of our secrets, and may repeat."""
        headers, body = prepared
        answer: Response | Fault = await self._https.post(provider.token_url, content=body, headers=headers)
        if isinstance(answer, Fault):
            return _of_token_server(answer, provider)
        found = oauth.read_grant(answer.status, answer.body, provider)
        if isinstance(found, Trouble):
            found = replace(found, text=_without(found.text, provider.client_secret, *shown))
        return found


def _without(text: str, *secrets: Secret | None) -> str:
    for secret in secrets:
        text = text.replace(secret.value, "***") if secret is not None else text
    return text


def _of_token_server(fault: Fault, provider: Provider) -> Fault:
    """It kept a login from beginning. That its answer can't be read is no answer of the mail server."""
    kind = FaultKind.UNREACHABLE if fault.kind is FaultKind.PROTOCOL else fault.kind
    text = fault.text if provider.host in fault.text else f"{provider.host}: {fault.text}"
    return replace(fault, kind=kind, text=text, stage=Stage.AUTH, host=provider.host)
