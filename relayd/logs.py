"""The service's own log: one event, one line, on stderr.

Under systemd each line starts with its priority (`<4>`, sd-daemon(3)); on a terminal with the time; or it
is one JSON object. Whatever a line holds, it stays one line: control characters are escaped, so that no
stranger can forge a line or colour a terminal. Secrets never get here: their type (`Secret`) prints as ***.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, TextIO

# syslog(3) priorities, as the journal reads them from `<N>`.
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

# Attributes that every record has; the others came as `extra` and are fields of the event.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|[\ud800-\udfff]")
_ADDRESS = re.compile(r"""(?:"(?:[^"\\]|\\.){0,64}"|([^\s<>"',:;()\[\]@])[^\s<>"',:;()\[\]@]*)@(?=\w)""")

# aiosmtpd logs every line of DATA at DEBUG, and base64 of logins that it can't decode (smtp.py, 1.4.6).
# dkimpy, asyncio, uvicorn and httpx tell nothing below WARNING that an operator could act on.
_QUIET = (
    *("mail", "mail.log", "mail.debug"),
    *("asyncio", "uvicorn", "dkim", "httpx", "httpcore"),
)


def set_up(
    *,
    format: Literal["journal", "json"],
    level: Literal["debug", "info", "warning", "error"],
    addresses: Literal["full", "masked"],
    stream: TextIO | None = None,
) -> None:
    """Send all logging to `stream` (stderr). May be called again, on reload: it replaces what was set up."""
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    masked = addresses == "masked"
    if format == "json":
        handler.setFormatter(JsonLines(masked=masked))
    else:
        handler.setFormatter(JournalLines(masked=masked, priority=not target.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # It warns of each request that is none, and to `http.public_listen` the whole world may send those. Its
    # errors are faults of ours.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


class _Lines(logging.Formatter):
    def __init__(self, *, masked: bool) -> None:
        super().__init__()
        self._masked = masked

    def _text(self, record: logging.LogRecord) -> str:
        return self._safe(record.getMessage())

    def _trace(self, record: logging.LogRecord) -> str:
        if record.exc_info and record.exc_info[0] is not None:
            return self._safe(self.formatException(record.exc_info))
        return ""

    def _fields(self, record: logging.LogRecord) -> Mapping[str, object]:
        return {key: value for key, value in vars(record).items() if key not in _STANDARD and key[:1] != "_"}

    def _safe(self, value: object) -> str:
        text = escaped(str(value))
        return mask(text) if self._masked else text


class JournalLines(_Lines):
    """`<6>accepted id=… sender=acme`: the message, then its fields."""

    def __init__(self, *, masked: bool, priority: bool) -> None:
        super().__init__(masked=masked)
        self._priority = priority

    def format(self, record: logging.LogRecord) -> str:
        level = min(_PRIORITY, key=lambda known: abs(known - record.levelno))
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        start = f"<{_PRIORITY[level]}>" if self._priority else f"{time} {record.levelname.lower()} "
        fields = (f"{key}={_quoted(self._safe(value))}" for key, value in self._fields(record).items())
        return start + " ".join(part for part in (self._text(record), *fields, self._trace(record)) if part)


class JsonLines(_Lines):
    """One JSON object a line: time, level, logger, message, and the event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._text(record),
        }
        for key, value in self._fields(record).items():
            found[key] = value if isinstance(value, int | float | bool | None) else self._safe(value)
        if trace := self._trace(record):
            found["trace"] = trace
        return json.dumps(found, ensure_ascii=False)


def escaped(text: str) -> str:
    r"""Control characters as `\n`, `\x1b`: nothing can begin a line of its own, or command a terminal."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def mask(text: str) -> str:
    """`anna@example.com` becomes `a***@example.com`: the domain stays visible, the person doesn't."""
    return _ADDRESS.sub(lambda found: (found[1] or "") + "***@", text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if not text or re.search(r'[\s"=]', text) else text
