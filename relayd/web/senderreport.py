"""A sender as JSON: how it stands, what it lacks, its settings without what is secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from relayd.core import phrases
from relayd.core.phrases import todo as words
from relayd.core.policy import Plan
from relayd.core.todo import Outlook, Todo
from relayd.identity.senders import Entry, Problem


def problem_as_dict(problem: Problem) -> dict[str, str]:
    return {
        "sender": problem.sender,
        "key": problem.key,
        "seen": problem.seen,
        "expected": problem.expected,
        "text": str(problem),
    }


def line_as_dict(entry: Entry, outlook: Outlook) -> dict[str, Any]:
    """How a sender stands, as lists have it. `mail`: what becomes of its mail now."""
    sender, found = entry.sender, outlook.plan
    plan = found if isinstance(found, Plan) else None
    return {
        "id": sender.id,
        "name": sender.name,
        "address": str(sender.contact),
        "confirmed": sender.confirmed,
        "confirmed_by": entry.confirmed_by,
        "wanted": sender.send_as.value,
        "rung": plan.rung.value if plan else None,
        "proof": plan.proof.value if plan and plan.proof else None,
        "reason": found.reason.value if found.reason else None,
        "mail": "refused" if plan is None else "held" if plan.held else "sent",
        "held": plan.held.value if plan and plan.held else None,
        "default_address": str(sender.default_address),
        "origin": entry.origin.value,
        "tasks": [todo.task.value for todo in outlook.todo],
    }


def report_as_dict(entry: Entry, outlook: Outlook, language: str | None) -> dict[str, Any]:
    """How it stands and what is left to do; `language` None: texts in all of them."""
    return {
        **line_as_dict(entry, outlook),
        "todo": [_todo(todo, language) for todo in outlook.todo],
        "settings": _settings(entry),
        "has_password": "upstream.password" in entry.secrets,
    }


def _todo(todo: Todo, language: str | None) -> dict[str, Any]:
    texts = phrases.in_every_language(lambda known: words.text(todo, known))
    record = todo.record
    return {
        "task": todo.task.value,
        "actor": todo.actor.value,
        "text": texts if language is None else texts[language],
        "link": todo.link,
        "record": None
        if record is None
        else {"type": record.type, "name": record.name, "value": record.value},
    }


def _settings(entry: Entry) -> dict[str, Any]:
    """The settings as PUT takes them, without what is secret: so a password that is kept stays."""
    return dict(_open(entry.settings.model_dump(mode="json")))


def _open(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if key != "password":
            yield key, dict(_open(value)) if isinstance(value, dict) else value
