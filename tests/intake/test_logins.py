from __future__ import annotations

from typing import Any

from relayd.core.commands import Credentials
from relayd.core.settings import Login
from relayd.intake import logins
from relayd.intake.logins import Failures, Logins
from relayd.net.smtpd_terms import Peer


def known(*some: dict[str, Any]) -> Logins:
    return Logins(Login.model_validate(one) for one in some)


APP = {"username": "app", "password": "canary", "senders": ["acme"]}


def test_a_name_and_its_password() -> None:
    found = known(APP).check(Credentials(username="app", password="canary"))
    assert found is not None
    assert (found.name, found.may_be) == ("app", {"acme"})


def test_everything_else_is_nobody() -> None:
    for name, password in (
        ("app", ""),
        ("app", "canary "),
        ("app", "Canary"),
        ("x", "canary"),
        ("", ""),
        ("app", "ü"),
    ):
        assert known(APP).check(Credentials(username=name, password=password)) is None


def test_a_process_by_its_user_id() -> None:
    found = known({"uid": 1000}).of_process(1000)
    assert found is not None
    assert (found.name, found.may_be) == ("uid:1000", None)
    assert known({"uid": 1000}).of_process(1001) is None
    assert known({"uid": 1000}).of_process(None) is None


def test_what_is_offered_and_required() -> None:
    assert (known().offered, known().required) == (False, False)
    assert (known({"uid": 1}).offered, known({"uid": 1}).required) == (False, True)
    assert (known(APP).offered, known(APP).required) == (True, True)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_failures_are_counted_by_host_and_forgotten() -> None:
    clock = Clock()
    failures = Failures(monotonic=clock)
    far, near = Peer(host="192.0.2.1", uid=None, local=False), Peer(host="127.0.0.1", uid=None, local=True)
    for _ in range(logins.FAILURES_MAX):
        assert not failures.too_many(far)
        failures.add(far)
        failures.add(near)
    assert failures.too_many(far)
    assert not failures.too_many(near)
    assert not failures.too_many(Peer(host="192.0.2.2", uid=None, local=False))
    clock.now = logins.FAILURES_WITHIN + 1
    assert not failures.too_many(far)
    failures.add(far)
    assert not failures.too_many(far)


def test_what_is_remembered_of_hosts_stays_bounded() -> None:
    failures = Failures(monotonic=Clock())
    for n in range(logins.HOSTS_MAX + 5):
        failures.add(Peer(host=f"host{n}", uid=None, local=False))
    assert len(failures._by_host) == logins.HOSTS_MAX
