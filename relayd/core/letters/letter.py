"""How a letter is set: its parts, once as plain text and once as HTML.

What is said stands in both, so that nobody has to trust HTML, and no part can be forgotten in one of them.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from relayd.core import displayname

WIDTH = 72
"""Characters of a line of text: RFC 5322 section 2.1.1 asks for 78, and quoted in a reply it still fits."""

NAME_MAX = 64
"""Characters of a name that somebody else chose. It is no place for a message of its own."""

_PLACE = re.compile(r"\{([a-z]+)\}")
_LINKS_ITSELF = re.compile(r"(?<=\w)([.:/]+)(?=\w)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What `relayd.post` sends."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Say:
    """A paragraph; `quiet` ones are small."""

    text: str
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Press:
    """The one thing to do, as a button."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Follow:
    """A link beside the point; `before` leads to it."""

    before: str
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Show:
    """Something to be read off and typed elsewhere, such as a code."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, a row each."""

    rows: Sequence[tuple[str, str]]


Part = Say | Press | Follow | Show | Facts


def shown_name(name: str) -> str:
    """A customer's name as a letter may show it. Strangers get these letters, so a name can't be used to
    write to them: it is short, turns no text round, and mail programs make no link of it."""
    clean = displayname.without_at(name)
    short = clean if len(clean) <= NAME_MAX else clean[: NAME_MAX - 1].rstrip() + "…"
    # U+2060 is not seen and joins words; behind the dot of "evil.example" it leaves no domain to be linked.
    return _LINKS_ITSELF.sub("\\1\u2060", short)


def filled(sentence: str, places: Mapping[str, str]) -> str:
    """A sentence with its {places} filled, all at once: what stands in a name is not looked through again."""
    return _PLACE.sub(lambda place: places[place[1]], sentence)


def compose(*, language: str, subject: str, title: str, parts: Sequence[Part], foot: str) -> Letter:
    """Set a letter. `language` goes into `lang`, for those who have it read out to them."""
    whole = (*parts, Say(foot, quiet=True))
    return Letter(
        subject=displayname.clean(subject),
        text="\n\n".join((_wrapped(title), *(_text(part) for part in whole))) + "\n",
        html=_PAGE.format(
            language=escape(language),
            subject=escape(subject),
            title=escape(title),
            parts="\n".join(_html(part) for part in whole),
        ),
    )


def _text(part: Part) -> str:
    match part:
        case Say(text=text):
            return _wrapped(text)
        case Press(label=label, url=url):
            return f"{_wrapped(label)}:\n{url}"
        case Follow(before=before, url=url):
            return f"{_wrapped(before)}\n{url}"
        case Show(text=text):
            return f"    {text}"
        case Facts(rows=rows):  # pragma: no branch - there is no other part
            wide = max(len(name) for name, _ in rows) + 2
            return "\n".join(f"{name + ':':<{wide}}{value}" for name, value in rows)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _html(part: Part) -> str:
    match part:
        case Say(text=text, quiet=False):
            return f'<p style="margin:0 0 16px">{escape(text)}</p>'
        case Say(text=text):
            return f'<p style="margin:0 0 12px;{_QUIET}">{escape(text)}</p>'
        case Press(label=label, url=url):
            return (
                f'<p style="margin:24px 0"><a href="{escape(url)}" style="{_BUTTON}">{escape(label)}</a></p>'
            )
        case Follow(before=before, label=label, url=url):
            link = f'<a href="{escape(url)}" style="color:#2f5d8a">{escape(label)}</a>'
            return f'<p style="margin:0 0 12px;{_QUIET}">{escape(before)} {link}</p>'
        case Show(text=text):
            return f'<p style="{_SHOWN}">{escape(text)}</p>'
        case Facts(rows=rows):  # pragma: no branch - there is no other part
            lines = "".join(
                f'<tr><td style="{_NAME}">{escape(name)}</td><td style="{_VALUE}">{escape(value)}</td></tr>'
                for name, value in rows
            )
            return f'<table role="presentation" style="{_TABLE}">{lines}</table>'


# Mail programs know styles on elements only, and few of those. The colours keep their contrast (WCAG AA)
# where a program turns the page dark.
_QUIET = "font-size:14px;color:#5b6673"
_BUTTON = (
    "display:inline-block;background:#2f5d8a;color:#ffffff;text-decoration:none;font-weight:600;"
    "padding:13px 24px;border-radius:8px"
)
_SHOWN = (
    "margin:0 0 16px;font:600 28px/1.3 ui-monospace,Menlo,Consolas,monospace;letter-spacing:3px;color:#1d2733"
)
_TABLE = "border-collapse:collapse;margin:0 0 20px;width:100%;border-top:1px solid #e3e7ec"
_NAME = (
    "padding:8px 16px 8px 0;font-size:14px;color:#5b6673;vertical-align:top;white-space:nowrap;"
    "border-bottom:1px solid #e3e7ec"
)
_VALUE = (
    "padding:8px 0;vertical-align:top;width:100%;word-break:break-word;overflow-wrap:anywhere;"
    "border-bottom:1px solid #e3e7ec"
)

_PAGE = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>{subject}</title>
</head>
<body style="margin:0;background:#f3f5f7">
<div style="max-width:560px;margin:0 auto;padding:24px 16px">
<div style="background:#ffffff;border-radius:12px;padding:28px 24px;\
font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;color:#1d2733">
<h1 style="margin:0 0 16px;font-size:22px;line-height:1.3">{title}</h1>
{parts}
</div>
</div>
</body>
</html>
"""
