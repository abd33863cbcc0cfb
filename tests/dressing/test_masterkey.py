"""What the master key seals, and what goes on without it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.dkimkeys import KeyRing
from relayd.masterkey import MasterKey
from relayd.vault import NoMasterKey, SealBroken, Vault

from ..keys import KEY

MASTER = MasterKey(b"m" * 32, stand_in=b"s")
PLACE = "sender:acme:upstream.password"


def vault_of(master: Path) -> Vault:
    return Vault(ring=KeyRing({"r1": KEY}), master=master)


@pytest.fixture
def master(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    path.write_bytes(base64.b64encode(b"k" * 32) + b"\n")
    return path


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_again(text: str) -> None:
    assert MASTER.unseal(MASTER.seal(text, context=PLACE), context=PLACE).value == text


def test_a_sealed_secret_shows_nothing_and_never_looks_the_same_twice() -> None:
    one, other = (MASTER.seal("hunter2", context=PLACE) for _ in range(2))
    assert one != other
    assert one.startswith("v1:")
    assert b"hunter2" not in base64.b64decode(one.removeprefix("v1:"))
    assert "hunter2" not in repr(MASTER.unseal(one, context=PLACE))


@given(st.data())
def test_a_changed_octet_breaks_the_seal(data: st.DataObject) -> None:
    octets = bytearray(base64.b64decode(MASTER.seal("hunter2", context=PLACE).removeprefix("v1:")))
    at = data.draw(st.integers(0, len(octets) - 1))
    octets[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken, match=f"sealed as {PLACE} can't be opened"):
        MASTER.unseal("v1:" + base64.b64encode(octets).decode(), context=PLACE)


@given(st.text())
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    for sealed in (text, f"v1:{text}"):
        with pytest.raises(SealBroken):
            MASTER.unseal(sealed, context=PLACE)


def test_a_secret_opens_nowhere_but_at_its_place() -> None:
    sealed = MASTER.seal("hunter2", context=PLACE)
    with pytest.raises(SealBroken):
        MASTER.unseal(sealed, context="sender:globex:upstream.password")
    with pytest.raises(SealBroken):
        MasterKey(b"o" * 32, stand_in=b"s").unseal(sealed, context=PLACE)


def test_a_fingerprint_is_of_one_text_under_one_master_key() -> None:
    assert MASTER.matches("hunter2", MASTER.fingerprint("hunter2"))
    assert not MASTER.matches("hunter3", MASTER.fingerprint("hunter2"))
    assert not MasterKey(b"o" * 32, stand_in=b"s").matches("hunter2", MASTER.fingerprint("hunter2"))


@pytest.mark.parametrize("content", [None, b"", b"short", base64.b64encode(b"x" * 31), b"\xff" * 44])
def test_without_a_master_key_the_vault_opens_and_says_what_to_do(
    master: Path, content: bytes | None
) -> None:
    master.unlink() if content is None else master.write_bytes(content)
    vault = vault_of(master)
    assert vault.no_master is not None
    assert vault.no_master.startswith(f"{master}: ")
    assert "from a backup" in vault.no_master
    assert vault.warnings == (vault.no_master,)
    assert master.exists() == (content is not None), "no key is made in its place"
    with pytest.raises(NoMasterKey, match=r"from a backup"):
        vault.seal("hunter2", context=PLACE)
    with pytest.raises(NoMasterKey):
        vault.unseal(MASTER.seal("hunter2", context=PLACE), context=PLACE)


def test_a_master_key_that_is_back_is_taken_up(master: Path) -> None:
    content = master.read_bytes()
    sealed = vault_of(master).seal("hunter2", context=PLACE)
    tokens = vault_of(master).return_path_key
    master.unlink()
    vault = vault_of(master)
    vault.look_again()
    assert vault.no_master is not None
    master.write_bytes(content)
    vault.look_again()
    assert vault.no_master is None
    assert vault.warnings == ()
    assert vault.unseal(sealed, context=PLACE).value == "hunter2"
    assert vault.return_path_key == tokens


def test_a_master_key_in_place_of_a_wrong_one_is_taken_up_and_none_is_given_away(master: Path) -> None:
    content = master.read_bytes()
    sealed = vault_of(master).seal("hunter2", context=PLACE)
    master.write_bytes(base64.b64encode(b"o" * 32))
    vault = vault_of(master)
    with pytest.raises(SealBroken):
        vault.unseal(sealed, context=PLACE)
    master.write_bytes(content)
    vault.look_again()
    assert vault.unseal(sealed, context=PLACE).value == "hunter2"
    master.unlink()
    vault.look_again()
    assert vault.no_master is None
    assert vault.unseal(sealed, context=PLACE).value == "hunter2"


def test_a_key_that_is_given_as_octets_stays() -> None:
    vault = Vault(ring=KeyRing({"r1": KEY}), master=b"m" * 32)
    vault.look_again()
    assert vault.no_master is None


def test_tokens_made_without_a_master_key_can_be_read_after_a_restart(master: Path) -> None:
    with_key = vault_of(master).return_path_key
    master.unlink()
    assert vault_of(master).return_path_key == vault_of(master).return_path_key != with_key


def test_a_refused_password_counts_as_the_same_until_the_master_key_tells(master: Path) -> None:
    content = master.read_bytes()
    known = vault_of(master).fingerprint("hunter2")
    master.unlink()
    without = vault_of(master)
    assert without.matches("hunter2", known)
    assert without.matches("another", known), "nobody can tell, so nothing is tried"
    learnt = without.fingerprint("hunter2")
    assert without.matches("hunter2", learnt)
    assert not without.matches("another", learnt)
    master.write_bytes(content)
    again = vault_of(master)
    assert again.matches("hunter2", learnt), "what was learnt meanwhile still counts"
    assert not again.matches("another", known)
