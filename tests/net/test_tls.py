from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from relayd.net.certificates import Authorities
from relayd.net.tls import Contexts, opportunistic, server_context, verified
from relayd.sandbox.certificates import Authority, Certificate

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(authority.write(tmp_path_factory.mktemp("tls") / "ca.pem"))


def der(certificate: Certificate) -> list[bytes]:
    return [ssl.PEM_cert_to_DER_cert(certificate.pem.decode())]


def test_a_certificate_counts_for_its_name_and_time_only(authority: Authority, ca_file: str) -> None:
    chain = der(authority.issue("mx.example.com"))
    judge = Authorities(ca_file)
    assert judge.vouch(chain, "mx.example.com", NOW)
    assert not judge.vouch(chain, "mx.example.org", NOW)
    assert not judge.vouch(chain, "mx.example.com", NOW + timedelta(days=365))
    assert not Authorities().vouch(chain, "mx.example.com", NOW)


@pytest.mark.parametrize("chain", [[], [b""], [b"not a certificate"]])
def test_what_is_no_certificate_counts_for_nothing(ca_file: str, chain: list[bytes]) -> None:
    assert not Authorities(ca_file).vouch(chain, "mx.example.com", NOW)


def test_a_host_that_is_no_name_counts_for_nothing(authority: Authority, ca_file: str) -> None:
    assert not Authorities(ca_file).vouch(der(authority.issue("mx.example.com")), "ümlaut", NOW)


def test_one_odd_authority_does_not_cost_us_the_others(authority: Authority, tmp_path: Path) -> None:
    odd = b"-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n"
    path = tmp_path / "ca.pem"
    path.write_bytes(odd + authority.pem)
    assert Authorities(str(path)).vouch(der(authority.issue("mx.example.com")), "mx.example.com", NOW)


def test_without_any_authority_nothing_is_valid(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nowhere:
        cafile = None

    monkeypatch.setattr(ssl, "get_default_verify_paths", Nowhere)
    judge = Authorities(str(tmp_path / "missing.pem"))
    assert not judge.vouch(der(authority.issue("mx.example.com")), "mx.example.com", NOW)


def test_every_context_wants_tls_1_2_at_least(authority: Authority, ca_file: str, tmp_path: Path) -> None:
    paths = authority.issue("mx.example.com").write(tmp_path, "server")
    for context in (verified(), verified(ca_file), opportunistic(), server_context(*map(str, paths))):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_only_the_verified_context_verifies() -> None:
    assert verified().verify_mode is ssl.CERT_REQUIRED
    assert verified().check_hostname
    assert opportunistic().verify_mode is ssl.CERT_NONE


def test_a_file_of_authorities_that_can_not_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        verified(str(tmp_path / "missing.pem"))
    with pytest.raises(OSError, match="No such file"):
        Contexts(str(tmp_path / "missing.pem"))
    with pytest.raises(OSError, match="No such file"):
        Contexts().verified(str(tmp_path / "missing.pem"))


def test_contexts_are_made_once(ca_file: str) -> None:
    contexts = Contexts()
    assert contexts.verified() is contexts.verified()
    assert contexts.verified(ca_file) is contexts.verified(ca_file)
    assert contexts.verified(ca_file) is not contexts.verified()
