from __future__ import annotations

import asyncio
import hashlib
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from relayd import dkimkeys, keyfiles
from relayd.core import dkim
from relayd.core.records import dkimkey
from relayd.core.settings import Settings
from relayd.vault import SigningFailed, Vault, VaultError

HEADER = b"From: billing@acme.example\r\nSubject: a\r\n"
HASH = hashlib.sha256(b"").digest()
SETTINGS = Settings.model_validate(
    {
        "hostname": "relay.example.net",
        "platform": {
            "domain": "my.platform.example",
            "name": "Platform",
            "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
        },
    }
)


def opened(folder: Path, *, empty_store: bool = False) -> Vault:
    return Vault.open(SETTINGS, folder, empty_store=empty_store)


def fresh(folder: Path) -> Vault:
    """As with an empty store, with a key that is there already: making one takes long."""
    (folder / "keys").mkdir(parents=True, exist_ok=True)
    (folder / "keys" / "r1.pem").write_bytes(PEM)
    (folder / "keys" / "r1.pem").chmod(0o600)
    return opened(folder, empty_store=True)


def public(vault: Vault) -> bytes:
    (key,) = vault.ring.keys
    return key.public_key


def pem(bits: int = 2048, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return rsa.generate_private_key(65537, bits).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, encryption
    )


PEM, OTHER = pem(), pem()


def put_key(folder: Path, content: bytes) -> Path:
    fresh(folder)
    path = folder / "keys" / "r1.pem"
    path.write_bytes(content)
    return path


def test_with_an_empty_store_keys_are_made_that_only_we_can_read(tmp_path: Path) -> None:
    made = opened(tmp_path, empty_store=True)
    for name in ("keys/r1.pem", "master.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["keys", "master.key", "r1.pem"]
    again = opened(tmp_path)
    assert (public(again), again.return_path_key) == (public(made), made.return_path_key)
    assert dkimkeys.load_key(tmp_path / "keys/r1.pem").key_size == 2048


def test_a_key_that_is_there_is_kept_even_with_an_empty_store(tmp_path: Path) -> None:
    first = fresh(tmp_path)
    again = opened(tmp_path, empty_store=True)
    assert (public(again), again.return_path_key) == (public(first), first.return_path_key)


def test_a_signing_key_that_is_missing_later_is_never_made_anew(tmp_path: Path) -> None:
    fresh(tmp_path)
    (tmp_path / "keys/r1.pem").unlink()
    with pytest.raises(VaultError, match=r"keys/r1.pem: the key is missing.*backup"):
        opened(tmp_path)
    assert not (tmp_path / "keys/r1.pem").exists()


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path) -> None:
    key = tmp_path / "elsewhere.pem"
    key.write_bytes(PEM)
    moved = SETTINGS.platform.dkim.model_copy(update={"key_file": str(key)})
    settings = SETTINGS.model_copy(update={"platform": SETTINGS.platform.model_copy(update={"dkim": moved})})
    made = Vault.open(settings, tmp_path / "state", empty_store=True)
    assert public(made) == dkimkeys.public_key(dkimkeys.load_key(key))


def test_a_key_with_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = put_key(tmp_path, PEM.replace(b"\n", b"\r\n"))
    assert public(opened(tmp_path)) == dkimkeys.public_key(dkimkeys.load_key(path))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no private key in PEM form"),
        (
            b"-----BEGIN RSA PRIVATE KEY-----\nxx\n-----END RSA PRIVATE KEY-----\n",
            "no private key in PEM form",
        ),
        (pem(password=b"secret"), "without a passphrase"),
        (PEM[:-80], "no private key in PEM form"),
        (
            ed25519.Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            "no RSA key",
        ),
    ],
)
def test_what_is_no_key_we_can_use_is_said_with_its_file(tmp_path: Path, content: bytes, why: str) -> None:
    put_key(tmp_path, content)
    with pytest.raises(VaultError, match=f"r1.pem: .*{why}"):
        opened(tmp_path)


def test_a_weak_key_is_warned_about(tmp_path: Path) -> None:
    put_key(tmp_path, pem(1024))
    assert opened(tmp_path).warnings == ("the DKIM key has 1024 bits; use 2048 (RFC 8301)",)
    put_key(tmp_path, PEM)
    assert opened(tmp_path).warnings == ()


def test_a_key_that_everybody_can_read_is_warned_about(tmp_path: Path) -> None:
    fresh(tmp_path)
    (tmp_path / "master.key").chmod(0o644)
    (tmp_path / "keys" / "r1.pem").chmod(0o640)
    (warning,) = opened(tmp_path).warnings
    assert "master.key can be read by every user" in warning


def test_a_key_that_receivers_ignore_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # cryptography no longer makes keys this short, so the limit moves instead
    path = put_key(tmp_path, pem(1024))
    monkeypatch.setattr(dkimkeys, "BITS_MIN", 2049)
    with pytest.raises(VaultError, match=r"1024 bits; receivers ignore signatures below 2049"):
        dkimkeys.load_key(path)


def test_a_file_that_can_not_be_read_or_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "r1.pem").mkdir()
    with pytest.raises(VaultError, match=r"r1.pem: can't be read"):
        opened(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(VaultError, match=r"the new key can't be written"):
        opened(tmp_path / "file", empty_store=True)


def test_a_key_made_meanwhile_by_another_process_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "key"

    def meanwhile() -> bytes:
        path.write_bytes(b"theirs")
        return b"ours"

    keyfiles.make(path, meanwhile)
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_the_record_to_publish_is_judged_as_ours(tmp_path: Path) -> None:
    mine = fresh(tmp_path)
    (key,) = mine.ring.keys
    assert key.name("acme.example") == "r1._domainkey.acme.example"
    assert dkimkey.judge([key.record], key.public_key).good


def test_no_repr_shows_a_key(tmp_path: Path) -> None:
    mine = fresh(tmp_path)
    assert repr(mine) == "Vault(KeyRing(r1))"


async def test_the_same_input_gives_the_same_octets(tmp_path: Path) -> None:
    mine = fresh(tmp_path)
    both = ["acme.example", "my.platform.example"]
    first, again = [await mine.sign(HEADER, HASH, both, 1795325541) for _ in range(2)]
    assert first == again
    assert first.count(b"DKIM-Signature:") == 2
    assert first.index(b"d=acme.example") < first.index(b"d=my.platform.example")
    assert await mine.sign(HEADER, HASH, [], 1795325541) == b""


@pytest.mark.parametrize(
    ("header", "body_hash", "domain"),
    [
        (b"no header", HASH, "acme.example"),
        (HEADER, None, "acme.example"),
        (HEADER, HASH, "ü.example"),
        (HEADER, HASH, "100%b.example"),
    ],
)
async def test_whatever_goes_wrong_nothing_is_signed(
    tmp_path: Path, header: bytes, body_hash: bytes, domain: str
) -> None:
    with pytest.raises(SigningFailed):
        await fresh(tmp_path).sign(header, body_hash, [domain], 1)


async def test_a_closed_vault_signs_nothing(tmp_path: Path) -> None:
    mine = fresh(tmp_path)
    mine.close()
    with pytest.raises(SigningFailed):
        await mine.sign(HEADER, HASH, ["acme.example"], 1)


async def test_many_who_sign_at_once_get_each_their_own(tmp_path: Path) -> None:
    mine = fresh(tmp_path)
    made = [HEADER + b"X: %d\r\nDate: %d\r\n" % (n, n) for n in range(50)]
    alone = [await mine.sign(header, HASH, ["acme.example"], 1) for header in made]
    together = await asyncio.gather(*(mine.sign(header, HASH, ["acme.example"], 1) for header in made))
    assert together == alone
    assert len(set(alone)) == len(made)


async def test_one_that_fails_does_not_disturb_the_others(tmp_path: Path) -> None:
    mine = fresh(tmp_path)
    first, failed, last = await asyncio.gather(
        *(mine.sign(HEADER, HASH, [domain], 1) for domain in ("acme.example", "ü.example", "acme.example")),
        return_exceptions=True,
    )
    assert first == last == await mine.sign(HEADER, HASH, ["acme.example"], 1)
    assert isinstance(failed, SigningFailed)


async def test_each_domain_is_signed_for_with_the_key_that_it_shows(tmp_path: Path) -> None:
    fresh(tmp_path)
    (tmp_path / "keys" / "r2.pem").write_bytes(OTHER)
    mine = opened(tmp_path)
    assert [key.selector for key in mine.ring.keys] == ["r2", "r1"]
    both = ["acme.example", "my.platform.example"]
    signatures = await mine.sign(HEADER, HASH, both, 1, {"my.platform.example": "r2"})
    first, second = signatures.split(b"DKIM-Signature:")[1:]
    assert dkim.mark("r1") in first  # the one that was there first, where nothing is known
    assert dkim.mark("r2") in second
    assert dkim.mark("r1") not in second
    with pytest.raises(SigningFailed):
        await mine.sign(HEADER, HASH, both, 1, {"acme.example": "r3"})


def test_the_first_key_may_be_gone_when_the_other_took_its_place(tmp_path: Path) -> None:
    fresh(tmp_path)
    (tmp_path / "keys" / "r1.pem").rename(tmp_path / "keys" / "r2.pem")
    mine = opened(tmp_path, empty_store=True)
    assert [key.selector for key in mine.ring.keys] == ["r2"]
    assert not (tmp_path / "keys" / "r1.pem").exists()
