"""`relayd explain`: what a reply that somebody pasted means, who must act, what to do."""

from __future__ import annotations

from typing import Any

from relayd.core import phrases, providers, reasons
from relayd.core.fate import Role
from relayd.core.reasons import Reason
from relayd.core.reply import Stage, parse_line
from relayd.core.verdict import classify


def explain(
    text: str, *, role: str | None = None, host: str = "", stage: str | None = None
) -> dict[str, Any]:
    """The verdict on a pasted reply, with the names of the status log.

    `role` is "mx" or "upstream" (None: an answer to a login comes from an upstream, others from an MX),
    `stage` one of the stages of a dialogue (guessed when None). Raises ValueError with a sentence when there
    is no reply in the text, or a name is wrong.
    """
    if role is not None and role not in {str(each) for each in Role}:
        raise ValueError(f'role is "{role[:40]}": expected mx or upstream')
    if stage is not None and stage not in {str(each) for each in Stage}:
        raise ValueError(f'stage is "{stage[:40]}": expected one of ' + ", ".join(Stage))
    reply = parse_line(text, stage=None if stage is None else Stage(stage), host=host)
    who = Role(role) if role else Role.UPSTREAM if reply.stage is Stage.AUTH else Role.MX
    verdict = classify(reply, who)
    provider = providers.identify(reply.host, reply.text)
    return {
        "fate": verdict.fate.value,
        "scope": verdict.scope.value,
        "role": who.value,
        "provider": provider.value if provider else None,
        "stage": reply.stage.value,
        "code": reply.code,
        "enhanced": reply.enhanced,
        "reply": reply.text,
        "host": reply.host or None,
        **(_cause(verdict.reason, provider) if verdict.reason else {}),
    }


def _cause(reason: Reason, provider: providers.Provider | None) -> dict[str, Any]:
    row = reasons.row(reason)
    return {
        "reason": reason.value,
        "actor": row.actor.value,
        "text": {language: phrases.text(reason, language) for language in phrases.LANGUAGES},
        "remedy": {language: phrases.remedy(reason, language) for language in phrases.LANGUAGES},
        "link": providers.help_page(provider, reason) or row.link,
    }
