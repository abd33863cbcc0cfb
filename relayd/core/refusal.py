"""A no that an app can act on."""

from __future__ import annotations

from dataclasses import dataclass

from relayd.core.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a submission is not taken: what the SMTP answer says, apart from how it is written.

    `text` is one ASCII sentence or two: the value seen, and what to change.
    """

    code: int
    enhanced: str
    reason: Reason
    text: str
