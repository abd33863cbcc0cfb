"""From what is written about a sender, in the config file or in the store, to the sender as it stands."""

from __future__ import annotations

from dataclasses import replace

from relayd.core.address import Address
from relayd.core.sender import Secret, Sender, Upstream
from relayd.core.settings import SenderSettings, Smarthost, UpstreamSettings


def sender(
    id: str,
    settings: SenderSettings,
    *,
    default_address: Address,
    confirmed: bool,
    password: Secret | None = None,
    sealed: bool = False,
) -> Sender:
    """`confirmed`: somebody else vouches for the address than the settings do. `password` is the upstream's,
    in place of the one in the settings; `sealed`: there is one, and it can't be read."""
    server = upstream(settings.upstream, settings.address)
    if server is not None and (password is not None or sealed):
        server = replace(server, password=password, sealed=sealed)
    return Sender(
        id=id,
        name=settings.name,
        contact=settings.address,
        confirmed=settings.confirmed or confirmed,
        default_address=default_address,
        send_as=settings.send_as,
        if_unproven=settings.if_unproven,
        language=settings.language,
        test=settings.test,
        upstream=server,
    )


def upstream(settings: Smarthost | None, contact: Address | None = None) -> Upstream | None:
    """With `oauth`, the account is the contact address unless another is named."""
    if settings is None:
        return None
    oauth = settings.oauth if isinstance(settings, UpstreamSettings) else None
    return Upstream(
        host=settings.host,
        port=settings.port,
        tls=settings.tls,
        username=str(contact) if oauth is not None and settings.username is None else settings.username,
        password=settings.password,
        mechanism=settings.mechanism,
        ca_file=settings.ca_file,
        oauth=oauth,
    )
