from __future__ import annotations

import socket

from relayd.net.http import listen_tcp


def test_no_answer_waits_for_the_acknowledgement_of_a_piece_before_it() -> None:
    """Whatever loop serves the connection: uvloop sets the option itself, plain asyncio does not."""
    with listen_tcp("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
