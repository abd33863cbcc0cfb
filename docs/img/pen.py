"""What the pictures of the README are drawn with: colours, type, and lines of text under each other."""

from __future__ import annotations

from xml.sax.saxutils import escape

INK, DIM, LINE, PAPER, GROUND = "#1f2933", "#6b7785", "#dde3ea", "#ffffff", "#f3f6f9"
GREEN, BLUE, RED = ("#137a45", "#e3f5ea"), ("#1a5fb4", "#e4effb"), ("#b3261e", "#fce8e6")
SANS = "-apple-system,BlinkMacSystemFont,'Segoe UI','Noto Sans','DejaVu Sans',Helvetica,Arial,sans-serif"
MONO = "ui-monospace,SFMono-Regular,Menlo,'DejaVu Sans Mono',Consolas,monospace"


class Card:
    """A card with a coloured edge; `y` is where the next line stands."""

    def __init__(self, *, left: float, top: float, width: float, height: float, ink: str) -> None:
        self.x, self.y, self.right = left + 20, top + 40.0, left + width - 20
        self.parts = [
            f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="12" fill="{PAPER}"'
            f' stroke="{LINE}"/>',
            f'<path d="M{left} {top + 12}a12 12 0 0 1 12 -12h{width - 24}a12 12 0 0 1 12 12'
            f'q-2 -6 -12 -6h{24 - width}q-10 0 -12 6z" fill="{ink}"/>',
        ]

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

    def pill(self, text: str, colours: tuple[str, str]) -> None:
        ink, wash = colours
        width = 8.0 * len(text) + 32  # wide enough for DejaVu, the widest of these types
        self.y += 16
        self.parts.append(
            f'<rect x="{self.x}" y="{self.y}" width="{width}" height="26" rx="13" fill="{wash}"/>'
            f'<circle cx="{self.x + 14}" cy="{self.y + 13}" r="4" fill="{ink}"/>'
        )
        self.text(text, size=13, weight=600, fill=ink, at=self.x + 24, down=17.5)
        self.y += 14

    def field(self, name: str, *lines: str, mono: str = "", ink: str = "") -> None:
        """A small heading with lines under it, the last ones in the type of addresses; `ink`: one that
        stands out."""
        self.text(name.upper(), size=10.5, weight=600, fill=DIM, down=29)
        for line in lines:
            self.text(line, size=14, down=19, fill=ink or INK, weight=600 if ink else 400)
        for line in mono.splitlines():
            self.text(line, size=11.8, down=18, font=MONO)


def picture(cards: list[Card] | tuple[Card, ...], *, width: float, height: float, label: str) -> str:
    body = "\n".join(part for card in cards for part in card.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-label="{escape(label)}">\n'
        f'<rect width="{width}" height="{height}" rx="16" fill="{GROUND}"/>\n{body}\n</svg>\n'
    )
