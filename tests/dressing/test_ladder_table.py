"""The whole ladder: every state × every wish, and the envelope and header that really leave the dresser."""

from __future__ import annotations

import email.policy
import itertools
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import pytest

from relayd.core import address, tokens
from relayd.core.mail import IfUnproven, Message, Rung, Submission
from relayd.core.policy import Refusal
from relayd.core.reasons import Reason
from relayd.core.sender import Sender, Tls, Upstream
from relayd.dressing import Dressed

NOW = datetime(2026, 11, 22, 5, 11, 49, tzinfo=UTC)
ID = tokens.message_id(NOW, b"0123456789")
TABLE = Path(__file__).parent.parent / "data" / "ladder.txt"
STATE = ("wanted", "unproven", "confirmed", "key", "spf", "host", "platform", "login", "mail-from")
LEAVES = ("rung", "proof", "from", "return-path", "reply-to", "d=")
VALUES = (
    ("default", "own", "upstream"),
    ("default", "hold", "reject"),
    *[("yes", "no")] * 6,
    ("address", "<>"),
)
ADDRESSES = {"own": "billing@acme.example", "default": "acme@my.platform.example"}
DOMAINS = {"own": "acme.example", "platform": "my.platform.example"}
RETURN_HOSTS = {"platform": "bounce.my.platform.example", "own-host": "bounce.acme.example"}
RECIPIENTS = ("b@example.com", "c@example.org")
LOGIN = Upstream(host="smtp.acme.example", port=587, tls=Tls.STARTTLS)

State = Mapping[str, str]
Row = tuple[State, Mapping[str, str]]


def rows() -> Iterator[Row]:
    for line in TABLE.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            state, leaves, end = (part.split() for part in line.split("|"))
            yield (
                dict(zip(STATE, state, strict=True)),
                dict(zip((*LEAVES, "reason", "end"), (*leaves, *end), strict=True)),
            )


ROWS = list(rows())


def states() -> Iterator[State]:
    for values in itertools.product(*VALUES):
        yield dict(zip(STATE, values, strict=True))


def fits(row: State, state: State) -> bool:
    return all(value in ("*", state[name]) for name, value in row.items())


def test_every_state_has_exactly_one_row_and_every_row_a_state() -> None:
    found = [[at for at, (row, _) in enumerate(ROWS) if fits(row, state)] for state in states()]
    assert len(found) == 1152
    assert {len(at) for at in found} == {1}
    assert {at for [at] in found} == set(range(len(ROWS)))


def arranged(workshop, make_sender, make_submission, state: State) -> tuple[Submission, Sender]:
    keys = {"acme.example": state["key"], "my.platform.example": state["platform"]}
    workshop.published.domains = {domain for domain, shows in keys.items() if shows == "yes"}
    workshop.published.spf = {"acme.example"} if state["spf"] == "yes" else set()
    workshop.published.hosts = {"acme.example"} if state["host"] == "yes" else set()
    workshop.login_refused.clear()
    if state["login"] == "no":
        workshop.login_refused["acme"] = Reason.AUTH_WRONG_PASSWORD
    sender = make_sender(
        send_as=Rung(state["wanted"]),
        if_unproven=IfUnproven(state["unproven"]),
        confirmed=state["confirmed"] == "yes",
        upstream=LOGIN,
    )
    mail_from = address.parse("app@internal.example") if state["mail-from"] == "address" else None
    return make_submission(mail_from=mail_from), sender


async def left(workshop, make_sender, make_submission, state: State) -> dict[str, str]:
    """Dress a message in this state, and say what leaves in the words of the table."""
    submission, sender = arranged(workshop, make_sender, make_submission, state)
    dressed = await workshop.dresser.dress(submission, sender, ID, NOW)
    if isinstance(dressed, Refusal):
        assert (dressed.code, dressed.enhanced) == (550, "5.7.1")
        return {**dict.fromkeys(LEAVES, "-"), "reason": dressed.reason.value, "end": "refused"}
    assert [str(r.address) for r in dressed.recipients] == list(RECIPIENTS)
    return {
        "rung": dressed.dressing.rung.value,
        "proof": dressed.dressing.proof.value if dressed.dressing.proof else "-",
        "return-path": return_path(workshop, dressed),
        **headers(dressed),
        "reason": dressed.dressing.reason.value if dressed.dressing.reason else "-",
        "end": f"held:{dressed.held.value}" if dressed.held else "leaves",
    }


def return_path(workshop, dressed: Dressed) -> str:
    paths = [recipient.return_path for recipient in dressed.recipients]
    if len(set(paths)) == 1:
        return {"": "<>", ADDRESSES["own"]: "own"}[paths[0]]
    [domain] = {path.rpartition("@")[2] for path in paths}
    for index, path in enumerate(paths):
        token = tokens.verify(workshop.vault.return_path_key, path.rpartition("@")[0], domain)
        assert token == tokens.Token(message=ID, recipient=index)
    return "token@" + {host: name for name, host in RETURN_HOSTS.items()}[domain]


def headers(dressed: Dressed) -> dict[str, str]:
    message = message_from_bytes(dressed.dressing.header, policy=email.policy.default)
    [author] = message["From"].addresses
    names = {value: name for name, value in ADDRESSES.items()}
    reply_to = {None: "-", ADDRESSES["own"]: "contact"}[message["Reply-To"]]
    signers = re.findall(rb"(?m)^DKIM-Signature:[^;]*;[^;]*;[^;]*; d=([^;]+);", dressed.dressing.header)
    domains = {value: name for name, value in DOMAINS.items()}
    if dressed.dressing.proof is not None:
        domain = author.addr_spec.rpartition("@")[2]
        assert message["Message-ID"].endswith(f"@{domain}>")
    return {
        "from": names[author.addr_spec],
        "reply-to": reply_to,
        "d=": ",".join(domains[signer.decode()] for signer in signers) or "-",
    }


@pytest.mark.parametrize("at", range(len(ROWS)))
async def test_what_leaves(at: int, workshop, make_sender, make_submission) -> None:
    row, expected = ROWS[at]
    for state in states():
        if fits(row, state):
            assert await left(workshop, make_sender, make_submission, state) == expected, state


@pytest.mark.parametrize("at", range(len(ROWS)))
async def test_what_leaves_may_still_leave_while_nothing_changes(
    at: int, workshop, make_sender, make_submission
) -> None:
    """`stands` and `plan` say the same of every row that gives a message its dressing."""
    row, expected = ROWS[at]
    state = next(state for state in states() if fits(row, state))
    submission, sender = arranged(workshop, make_sender, make_submission, state)
    dressed = await workshop.dresser.dress(submission, sender, ID, NOW)
    if isinstance(dressed, Refusal):
        return
    message = Message(
        id=ID,
        sender="acme",
        ref=None,
        submission=submission,
        dressing=dressed.dressing,
        recipients=dressed.recipients,
    )
    assert await workshop.dresser.stands(message, sender) == (expected["end"] == "leaves")
