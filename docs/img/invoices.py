"""Draws invoices.svg for the README: three invoices of the demo, with the sentences that relayd really says.

python docs/img/invoices.py
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from pen import BLUE, DIM, GREEN, RED, Card, picture

from relayd.core import phrases, reasons
from relayd.core.reasons import Reason
from relayd.sandbox.demo import CASES, Case

WIDTH, CARD, GAP, TOP, HEIGHT = 1000, 312, 16, 16, 420
WHO = {"sender": "the customer who sends", "recipient": "the recipient (ask them)"}


def begun(left: float, case: Case, pill: str, colours: tuple[str, str]) -> Card:
    card = Card(left=left, top=TOP, width=CARD, height=HEIGHT - 2 * TOP, ink=colours[0])
    card.text(f"Invoice {case.invoice.number}", size=17, weight=700)
    card.text(case.invoice.total, size=15, fill=DIM, at=card.right, anchor="end")
    card.text(f"to {case.invoice.to}", size=13, fill=DIM, down=21)
    card.pill(pill, colours)
    return card


def sent(left: float, case: Case, pill: str, colours: tuple[str, str], proof: str) -> Card:
    card = begun(left, case, pill, colours)
    assert case.header_from is not None
    name, _, address = case.header_from.partition(" <")
    card.field("From", name, mono=address.rstrip(">"))
    card.field("Proven by", proof)
    card.field("Replies go to", mono=case.reply_to or case.invoice.from_address)
    card.field("Signed (DKIM) for", mono=" + ".join(case.signed_by))
    card.field("DMARC", "✓ pass", ink=GREEN[0])
    return card


def not_sent(left: float, case: Case, pill: str) -> Card:
    card = begun(left, case, pill, RED)
    reason = Reason(case.reason or "")
    card.field("What happened", *textwrap.wrap(phrases.text(reason, "en"), 37))
    card.field("Who must act", WHO[reasons.row(reason).actor.value])
    card.field("What to do", *textwrap.wrap(phrases.remedy(reason, "en"), 37))
    card.field("Reason, for your code", mono=reason.value)
    return card


def drawn() -> str:
    default, own, *_ = CASES
    unknown = next(case for case in CASES if case.reason == "recipient.unknown")
    cards = (
        sent(GAP, own, "sent from its own address", GREEN, "our key in the DNS of acme.example"),
        sent(GAP + (CARD + GAP), default, "sent from the default address", BLUE, "the platform's own domain"),
        not_sent(GAP + 2 * (CARD + GAP), unknown, "not sent"),
    )
    label = (
        "Three invoices: one sent from its own address, one from the default address, one not sent, with"
        " cause and remedy"
    )
    return picture(cards, width=WIDTH, height=HEIGHT, label=label)


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(drawn(), encoding="utf-8")
