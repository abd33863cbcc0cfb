from __future__ import annotations

from relayd.core.reply import Reply, Stage
from relayd.core.verdict import Fate
from relayd.sandbox.receiver import Receiver

from .conftest import World, letter


async def test_a_message_arrives_as_it_was_dressed(world: World) -> None:
    mail = letter("bob@customer.example")
    async with Receiver(certificate=world.authority.issue("mx.customer.example")) as receiver:
        (attempt,) = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.SENT
    assert isinstance(attempt.evidence, Reply)
    assert attempt.evidence.stage is Stage.END
    assert (attempt.host, attempt.ip) == ("mx.customer.example", "127.0.0.1")
    assert attempt.tls is not None
    assert attempt.tls.valid
    (received,) = receiver.received
    assert received.content == mail.content
    assert received.mail_from == "bounce@my.platform.example"
    assert received.recipients == ("bob@customer.example",)
    assert f"SIZE={len(mail.content)}" in received.parameters
