"""What the certificates that a server showed were worth, and what stands in them."""

from __future__ import annotations

import functools
import re
import ssl
import warnings
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import verification

from relayd.core.reply import clean


class Authorities:
    """Judges certificates that came with an unverified handshake, for the journal only.

    The ssl module can either verify, and break the connection, or not look at all. So the chain that the
    server showed is verified here, after the handshake.
    """

    def __init__(self, ca_file: str | None = None) -> None:
        self._ca_file = ca_file

    @functools.cached_property
    def _store(self) -> verification.Store | None:
        found = []
        for path in (ssl.get_default_verify_paths().cafile, self._ca_file):
            if path is not None:
                found.extend(_certificates(path))
        return verification.Store(found) if found else None

    def vouch(self, chain: list[bytes], host: str, now: datetime) -> bool:
        """Whether the chain (DER, the server's own first) stood for the host's name at that time."""
        if self._store is None or not chain:
            return False
        try:
            leaf, *between = (x509.load_der_x509_certificate(der) for der in chain)
            verifier = (
                verification.PolicyBuilder()
                .store(self._store)
                .time(now)
                .build_server_verifier(x509.DNSName(host))
            )
            verifier.verify(leaf, between)
        except (verification.VerificationError, UnsupportedAlgorithm, ValueError, TypeError):
            return False
        return True


def _certificates(path: str) -> list[x509.Certificate]:
    """Those of a PEM file that can be read; one odd authority must not cost us the others."""
    found = []
    try:
        text = Path(path).read_bytes()
    except OSError:
        return []
    for pem in re.findall(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.DOTALL):
        try:
            with warnings.catch_warnings():  # some authorities of the system are older than today's rules
                warnings.simplefilter("ignore")
                found.append(x509.load_pem_x509_certificate(pem))
        except (ValueError, UnsupportedAlgorithm):
            continue
    return found


def text(chain: list[bytes]) -> str:
    """The server's own certificate, for people: for which names, by whom, until when."""
    try:
        certificate = x509.load_der_x509_certificate(chain[0])
        names = _names(certificate)
        issuer = certificate.issuer.rfc4514_string()
        until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    except (IndexError, ValueError, x509.ExtensionNotFound):
        return "a certificate that can't be read"
    return clean(f"certificate for {', '.join(names[:3]) or 'no name'} from {issuer}, valid until {until}")


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name) for name in found.get_values_for_type(x509.DNSName)]
