"""What comes after DATA, settled once: line endings, header block and body apart, and the facts about them.

A push parser: octets in, settled body octets out, facts at the end. How the octets are cut into chunks makes
no difference. Everything works on blocks of whole lines with the C speed of `bytes`; nothing loops by line.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass

from relayd.core.address import shown
from relayd.core.reasons import Reason

LINE_MAX = 998  # octets without CRLF, RFC 5321 section 4.5.3.1.6 and RFC 5322 section 2.1.1
HEADER_MAX = 256 * 1024  # octets; Postfix has 102,400
FIELDS_MAX = 1000  # header fields; Haraka has 1,000 lines
FIELD_MAX = 64 * 1024  # octets of one field with its folding

_UNCOUNTED_MAX = 256 * 1024  # octets held for their line numbers alone

_PIECE = 2047
_SMALL = 16 * 1024
"""Octets of a small block are hashed in pieces. From 2,048 on (CPython, Modules/_hashopenssl.c) hashlib lets
go of the interpreter's lock; to have it back behind a busy thread takes longer than to hash a few KiB."""

_FIELD = rb"[!-9;-~]++:[^\r\n]*+\r\n(?:[ \t][^\r\n]*+\r\n)*"  # RFC 5322 section 2.2, octets over 127 allowed
_HEADER = re.compile(rb"(?:%b)*" % _FIELD)
_ONE_FIELD = re.compile(_FIELD)


class ContentRefused(Exception):
    """This content can't be sent. `text` names what was seen and what to change."""

    def __init__(self, code: int, enhanced: str, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.enhanced = enhanced
        self.reason = reason
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The facts about a settled message; its body was handed out on the way."""

    header: bytes  # CRLF, ends with CRLF, without the blank line that follows; empty when there is none
    body_size: int  # octets
    body_hash: bytes  # SHA-256 of the simple-canonicalised body, RFC 6376 section 3.4.3
    eight_bit: bool  # any octet over 127 in header or body
    bare_line_feeds: int  # how many line endings had to be settled from LF to CRLF


class Settler:
    """Settles one message. `feed` takes what came between DATA and the final dot (the CRLF before that dot
    included), in any chunks, dot-stuffing still on; it returns settled body octets as they become known.
    `finish` gives the facts. Both raise ContentRefused; after that the settler is of no more use.

    Dot-stuffing is undone at CRLF only and before line endings are settled: a line that a bare LF began was
    no line to SMTP, so its dot was never stuffed.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._carry = b""
        self._line_start = True  # the next octet begins a line of SMTP (after CRLF, not after a bare LF)
        self._header: bytes | None = None
        self._header_parts: list[bytes] = []
        self._header_size = 0
        self._size = 0
        self._body_size = 0
        self._lines = 0  # counted ones
        self._uncounted: list[bytes] = []
        self._counted_size = 0
        self._eight_bit = False
        self._bare = 0
        self._hash = hashlib.sha256()
        self._blank_lines = 0  # CRLFs at the end of the body so far, which the hash may have to ignore

    def feed(self, data: bytes) -> bytes:
        """Take a chunk; give back the settled body octets that it completes."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._carry += data
            self._check_carry()
            return b""
        block = self._carry + data[:end] if self._carry else data if end == len(data) else data[:end]
        self._carry = b""
        try:
            settled = self._settle(block)
        except ContentRefused:
            # A block has several faults, or one here and one in its header: the first line with one decides,
            # so that the answer doesn't depend on how the network cut the data.
            if block.count(b"\n") > 1:
                for line in block.split(b"\n")[:-1]:  # pragma: no branch - one of them raises
                    self.feed(line + b"\n")
            raise
        body = settled if self._header is not None else self._find_header_end(settled)
        if body:
            self._add_to_body(body)
        self._carry = data[end:]
        self._check_carry()
        return body

    def finish(self) -> Content:
        """The facts, after the last `feed`, whose data ended with CRLF."""
        assert not self._carry, "what comes before the final dot ends with CRLF"
        if self._header is None:
            self._set_header(b"".join(self._header_parts))
        assert self._header is not None
        self._hash.update(b"\r\n")
        return Content(
            header=self._header,
            body_size=self._body_size,
            body_hash=self._hash.digest(),
            eight_bit=self._eight_bit,
            bare_line_feeds=self._bare,
        )

    def _check_carry(self) -> None:
        # The stuffed dot and a CR whose LF is still to come don't count.
        if len(self._carry) > LINE_MAX + 2:
            raise self._line_too_long(0)

    def _settle(self, block: bytes) -> bytes:
        """Whole lines in, whole settled lines out. Changes nothing when it raises."""
        line_start = block.endswith(b"\r\n")
        if self._line_start and block.startswith(b"."):
            block = block[1:]
        # A base64 body has no dots, so nearly nothing of it is searched for one at the start of a line.
        if block.find(b"\r\n.", 0, block.rfind(b".") + 1) >= 0:
            block = block.replace(b"\r\n.", b"\r\n")
        line_ends = _line_ends(block)
        bare = 0
        if line_ends != "\r\n":
            bare = block.count(b"\n") - block.count(b"\r\n")
            block = block.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        self._check_lines(block)
        if line_ends != "\r\n" and block.count(b"\r") != block.count(b"\n"):
            raise _malformed(
                "a CR that no LF follows", "end lines with CRLF, and encode binary content in base64"
            )
        if b"\0" in block:
            raise _malformed("a NUL octet", "encode binary content in base64")
        if self._size + len(block) > self._limit:
            raise too_big(self._limit)
        self._line_start = line_start
        self._bare += bare
        self._size += len(block)
        self._eight_bit = self._eight_bit or not block.isascii()
        self._remember_lines(block)
        return block

    def _check_lines(self, block: bytes) -> None:
        """Jump from line end to line end, as far as a line may reach: few steps, whatever the lines are."""
        start, size = 0, len(block)
        while size - start > LINE_MAX + 2:
            end = block.rfind(b"\n", start, start + LINE_MAX + 2)
            if end < 0:
                raise self._line_too_long(block.count(b"\n", 0, start))
            start = end + 1

    def _remember_lines(self, block: bytes) -> None:
        """Line numbers are for error texts only, and counting costs as much as hashing: it is put off."""
        self._uncounted.append(block)
        if self._size - self._counted_size > _UNCOUNTED_MAX:
            self._lines += sum(b.count(b"\n") for b in self._uncounted)
            self._counted_size = self._size
            self._uncounted.clear()

    def _line_too_long(self, lines_before: int) -> ContentRefused:
        line = self._lines + sum(b.count(b"\n") for b in self._uncounted) + lines_before + 1
        return ContentRefused(
            554,
            "5.6.0",
            Reason.MESSAGE_LINE_TOO_LONG,
            f"line {line} is longer than {LINE_MAX} octets: use base64 or quoted-printable",
        )

    def _find_header_end(self, block: bytes) -> bytes:
        """Collect the header block; what follows the blank line is body. Blocks are whole lines, so the blank
        line lies within a block or is its first line."""
        if block.startswith(b"\r\n"):
            end, body = 0, block[2:]
        else:
            found = block.find(b"\r\n\r\n")
            end, body = (len(block), b"") if found < 0 else (found + 2, block[found + 4 :])
        self._header_parts.append(block[:end])
        self._header_size += end
        if self._header_size > HEADER_MAX:
            raise _malformed(f"a header block of more than {HEADER_MAX} octets", "shorten it")
        if end < len(block):
            self._set_header(b"".join(self._header_parts))
        return body

    def _set_header(self, header: bytes) -> None:
        self._header_parts.clear()
        folded = header.count(b"\r\n ") + header.count(b"\r\n\t")
        if header.count(b"\n") - folded > FIELDS_MAX:
            raise _malformed(f"more than {FIELDS_MAX} header fields", "send fewer")
        if _HEADER.fullmatch(header) is None:
            raise _why_no_header(header)
        if len(header) > FIELD_MAX and any(len(f[0]) > FIELD_MAX for f in _ONE_FIELD.finditer(header)):
            raise _malformed(f"a header field of more than {FIELD_MAX} octets", "shorten it")
        self._header = header

    def _add_to_body(self, block: bytes) -> None:
        self._body_size += len(block)
        end = len(block) - 2
        if end == 0 or block.endswith(b"\r\n\r\n"):
            end = len(block.rstrip(b"\r\n"))  # no CR or LF is left outside a CRLF
        if end:
            while self._blank_lines:  # in steps, or 32 MiB of line ends would be held here once more
                step = min(self._blank_lines, 4096)
                self._hash.update(b"\r\n" * step)
                self._blank_lines -= step
            content = memoryview(block)[:end]
            piece = _PIECE if end <= _SMALL else end
            for start in range(0, end, piece):
                self._hash.update(content[start : start + piece])
        self._blank_lines += (len(block) - end) // 2


def _line_ends(block: bytes) -> str | tuple[str, ...] | None:
    """Which kinds of line ends occur. The decoder of text files tells it in one pass in C, five times as fast
    as counting CR, LF and CRLF."""
    decoder = io.IncrementalNewlineDecoder(None, translate=False)
    decoder.decode(block.decode("latin-1"), final=True)
    return decoder.newlines


def too_big(limit: int) -> ContentRefused:
    return ContentRefused(
        552,
        "5.3.4",
        Reason.MESSAGE_TOO_BIG,
        f"the message is larger than {limit} octets, the limit here: make it smaller, or send a link",
    )


def _why_no_header(header: bytes) -> ContentRefused:
    """Say which line of a header block is no header field."""
    good = 0
    while found := _ONE_FIELD.match(header, good):
        good = found.end()
    line = header[good : header.find(b"\r\n", good)]
    number = header.count(b"\n", 0, good) + 1
    seen = shown(line.decode("utf-8", "replace"))
    if line.startswith(b"From ") and number == 1:
        advice = "it starts a mailbox file, not a message: leave it out"
    elif line[:1] in (b" ", b"\t"):
        advice = "the first line of a header can't be a continuation: remove the blanks"
    else:
        advice = 'write "Name: value", and put a blank line between header and body'
    return _malformed(f'"{seen}" as line {number}, which is no header field', advice)


def _malformed(seen: str, advice: str) -> ContentRefused:
    return ContentRefused(554, "5.6.0", Reason.MESSAGE_MALFORMED, f"the message has {seen}: {advice}")
