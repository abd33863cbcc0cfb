from __future__ import annotations

import pytest

from relayd.core.address import Address
from relayd.core.mail import IfUnproven, Rung
from relayd.core.reasons import Reason
from relayd.core.refusal import Refusal
from relayd.core.sender import Secret, Sender, Senders


def sender(id: str, contact: str) -> Sender:
    local, _, domain = contact.partition("@")
    return Sender(
        id=id,
        name=id,
        contact=Address(local, domain),
        confirmed=True,
        default_address=Address(id, "my.platform.example"),
        send_as=Rung.DEFAULT,
        if_unproven=IfUnproven.DEFAULT,
        language="en",
        test=False,
    )


ALL = (
    sender("acme", "billing@acme.example"),
    sender("globex", "office@globex.example"),
    sender("one", "shared@group.example"),
    sender("two", "shared@group.example"),
)
SENDERS = Senders(ALL, unknown=None)

A = Address("billing", "acme.example")
G = Address("office", "globex.example")
S = Address("shared", "group.example")
X = Address("x", "nobody.example")

ANY = None
ACME = frozenset({"acme"})
BOTH = frozenset({"acme", "globex"})
GROUP = frozenset({"acme", "one"})

CASES = [
    # the header wins over everything, within what the login may be
    ("acme", ANY, G, G, "acme"),
    ("acme", BOTH, G, G, "acme"),
    ("acme", frozenset({"globex"}), G, G, Reason.SENDER_NOT_ALLOWED),
    ("nope", ANY, A, A, Reason.SENDER_UNKNOWN),
    ("nope", ACME, A, A, Reason.SENDER_UNKNOWN),
    # a login with one sender
    (None, ACME, G, G, "acme"),
    (None, ACME, None, X, "acme"),
    # MAIL FROM or From
    (None, ANY, A, X, "acme"),
    (None, ANY, None, A, "acme"),
    (None, ANY, X, G, "globex"),
    (None, ANY, A, A, "acme"),
    (None, ANY, A, None, "acme"),
    # two matches
    (None, ANY, A, G, Reason.SENDER_AMBIGUOUS),
    (None, ANY, S, X, Reason.SENDER_AMBIGUOUS),
    (None, GROUP, S, X, "one"),
    # one that the login may be counts, the other does not
    (None, frozenset({"acme", "two"}), A, G, "acme"),
    (None, BOTH, S, S, Reason.SENDER_NOT_ALLOWED),
    # nobody's
    (None, ANY, X, X, Reason.SENDER_UNKNOWN),
    (None, ANY, None, None, Reason.SENDER_UNKNOWN),
    (None, BOTH, X, X, Reason.SENDER_UNKNOWN),
    (None, frozenset(), X, X, Reason.SENDER_UNKNOWN),
    (None, frozenset({"gone"}), X, X, Reason.SENDER_UNKNOWN),
]


@pytest.mark.parametrize(("wanted", "may_be", "mail_from", "header_from", "expected"), CASES)
def test_which_sender_a_submission_belongs_to(
    wanted: str | None,
    may_be: frozenset[str] | None,
    mail_from: Address | None,
    header_from: Address | None,
    expected: str | Reason,
) -> None:
    found = SENDERS.find(wanted, may_be, mail_from, header_from)
    if isinstance(expected, Reason):
        assert isinstance(found, Refusal)
        assert (found.code, found.enhanced, found.reason) == (550, "5.7.1", expected)
        assert found.text.isascii()
    else:
        assert isinstance(found, Sender)
        assert found.id == expected


def test_unknown_sender_takes_what_belongs_to_nobody_within_what_the_login_may_be() -> None:
    senders = Senders(ALL, unknown="globex")
    taken = senders.find(None, ANY, X, X)
    assert isinstance(taken, Sender)
    assert taken.id == "globex"
    assert isinstance(senders.find(None, GROUP, X, X), Refusal)
    assert isinstance(senders.find("nope", ANY, X, X), Refusal)


def test_a_refusal_names_what_was_seen_and_the_header_that_helps() -> None:
    unknown = SENDERS.find(None, ANY, X, A.__class__("ü", "x.example"))
    assert isinstance(unknown, Refusal)
    assert "MAIL FROM x@nobody.example, From \\u00fc@x.example" in unknown.text
    ambiguous = SENDERS.find(None, ANY, A, G)
    assert isinstance(ambiguous, Refusal)
    assert "(acme, globex)" in ambiguous.text
    assert "X-Relayd-Sender" in ambiguous.text


@pytest.mark.parametrize(
    ("may_be", "mail_from", "expected"),
    [
        (ACME, X, "acme"),
        (ANY, A, "acme"),
        (BOTH, G, "globex"),
        (GROUP, S, "one"),
        (ANY, S, None),
        (ANY, X, None),
        (ANY, None, None),
        (BOTH, S, None),
        (frozenset({"gone"}), X, None),
    ],
)
def test_what_is_known_at_rcpt(
    may_be: frozenset[str] | None, mail_from: Address | None, expected: str | None
) -> None:
    found = SENDERS.early(may_be, mail_from)
    assert (found.id if found else None) == expected


def test_senders_are_had_by_id_and_counted() -> None:
    assert SENDERS.get("acme") is ALL[0]
    assert SENDERS.get("nope") is None
    assert len(SENDERS) == 4
    assert [s.id for s in SENDERS] == ["acme", "globex", "one", "two"]


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r}"
    assert secret.value == "hunter2"


# --- senders that come and go while mail does


def test_a_sender_that_is_put_is_found_by_id_address_and_domain() -> None:
    senders = Senders(unknown=None)
    added = sender("acme", "billing@acme.example")
    senders.put(added)
    assert senders.get("acme") == added
    assert senders.of_address(A) == senders.of_domain("acme.example") == (added,)
    assert senders.find(None, None, A, A) == added
    assert len(senders) == 1


def test_a_sender_with_another_address_is_no_longer_found_by_the_old_one() -> None:
    senders = Senders([sender("acme", "billing@acme.example")], unknown=None)
    moved = sender("acme", "office@globex.example")
    senders.put(moved)
    assert senders.of_address(A) == senders.of_domain("acme.example") == ()
    assert senders.find(None, None, G, G) == moved
    assert len(senders) == 1


def test_a_removed_sender_is_nobody_and_who_shares_its_address_stays() -> None:
    senders = Senders(ALL, unknown=None)
    senders.remove("one")
    assert senders.get("one") is None
    assert senders.find(None, None, S, S) == ALL[3]
    assert list(senders) == [ALL[0], ALL[1], ALL[3]]


def test_whoever_goes_through_all_senders_sees_those_of_that_moment() -> None:
    senders = Senders(ALL, unknown=None)
    seen = []
    for one in senders:
        senders.remove(one.id)
        seen.append(one)
    assert tuple(seen) == ALL
    assert len(senders) == 0


def test_an_address_that_thousands_share_costs_no_more_than_another() -> None:
    senders = Senders((sender(f"s{n}", "shared@group.example") for n in range(10_000)), unknown=None)
    for n in range(9_999):
        senders.remove(f"s{n}")
    assert [one.id for one in senders.of_address(S)] == ["s9999"]
