"""A zone as data, for evaluations that ask DNS by yielding questions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.records.spf import Answer, Asking, Question, Type

T = TypeVar("T")
Records = Mapping[tuple[str, str], Sequence[str] | None]
"""By name and type; None is trouble. An MX is written `10 mx.example`."""


def answered(
    asking: Asking[T],
    records: Records | Callable[[Question], Answer],
    asked: list[Question] | None = None,
) -> T:
    """Drive an evaluation; `asked` collects its questions."""
    say = records if callable(records) else functools.partial(answer, records)
    try:
        question = next(asking)
        while True:
            if asked is not None:
                asked.append(question)
            question = asking.send(say(question))
    except StopIteration as ended:
        result: T = ended.value
        return result


def answer(records: Records, question: Question) -> Answer:
    key = (question.name.lower(), question.type.value)
    if key not in records:
        return Missing(domain=any(name == key[0] for name, _ in records), ttl=300)
    found = records[key]
    if found is None:
        return Trouble(text="SERVFAIL")
    if question.type is Type.MX:
        pairs = [value.split() for value in found]
        return Found(records=tuple(Mx(int(number), host) for number, host in pairs), ttl=60)
    return Found(records=tuple(found), ttl=60)
