"""Whether a mail server can be reached: a connection, and its first line."""

from __future__ import annotations

import asyncio
import contextlib

LINE_MAX = 512  # octets of a reply line (RFC 5321 section 4.5.3.1.5)


async def greeting(ip: str, port: int, timeout: float) -> str:
    """The first line of the server, cleaned. Raises OSError (TimeoutError is one) when none comes."""
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(ip, port, limit=LINE_MAX)
        try:
            line = await reader.readline()
            writer.write(b"QUIT\r\n")
            with contextlib.suppress(OSError):
                await writer.drain()
        except ValueError:  # a line without end
            raise ConnectionError("what answers is no mail server") from None
        finally:
            writer.close()
    if not line:
        raise ConnectionError("the connection was closed without a greeting")
    text = line.decode("latin-1").strip()
    return "".join(char if char.isprintable() else "?" for char in text)[:200]
