"""Draws climb.svg for the README: the customer of the demo who climbs the ladder, step by step.

python docs/img/climb.py
"""

from __future__ import annotations

from pathlib import Path

from pen import BLUE, DIM, GREEN, RED, Card, picture

from relayd.sandbox import climb
from relayd.sandbox.climb import Step
from relayd.sandbox.demo import PLATFORM

WIDTH, CARD, GAP, RISE, BODY = 1000, 230, 16, 20, 338
HEIGHT = 2 * GAP + BODY + 3 * RISE
DONE = {
    "add": ("Added", "by the app; mail goes at once"),
    "confirm": ("Confirmed", "by the button behind our mail"),
    "spf": ("Proven by SPF", "its record includes ours"),
    "dkim": ("Proven by DKIM", "its names lead to our key"),
}
LEFT = {"address.confirm": "confirm the address", "domain.publish": "publish a record in DNS"}


def card(number: int, step: Step, shown: Step) -> Card:
    """`shown` is the step whose mail stands for this one: confirming sends none."""
    colours = GREEN if step.rung == "own" else BLUE
    left, top = GAP + number * (CARD + GAP), GAP + (3 - number) * RISE
    drawn = Card(left=left, top=top, width=CARD, height=BODY + number * RISE, ink=colours[0])
    title, how = DONE[step.name]
    drawn.text(f"{number + 1}  {title}", size=17, weight=700)
    drawn.text(how, size=12.5, fill=DIM, down=21)
    drawn.pill(f"{step.rung}, proof {step.proof}" if step.rung == "own" else step.rung, colours)
    address = shown.header_from.partition("<")[2].rstrip(">")
    drawn.field("From", mono=address if len(address) < 27 else address.replace("@", "@\n"))
    drawn.field("Replies go to", mono=shown.reply_to or address)
    signer = "its" if climb.DOMAIN in shown.signed_by else "our"
    by = f"{signer} signature" if "dkim" in shown.aligned_by else "its SPF record"
    drawn.field("DMARC", f"✓ pass, by {by}", ink=GREEN[0])
    if step.tasks:
        drawn.field("Still to do", f"! {LEFT[step.tasks[0]]}", ink=RED[0])
    else:
        drawn.field("Still to do", "nothing")
    return drawn


def drawn() -> str:
    add, confirm, spf, dkim = climb.steps(PLATFORM)
    cards = [
        card(number, *pair)
        for number, pair in enumerate([(add, add), (confirm, add), (spf, spf), (dkim, dkim)])
    ]
    label = "A customer climbs from the default address to its own: added, confirmed, proven by SPF, by DKIM"
    return picture(cards, width=WIDTH, height=HEIGHT, label=label)


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(drawn(), encoding="utf-8")
