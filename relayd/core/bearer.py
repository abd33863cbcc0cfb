"""Logging in with an access token: XOAUTH2 (Google's and Microsoft's own) and OAUTHBEARER (RFC 7628).

Both carry the same, a name and a token; which one is used is what the server offers. The token stands in
clear in what is sent, so this is for verified TLS only.
"""

from __future__ import annotations

import base64
import binascii
import json

from relayd.core.reply import clean
from relayd.core.sender import Secret

XOAUTH2, OAUTHBEARER = "XOAUTH2", "OAUTHBEARER"

MECHANISMS = (XOAUTH2, OAUTHBEARER)
"""In the order in which they are taken. XOAUTH2 is what both large providers document for SMTP, and the only
one that Microsoft has; Google takes either."""

LINE_MAX = 512
"""Octets of a command line (RFC 5321 section 4.5.3.1.4). A longer first response has to wait for the server's
334 (RFC 4954 section 4); Microsoft's tokens are four times as long."""

CHALLENGE_MAX = 4096

_SEPARATOR = "\x01"


def first_response(mechanism: str, *, username: str, token: Secret, host: str, port: int) -> str:
    """What the client says first, in base64. Raises ValueError for a name or token with a control character:
    it could say more than a name or a token."""
    for part in (username, token.value):
        if not part.isprintable():
            raise ValueError("a name or token with control characters")
    bearer = f"auth=Bearer {token.value}"
    if mechanism == OAUTHBEARER:
        # RFC 5801 section 4: "," and "=" end and begin things in a GS2 header.
        name = username.replace("=", "=3D").replace(",", "=2C")
        parts = [f"n,a={name},", f"host={host}", f"port={port}", bearer]
    else:
        parts = [f"user={username}", bearer]
    return base64.b64encode(_SEPARATOR.join((*parts, "", "")).encode()).decode()


def last_response(mechanism: str) -> str:
    """What the client answers to the challenge that says why a token was not taken: the server gives its
    reply only after that (RFC 7628 section 3.2.3: one ^A; XOAUTH2: nothing)."""
    return "AQ==" if mechanism == OAUTHBEARER else ""


def complaint(challenge: str) -> str | None:
    """The `status` in a server's challenge: "invalid_token" (RFC 7628 section 3.2.2), "401" at Google. None
    when it can't be read: nothing depends on it."""
    if len(challenge) > CHALLENGE_MAX:
        return None
    try:
        found = json.loads(base64.b64decode(challenge, validate=True))
    except (ValueError, binascii.Error, RecursionError):
        return None
    status = found.get("status") if isinstance(found, dict) else None
    return clean(status)[:40] or None if isinstance(status, str) else None
