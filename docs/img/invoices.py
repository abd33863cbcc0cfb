"""Draws invoices.svg for the README: three invoices of the demo, with the sentences that relayd really says.

python docs/img/invoices.py
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from xml.sax.saxutils import escape

from relayd.core import phrases, reasons
from relayd.core.reasons import Reason
from relayd.sandbox.demo import CASES, Case

WIDTH, CARD, GAP, TOP, HEIGHT = 1000, 312, 16, 16, 420
INK, DIM, LINE, PAPER = "#1f2933", "#6b7785", "#dde3ea", "#ffffff"
GREEN, BLUE, RED = ("#137a45", "#e3f5ea"), ("#1a5fb4", "#e4effb"), ("#b3261e", "#fce8e6")
SANS = "-apple-system,BlinkMacSystemFont,'Segoe UI','Noto Sans','DejaVu Sans',Helvetica,Arial,sans-serif"
MONO = "ui-monospace,SFMono-Regular,Menlo,'DejaVu Sans Mono',Consolas,monospace"
WHO = {"sender": "the customer who sends", "recipient": "the recipient (ask them)"}


class Card:
    """One card; `y` is where the next line stands."""

    def __init__(self, left: float, case: Case, pill: str, colours: tuple[str, str]) -> None:
        self.x, self.y = left + 20, TOP + 40.0
        ink, wash = colours
        width = 8.0 * len(pill) + 32  # wide enough for DejaVu, the widest of these types
        self.parts = [
            f'<rect x="{left}" y="{TOP}" width="{CARD}" height="{HEIGHT - 2 * TOP}" rx="12" fill="{PAPER}"'
            f' stroke="{LINE}"/>',
            f'<path d="M{left} {TOP + 12}a12 12 0 0 1 12 -12h{CARD - 24}a12 12 0 0 1 12 12'
            f'q-2 -6 -12 -6h{24 - CARD}q-10 0 -12 6z" fill="{ink}"/>',
        ]
        self.text(f"Invoice {case.invoice.number}", size=17, weight=700)
        self.text(case.invoice.total, size=15, fill=DIM, at=left + CARD - 20, anchor="end", down=0)
        self.text(f"to {case.invoice.to}", size=13, fill=DIM, down=21)
        self.y += 16
        self.parts.append(
            f'<rect x="{self.x}" y="{self.y}" width="{width}" height="26" rx="13" fill="{wash}"/>'
            f'<circle cx="{self.x + 14}" cy="{self.y + 13}" r="4" fill="{ink}"/>'
        )
        self.text(pill, size=13, weight=600, fill=ink, at=self.x + 24, down=17.5)
        self.y += 14

    def text(
        self,
        text: str,
        *,
        size: float,
        weight: int = 400,
        fill: str = INK,
        font: str = SANS,
        at: float | None = None,
        anchor: str = "start",
        down: float = 0,
    ) -> None:
        self.y += down
        self.parts.append(
            f'<text x="{self.x if at is None else at}" y="{self.y}" font-family="{font}" font-size="{size}"'
            f' font-weight="{weight}" fill="{fill}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def field(self, name: str, *lines: str, mono: str = "", good: bool = False) -> None:
        """A small heading with lines under it, the last one in the type of addresses."""
        self.text(name.upper(), size=10.5, weight=600, fill=DIM, down=29)
        for line in lines:
            self.text(line, size=14, down=19, fill=GREEN[0] if good else INK, weight=600 if good else 400)
        if mono:
            self.text(mono, size=11.8, down=18, font=MONO)


def sent(left: float, case: Case, pill: str, colours: tuple[str, str], proof: str) -> Card:
    card = Card(left, case, pill, colours)
    assert case.header_from is not None
    name, _, address = case.header_from.partition(" <")
    card.field("From", name, mono=address.rstrip(">"))
    card.field("Proven by", proof)
    card.field("Replies go to", mono=case.reply_to or case.invoice.from_address)
    card.field("Signed (DKIM) for", mono=" + ".join(case.signed_by))
    card.field("DMARC", "✓ pass", good=True)
    return card


def not_sent(left: float, case: Case, pill: str) -> Card:
    card = Card(left, case, pill, RED)
    reason = Reason(case.reason or "")
    card.field("What happened", *textwrap.wrap(phrases.text(reason, "en"), 37))
    card.field("Who must act", WHO[reasons.row(reason).actor.value])
    card.field("What to do", *textwrap.wrap(phrases.remedy(reason, "en"), 37))
    card.field("Reason, for your code", mono=reason.value)
    return card


def main() -> None:
    default, own, *_ = CASES
    unknown = next(case for case in CASES if case.reason == "recipient.unknown")
    cards = (
        sent(GAP, own, "sent from its own address", GREEN, "our key in the DNS of acme.example"),
        sent(GAP + (CARD + GAP), default, "sent from the default address", BLUE, "the platform's own domain"),
        not_sent(GAP + 2 * (CARD + GAP), unknown, "not sent"),
    )
    body = "\n".join(part for card in cards for part in card.parts)
    Path(__file__).with_suffix(".svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' height="{HEIGHT}" role="img" aria-label="Three invoices: one sent from its own address, one from'
        f' the default address, one not sent, with cause and remedy">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="16" fill="#f3f6f9"/>\n{body}\n</svg>\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
