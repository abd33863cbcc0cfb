"""One connection of a receiving server: SMTP as a well-behaved server speaks it, but for what it is told."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import socket
import struct
from typing import TYPE_CHECKING

from relayd.sandbox.record import Received
from relayd.sandbox.script import Action, At, End

if TYPE_CHECKING:
    from relayd.sandbox.receiver import Receiver

_CHUNK = 1 << 16
_END_OF_DATA = b"\r\n.\r\n"


class _OverError(Exception):
    """The connection has ended as told."""


class Dialogue:
    """Serves one client until it leaves or is told to go."""

    def __init__(
        self, receiver: Receiver, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._receiver = receiver
        self._number = number
        self._reader, self._writer = reader, writer
        self._buffer = bytearray()
        self._ip: str = writer.get_extra_info("peername")[0]
        self._greeted = False
        self._tls: str | None = None
        self._login: str | None = None
        self._mail_from: str | None = None
        self._parameters: tuple[str, ...] = ()
        self._recipients: list[str] = []

    async def run(self) -> None:
        """Greeting to QUIT. Raises ConnectionError or ssl.SSLError when the client goes away."""
        try:
            if not await self._acted(At.CONNECT) and self._receiver.implicit_tls:
                await self._start_tls()
            if not await self._acted(At.BANNER):
                await self._say(f"220 {self._receiver.name} ESMTP relayd sandbox")
            while (line := await self._line()) is not None:
                verb, _, rest = line.partition(" ")
                await self._command(verb.upper(), rest.strip())
        except _OverError:
            pass

    async def _command(self, verb: str, rest: str) -> None:
        match verb:
            case "EHLO" | "HELO":
                await self._hello(verb)
            case "STARTTLS":
                await self._starttls()
            case "AUTH":
                await self._auth(rest)
            case "MAIL":
                await self._mail(rest)
            case "RCPT":
                await self._rcpt(rest)
            case "DATA":
                await self._data()
            case "RSET":
                if not await self._acted(At.RSET):
                    self._forget()
                    await self._say("250 2.0.0 OK")
            case "NOOP":
                await self._say("250 2.0.0 OK")
            case "QUIT":
                if not await self._acted(At.QUIT):
                    await self._say("221 2.0.0 Bye")
                raise _OverError
            case _:
                await self._say("502 5.5.2 Command not recognized")

    # the stages

    async def _hello(self, verb: str) -> None:
        if await self._acted(At.EHLO_TLS if self._tls and not self._receiver.implicit_tls else At.EHLO):
            return
        self._greeted = True
        self._forget()
        if verb == "HELO":
            await self._say(f"250 {self._receiver.name}")
            return
        offers = self._receiver.offers
        lines = [self._receiver.name]
        lines += ["PIPELINING"] if offers.pipelining else []
        lines += ["8BITMIME"] if offers.eight_bit else []
        lines += ["SMTPUTF8"] if offers.smtputf8 else []
        if offers.size is not None:
            lines.append(f"SIZE {offers.size}" if offers.size else "SIZE")
        if offers.starttls and self._receiver.context is not None and not self._tls:
            lines.append("STARTTLS")
        knows = self._receiver.users or self._receiver.takes_token
        if knows and offers.mechanisms and (self._tls or offers.login_in_clear):
            lines.append("AUTH " + " ".join(offers.mechanisms))
        lines += ["ENHANCEDSTATUSCODES"] if offers.enhanced else []
        await self._say("250 " + "\n".join(lines))

    async def _starttls(self) -> None:
        if await self._acted(At.STARTTLS):
            return
        if self._tls or self._receiver.context is None or not self._receiver.offers.starttls:
            await self._say("503 5.5.1 STARTTLS not offered")
            return
        await self._say("220 2.0.0 Ready to start TLS")
        if not await self._acted(At.HANDSHAKE):
            await self._start_tls()

    async def _start_tls(self) -> None:
        context = self._receiver.context
        assert context is not None, "a receiver that speaks TLS needs a certificate"
        self._buffer.clear()  # what came in clear counts for nothing (CVE-2011-0411)
        await self._writer.start_tls(context)
        self._tls = self._writer.get_extra_info("ssl_object").version()
        self._greeted = False
        self._forget()

    async def _auth(self, rest: str) -> None:
        if await self._acted(At.AUTH):
            return
        offers = self._receiver.offers
        mechanism, _, initial = rest.partition(" ")
        if mechanism.upper() not in offers.mechanisms:
            await self._say("504 5.5.4 Unrecognized authentication type")
            return
        if not (self._tls or offers.login_in_clear):
            await self._say("538 5.7.11 Encryption required for requested authentication mechanism")
            return
        if mechanism.upper() in ("XOAUTH2", "OAUTHBEARER"):
            await self._bearer(mechanism.upper(), initial)
            return
        try:
            if mechanism.upper() == "PLAIN":
                octets = await self._secret(initial, "")
                _, username, password = octets.split(b"\0")
            else:
                username = await self._secret(initial, "VXNlcm5hbWU6")
                password = await self._secret("", "UGFzc3dvcmQ6")
        except (ValueError, binascii.Error):
            await self._say("501 5.5.2 Cannot decode the response")
            return
        name = username.decode(errors="replace")
        taken = self._receiver.users.get(name) == password.decode(errors="replace")
        self._receiver.logins.append((name, taken))
        self._login = name if taken else None
        await self._say(
            "235 2.7.0 Authentication successful" if taken else "535 5.7.8 Authentication credentials invalid"
        )

    async def _bearer(self, mechanism: str, initial: str) -> None:
        """RFC 7628 section 3.2.2: why a token is not taken comes as a challenge, the reply after it."""
        try:
            parts = (await self._secret(initial, "")).decode().split("\x01")
        except (ValueError, binascii.Error):
            await self._say("501 5.5.2 Cannot decode the response")
            return
        name = parts[0].removeprefix("n,a=").removesuffix(",").removeprefix("user=")
        name = name.replace("=2C", ",").replace("=3D", "=") if mechanism == "OAUTHBEARER" else name
        token = next((part[12:] for part in parts if part.startswith("auth=Bearer ")), "")
        takes = self._receiver.takes_token
        taken = parts[-2:] == ["", ""] and takes is not None and takes(name, token)
        self._receiver.logins.append((name, taken))
        self._login = name if taken else None
        if taken:
            await self._say("235 2.7.0 Authentication successful")
            return
        status = "invalid_token" if mechanism == "OAUTHBEARER" else "401"
        challenge = json.dumps({"status": status, "schemes": "bearer"}).encode()
        await self._say(f"334 {base64.b64encode(challenge).decode()}")
        answer = await self._line(secret=True)
        self._receiver.note_line(self._number, f"answer to the challenge: {answer}")
        await self._say("535 5.7.8 Authentication credentials invalid")

    async def _secret(self, initial: str, prompt: str) -> bytes:
        if initial == "=":
            return b""
        if not initial:
            await self._say(f"334 {prompt}")
            initial = (await self._line(secret=True)) or ""
        return base64.b64decode(initial, validate=True)

    async def _mail(self, rest: str) -> None:
        if await self._acted(At.MAIL):
            return
        receiver = self._receiver
        address, parameters = _path(rest, "FROM:")
        size = next((int(p[5:]) for p in parameters if p.upper().startswith("SIZE=")), 0)
        if not self._greeted:
            await self._say("503 5.5.1 EHLO first")
        elif receiver.require_login and self._login is None:
            await self._say("530 5.7.0 Authentication required")
        elif address is None:
            await self._say("501 5.5.4 Syntax: MAIL FROM:<address>")
        elif receiver.offers.size and size > receiver.offers.size:
            await self._say(f"552 5.3.4 Message size exceeds fixed limit of {receiver.offers.size}")
        else:
            self._mail_from, self._parameters, self._recipients = address, parameters, []
            await self._say("250 2.1.0 OK")

    async def _rcpt(self, rest: str) -> None:
        if await self._acted(At.RCPT):
            return
        address, _ = _path(rest, "TO:")
        if self._mail_from is None:
            await self._say("503 5.5.1 MAIL first")
        elif not address:
            await self._say("501 5.5.4 Syntax: RCPT TO:<address>")
        else:
            reply = self._receiver.script.reply_for(address) or "250 2.1.5 OK"
            if reply.startswith("2"):
                self._recipients.append(address)
            await self._say(reply)

    async def _data(self) -> None:
        if not self._recipients:
            await self._say("554 5.5.1 No valid recipients")
            return
        if await self._acted(At.DATA):
            return
        await self._say("354 End data with <CR><LF>.<CR><LF>")
        content = await self._upload()
        upload = self._record(content)
        action = self._receiver.note_reached(At.END)
        if action.hang:
            await self._receiver.wait_released()
        too_big = self._receiver.offers.size and len(content) > self._receiver.offers.size
        usual = "552 5.3.4 Message too big" if too_big else "250 2.0.0 OK: queued"
        if not await self._do(action):
            await self._say(usual)
        else:
            usual = action.say or (action.raw or b"").decode("latin-1")
        if usual.startswith("2"):
            self._receiver.received.append(upload)
            self._receiver.note_change()
        self._forget()
        if action.end:
            await self._end(action.end)

    async def _upload(self) -> bytes:
        """The content up to the final dot, dots unstuffed."""
        action = self._receiver.note_reached(At.BODY)
        told = action != Action()
        content = bytearray(b"\r\n")  # the line end before: a dot in the first line counts too
        content += self._buffer
        self._buffer.clear()
        searched = 0
        while True:
            if told and len(content) - 2 >= action.after:
                told = False
                if action.hang:
                    await self._receiver.wait_released()
                await self._do(action)
                if action.end:
                    await self._end(action.end)
            end = content.find(_END_OF_DATA, searched)
            if end >= 0:
                break
            searched = max(0, len(content) - len(_END_OF_DATA))
            chunk = await self._reader.read(_CHUNK)
            if not chunk:
                raise ConnectionResetError("the client left in the middle of the content")
            content += chunk
        self._buffer += content[end + len(_END_OF_DATA) :]
        return bytes(content[: end + 2]).replace(b"\r\n.", b"\r\n")[2:]

    def _record(self, content: bytes) -> Received:
        upload = Received(
            mail_from=self._mail_from or "",
            recipients=tuple(self._recipients),
            parameters=self._parameters,
            content=content,
            tls=self._tls,
            login=self._login,
            connection=self._number,
            ip=self._ip,
        )
        self._receiver.uploads.append(upload)
        return upload

    def _forget(self) -> None:
        self._mail_from, self._parameters, self._recipients = None, (), []

    # what it is told

    async def _acted(self, at: At) -> bool:
        """Do what is told for this point; True when that takes the place of the usual answer."""
        action = self._receiver.note_reached(at)
        if action.hang:
            await self._receiver.wait_released()
        done = await self._do(action)
        if action.end:
            await self._end(action.end)
        return done

    async def _do(self, action: Action) -> bool:
        if action.say is not None:
            await self._say(action.say)
        if action.raw is not None:
            self._writer.write(action.raw)
            await self._writer.drain()
        return action.say is not None or action.raw is not None or action.end is not None

    async def _end(self, end: End) -> None:
        transport = self._writer.transport
        if end is End.HALF and transport.can_write_eof():
            transport.write_eof()
            while await self._reader.read(_CHUNK):
                pass
        elif end is End.RESET:
            raw: socket.socket = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        elif end is End.CUT:
            transport.abort()
        raise _OverError

    # lines

    async def _line(self, *, secret: bool = False) -> str | None:
        while (end := self._buffer.find(b"\n")) < 0:
            chunk = await self._reader.read(_CHUNK)
            if not chunk:
                return None
            self._buffer += chunk
        line = bytes(self._buffer[:end]).rstrip(b"\r").decode(errors="replace")
        del self._buffer[: end + 1]
        self._receiver.note_line(self._number, "***" if secret else line)
        return line

    async def _say(self, reply: str) -> None:
        """A reply; several lines are given as `250 one\\ntwo`."""
        code, _, text = reply.partition(" ")
        lines = text.split("\n")
        wire = "".join(
            f"{code}{' ' if at == len(lines) else '-'}{part}\r\n" for at, part in enumerate(lines, 1)
        )
        self._writer.write(wire.encode())
        await self._writer.drain()


def _path(rest: str, keyword: str) -> tuple[str | None, tuple[str, ...]]:
    """`FROM:<address> SIZE=1` -> the address without brackets (None when it isn't one), the parameters."""
    if rest[: len(keyword)].upper() != keyword:
        return None, ()
    rest = rest[len(keyword) :].strip()
    end = rest.rfind(">")
    if not rest.startswith("<") or end < 0:
        return None, ()
    return rest[1:end], tuple(rest[end + 1 :].split())
