"""Stored senders: what every store promises of them, and what SQLite's file shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from relayd.core.delivery import State
from relayd.core.journal import Event, EventType
from relayd.core.reasons import Reason
from relayd.store import database
from relayd.store.contract import Fact, Selection, StoredSender, StoreError, Verb

ACME = StoredSender(
    id="acme",
    settings={"name": "ACME", "address": "billing@acme.example", "upstream": {"port": 587, "ca_file": None}},
    sealed={"upstream.password": "v1:c2VhbGVk"},
)
GLOBEX = StoredSender(id="globex", settings={"name": "Globex", "address": "o@globex.example"})
PART = Fact(kind="local_part", key="acme", value={"sender": "acme"})


def changed(desk: Any, sender: str = "acme") -> Event:
    return Event(time=desk.clock(), type=EventType.SENDER_CHANGED, sender=sender, detail={"keys": "name"})


async def test_senders_come_back_as_they_were_put_with_their_facts_and_events(desk: Any) -> None:
    assert await desk.store.senders() == []
    await desk.store.put_senders([GLOBEX, ACME], [PART], [changed(desk), changed(desk, "globex")])
    assert await desk.store.senders() == [ACME, GLOBEX]
    assert await desk.store.recall("local_part") == {"acme": {"sender": "acme"}}
    assert [(e.sender, e.detail) for e in await desk.store.journal(0)] == [
        ("acme", {"keys": "name"}),
        ("globex", {"keys": "name"}),
    ]


async def test_a_sender_takes_the_place_of_the_one_with_its_id(desk: Any) -> None:
    await desk.store.put_senders([ACME, GLOBEX])
    renamed = StoredSender(id="acme", settings={"name": "Acme Ltd"})
    await desk.store.put_senders([renamed])
    assert await desk.store.senders() == [renamed, GLOBEX]


async def test_a_removed_sender_is_gone_with_the_facts_named_and_the_rest_stays(desk: Any) -> None:
    await desk.store.put_senders([ACME, GLOBEX], [PART])
    await desk.store.remember("confirmed", "acme", {"address": "billing@acme.example"})
    await desk.store.remember("confirmed", "globex", {"address": "o@globex.example"})
    message = await desk.put(sender="acme")
    await desk.store.remove_sender("acme", [("confirmed", "acme")], [changed(desk)])
    assert await desk.store.senders() == [GLOBEX]
    assert list(await desk.store.recall("confirmed")) == ["globex"]
    assert await desk.store.recall("local_part") == {"acme": {"sender": "acme"}}
    assert (await desk.types())[-1] is EventType.SENDER_CHANGED
    assert [record.message.id for record in await desk.store.find(Selection(sender="acme"))] == [message.id]


async def test_removing_a_sender_that_is_not_there_does_no_harm(desk: Any) -> None:
    await desk.store.remove_sender("nobody")
    assert await desk.store.senders() == []


async def test_what_is_held_is_counted_by_sender_and_reason(desk: Any) -> None:
    assert await desk.store.held() == {}
    await desk.put("a@one.example", "b@one.example", sender="acme", held=Reason.SENDER_UNPROVEN)
    await desk.put(sender="acme", held=Reason.SIGNING_FAILED)
    await desk.put(sender="globex", held=Reason.SENDER_UNPROVEN)
    await desk.put(sender="globex")
    assert await desk.store.held() == {
        ("acme", Reason.SENDER_UNPROVEN): 2,
        ("acme", Reason.SIGNING_FAILED): 1,
        ("globex", Reason.SENDER_UNPROVEN): 1,
    }
    await desk.store.act(Verb.RELEASE, Selection(sender="acme"), desk.clock())
    assert await desk.store.held() == {("globex", Reason.SENDER_UNPROVEN): 1}


async def test_what_a_person_holds_for_no_reason_is_not_counted(desk: Any) -> None:
    await desk.put()
    await desk.store.act(Verb.HOLD, Selection(), desk.clock())
    assert (await desk.store.count())[State.HELD] == 1
    assert await desk.store.held() == {}


# --- the file


async def test_senders_survive_a_restart_and_are_in_a_backup(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    await desk.store.put_senders([ACME, GLOBEX], [PART])
    await desk.store.backup(tmp_path / "copy.db")
    await desk.store.close()
    assert await (await open_desk()).store.senders() == [ACME, GLOBEX]
    restored = tmp_path / "restored"
    restored.mkdir()
    (tmp_path / "copy.db").rename(restored / database.FILE)
    assert await (await open_desk(restored)).store.senders() == [ACME, GLOBEX]


async def test_a_database_of_version_1_takes_senders_and_keeps_its_mail(
    open_desk: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    today = database.schema()
    with monkeypatch.context() as then:
        then.setattr(database, "schema", lambda: today[:1])
        then.setattr(database, "TABLES", ("message", "recipient", "fact"))
        old = await open_desk()
        message = await old.put(sender="acme")
        await old.store.remember("local_part", "acme", {"sender": "acme"})
        await old.store.close()
    desk = await open_desk()
    assert await desk.store.senders() == []
    await desk.store.put_senders([ACME])
    assert await desk.store.senders() == [ACME]
    assert [parcel.message.id for parcel in await desk.lease()] == [message.id]
    assert await desk.store.recall("local_part") == {"acme": {"sender": "acme"}}
    await desk.store.close()
    db = database.open_reader(tmp_path / "state" / database.FILE)
    assert db.pragma("user_version") == len(today) == 2
    db.close()


async def test_a_removed_secret_leaves_nothing_in_the_files(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    secret = StoredSender(id="s", settings={}, sealed={"upstream.password": "v1:" + "NEEDLE" * 20})
    await desk.store.put_senders([ACME, secret])
    await desk.store.remove_sender("s")
    await desk.store.close()
    for path in (tmp_path / "state").iterdir():
        assert b"NEEDLE" not in path.read_bytes(), path


async def test_a_failed_write_changes_neither_senders_nor_facts(open_desk: Any) -> None:
    desk = await open_desk()
    broken = Fact(kind="local_part", key="x", value={"sender": object()})  # type: ignore[dict-item]
    with pytest.raises(StoreError):
        await desk.store.put_senders([ACME], [PART, broken], [changed(desk)])
    assert await desk.store.senders() == []
    assert await desk.store.recall("local_part") == {}
    assert await desk.types() == []


async def test_who_is_held_is_answered_by_an_index(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    await desk.store.close()
    db = database.open_reader(tmp_path / "state" / database.FILE)
    plan = db.execute(
        "EXPLAIN QUERY PLAN SELECT sender, held, count(*) FROM recipient"
        " WHERE state < 2 AND state = 1 AND held IS NOT NULL GROUP BY sender, held"
    ).fetchall()
    assert "recipient_open" in plan[0][3]
    db.close()
