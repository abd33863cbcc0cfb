"""What was wrong with a handshake, told from the error that it ended with."""

from __future__ import annotations

import ssl
import warnings
from pathlib import Path

import pytest

from relayd.core.delivery import TlsFlaw
from relayd.net import tls
from relayd.sandbox.certificates import Authority, Certificate

HOST = "smtp.acme.example"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def shaken(client: ssl.SSLContext, server: ssl.SSLContext) -> ssl.SSLError:
    """The error that the client's side of a handshake ends with."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(down, up, server_hostname=HOST)
    there = server.wrap_bio(up, down, server_side=True)
    for _ in range(10):
        try:
            here.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            return error
        try:
            there.do_handshake()
        except ssl.SSLError:  # it wants more, or has said by an alert what it doesn't like
            pass
    raise AssertionError("the handshake went well")


@pytest.mark.parametrize(
    ("flaw", "shown"),
    [
        (TlsFlaw.NAME, lambda authority: authority.issue("other.example")),
        (TlsFlaw.EXPIRED, lambda authority: authority.issue(HOST, expired=True)),
        (TlsFlaw.UNTRUSTED, lambda authority: Authority("nobody knows").issue(HOST)),
    ],
)
def test_what_is_wrong_with_a_certificate(
    authority: Authority, tmp_path: Path, flaw: TlsFlaw, shown: object
) -> None:
    certificate: Certificate = shown(authority)  # type: ignore[operator]
    client = tls.verified(str(authority.write(tmp_path / "ca.pem")))
    assert tls.flaw(shaken(client, certificate.server_context())) is flaw


def test_versions_that_are_no_longer_safe(authority: Authority, tmp_path: Path) -> None:
    server = authority.issue(HOST).server_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        server.minimum_version = ssl.TLSVersion.TLSv1
        server.maximum_version = ssl.TLSVersion.TLSv1_1
    server.set_ciphers("ALL:@SECLEVEL=0")
    client = tls.verified(str(authority.write(tmp_path / "ca.pem")))
    assert tls.flaw(shaken(client, server)) is TlsFlaw.OLD


def test_what_speaks_no_tls_at_all(tmp_path: Path) -> None:
    answer, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    answer.write(b"220 smtp.acme.example ESMTP\r\n")
    client = tls.verified().wrap_bio(answer, said, server_hostname=HOST)
    with pytest.raises(ssl.SSLError) as caught:
        client.do_handshake()
    assert tls.flaw(caught.value) is TlsFlaw.NOT_TLS


def test_the_cause_behind_an_error_counts_and_others_are_others() -> None:
    outer = ConnectionError("wrapped")
    outer.__cause__ = ssl.SSLError(1, "odd")
    assert tls.flaw(outer) is TlsFlaw.OTHER
    assert tls.flaw(None) is TlsFlaw.OTHER
