"""TLS contexts, and what a handshake came to; `certificates` looks into what the server showed.

Two kinds of client: towards a mail exchanger encryption is taken as it comes (RFC 7435), because the
alternative is clear text; towards a server that gets a password the certificate must stand for the name.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from relayd.core.delivery import Tls, TlsFlaw
from relayd.core.reply import clean

if TYPE_CHECKING:
    from relayd.net.certificates import Authorities


def verified(ca_file: str | None = None) -> ssl.SSLContext:
    """The certificate must be valid, for the name, and issued by one of the system's authorities or one in
    `ca_file`. Raises OSError or ssl.SSLError for a file that can't be used."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def opportunistic() -> ssl.SSLContext:
    """Any certificate is taken. Weak keys too (security level 1): still better than clear text, which is
    what a failed handshake leads to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT:@SECLEVEL=1")
    return context


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """For a listener: TLS 1.2 and later (RFC 8996). Raises OSError or ssl.SSLError for useless files."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


class Contexts:
    """The client contexts of the process, made once: reading the system's authorities takes a while, and
    having them 1 MiB, so that this waits until a server has to prove its name.

    `ca_file` adds authorities for every connection. Raises OSError or ssl.SSLError when it can't be used.
    """

    def __init__(
        self, ca_file: str | None = None, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._ca_file = ca_file
        self._clock = clock
        self.opportunistic = opportunistic()
        self._verified: dict[str | None, ssl.SSLContext] = {}
        if ca_file is not None:
            self.verified()

    def verified(self, ca_file: str | None = None) -> ssl.SSLContext:
        """For servers that must prove their name; `ca_file` holds more authorities for this one. Raises
        OSError or ssl.SSLError."""
        if ca_file not in self._verified:
            context = verified(self._ca_file)
            if ca_file is not None:
                context.load_verify_locations(cafile=ca_file)
            self._verified[ca_file] = context
        return self._verified[ca_file]

    @functools.cached_property
    def _authorities(self) -> Authorities:
        from relayd.net.certificates import Authorities  # here, because cryptography.x509 is 1 MiB

        return Authorities(self._ca_file)

    def judged(self, ssl_object: Any, host: str, *, verified: bool) -> Tls:
        """What a handshake with this host came to."""
        valid = verified or self._authorities.vouch(chain(ssl_object), host, self._clock())
        return protection(ssl_object, valid=valid)


# Verification errors of OpenSSL (x509_vfy.h): the ssl module has numbers, no names.
_FLAWS = {
    **dict.fromkeys((9, 10), TlsFlaw.EXPIRED),  # not yet valid, has expired
    **dict.fromkeys((18, 19, 20, 21), TlsFlaw.UNTRUSTED),  # self-signed, or no issuer that we know
    **dict.fromkeys((62, 64), TlsFlaw.NAME),  # another host name, another address
}
_NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
_OLD = {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE", "VERSION_TOO_LOW"}


def flaw(error: BaseException | None) -> TlsFlaw:
    """What was wrong with a handshake that ended with this error, or one that it was raised from."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return _FLAWS.get(error.verify_code, TlsFlaw.OTHER)
        if isinstance(error, ssl.SSLError):
            reason = getattr(error, "reason", None) or ""  # missing where OpenSSL gave no code
            return TlsFlaw.NOT_TLS if reason in _NOT_TLS else TlsFlaw.OLD if reason in _OLD else TlsFlaw.OTHER
        error = error.__cause__
    return TlsFlaw.OTHER


def certificate_text(ssl_object: Any) -> str:
    """The certificate that the server showed, for people: for which names, by whom, until when."""
    from relayd.net import certificates

    return certificates.text(chain(ssl_object))


def protection(ssl_object: Any, *, valid: bool) -> Tls:
    """What a handshake came to. `ssl_object` is the transport's extra of that name."""
    cipher = ssl_object.cipher()
    return Tls(version=ssl_object.version() or "unknown", cipher=cipher[0] if cipher else "", valid=valid)


def handshake_error(error: BaseException | None) -> str | None:
    """Why a handshake failed, for people; None when something else was the matter."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the certificate is not valid: {clean(error.verify_message)}"
        if isinstance(error, ssl.SSLError):
            return f"the TLS handshake failed: {clean(error.reason or str(error))}"
        error = error.__cause__
    return None


def chain(ssl_object: Any) -> list[bytes]:
    """The certificates the server showed, DER, its own first."""
    public = getattr(ssl_object, "get_unverified_chain", None)
    if public is not None:
        return list(public())
    # Python 3.11 and 3.12 have the chain only on the inner object; public since 3.13.
    inner = getattr(ssl_object, "_sslobj", None)
    if inner is None:
        leaf = ssl_object.getpeercert(binary_form=True)
        return [leaf] if leaf else []
    return [ssl.PEM_cert_to_DER_cert(cert.public_bytes()) for cert in inner.get_unverified_chain() or ()]
