"""Settings that a domain publishes for mail programs: read when they are good, harmless when they aren't."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.address import Address
from relayd.core.autoconfig import DEPTH, SERVERS, TEXT, NotSettings, Published, read
from relayd.core.sender import Tls

ANNA = Address("anna", "acme.example")


def settings(*servers: str) -> bytes:
    inner = "".join(servers)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="acme.example">
    <domain>acme.example</domain>
    <incomingServer type="imap"><hostname>imap.acme.example</hostname><port>993</port></incomingServer>
    {inner}
  </emailProvider>
</clientConfig>""".encode()


def server(
    host: str = "smtp.acme.example",
    port: str = "465",
    tls: str = "SSL",
    username: str = "<username>%EMAILADDRESS%</username>",
    auth: tuple[str, ...] = ("password-cleartext",),
    kind: str = "smtp",
) -> str:
    methods = "".join(f"<authentication>{one}</authentication>" for one in auth)
    return (
        f'<outgoingServer type="{kind}"><hostname> {host}\n</hostname><port>{port}</port>'
        f"<socketType>{tls}</socketType>{username}{methods}<addThisServer>true</addThisServer></outgoingServer>"
    )


def test_servers_come_in_the_order_of_the_file() -> None:
    file = settings(server(), server(host="Mail.%EMAILDOMAIN%", port="587", tls="STARTTLS"))

    assert read(file, ANNA) == (
        Published(
            host="smtp.acme.example",
            port=465,
            tls=Tls.IMPLICIT,
            username="anna@acme.example",
            oauth_only=False,
        ),
        Published(
            host="mail.acme.example",
            port=587,
            tls=Tls.STARTTLS,
            username="anna@acme.example",
            oauth_only=False,
        ),
    )


@pytest.mark.parametrize(
    ("written", "username"),
    [
        ("<username>%EMAILLOCALPART%</username>", "anna"),
        ("<username>a%EMAILLOCALPART%.%EMAILDOMAIN%</username>", "aanna.acme.example"),
        ("<username>%EMAIL<!-- -->ADDRESS%</username>", "anna@acme.example"),
        ("<username>&#97;nna</username>", "anna"),
        ("<username/>", None),
        ("", None),
    ],
)
def test_the_name_of_the_login_is_filled_in(written: str, username: str | None) -> None:
    (found,) = read(settings(server(username=written)), ANNA)
    assert found.username == username


@pytest.mark.parametrize(("auth", "only"), [(("OAuth2",), True), (("OAuth2", "password-cleartext"), False)])
def test_a_server_that_takes_only_tokens_is_known(auth: tuple[str, ...], only: bool) -> None:
    (found,) = read(settings(server(auth=auth)), ANNA)
    assert found.oauth_only is only


@pytest.mark.parametrize(
    "wrong",
    [
        server(tls="plain"),
        server(tls=""),
        server(port="0"),
        server(port="65536"),
        server(port="-1"),
        server(port="465 "[:3] + "x"),
        server(port=""),
        server(host=""),
        server(host="127.0.0.1"),
        server(host="2130706433"),
        server(host="[::1]"),
        server(host="host"),
        server(host="a b.example"),
        server(host="smtp.acme.example:25"),
        server(username="<username>a b</username>"),
        server(username="<username>a&#10;b</username>"),
        server(kind="imap"),
    ],
)
def test_what_no_login_may_go_to_is_left_out(wrong: str) -> None:
    assert read(settings(wrong), ANNA) == ()


def test_only_so_many_servers_are_taken() -> None:
    assert len(read(settings(*([server()] * 50)), ANNA)) == SERVERS


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"<html><body>404</body></html><p>",
        b"{}",
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="x-none"?><a/>',
        b"<clientConfig>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><clientConfig/>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><clientConfig/>',
        b"<a>" * (DEPTH + 1) + b"</a>" * (DEPTH + 1),
        settings(server(host="a" * (TEXT + 1))),
    ],
)
def test_what_is_no_file_of_settings_is_refused(file: bytes) -> None:
    with pytest.raises(NotSettings):
        read(file, ANNA)


def test_a_page_of_another_kind_holds_no_servers() -> None:
    assert read(b"<html><outgoingServer type='smtp'/></html>", ANNA) == ()


def test_a_billion_laughs_are_not_laughed() -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "lol">{entities}]><l>&l9;</l>'
    started = time.monotonic()
    with pytest.raises(NotSettings):
        read(bomb.encode(), ANNA)
    assert time.monotonic() - started < 1


@given(st.binary(max_size=300))
def test_octets_of_any_kind_do_no_harm(octets: bytes) -> None:
    for file in (octets, settings("<!--x-->").replace(b"<!--x-->", octets)):
        try:
            found = read(file, ANNA)
        except NotSettings:
            continue
        assert all(one.host and 0 < one.port < 65536 for one in found)
