"""The courier of test senders: it delivers to nobody and reports as if."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from relayd.core.delivery import Attempt
from relayd.core.mail import Parcel
from relayd.core.reply import Reply, Stage
from relayd.core.verdict import Fate, Scope, Verdict
from relayd.store.contract import Body


class Nobody:
    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    async def deliver(self, parcel: Parcel, body: Body) -> Sequence[Attempt]:
        reply = Reply(
            code=250, enhanced="2.0.0", text="test sender: delivered to nobody", stage=Stage.END, host="test"
        )
        sent = Verdict(fate=Fate.SENT, reason=None, scope=Scope.MESSAGE)
        return [
            Attempt(
                recipient=recipient,
                evidence=reply,
                verdict=sent,
                host=None,
                ip=None,
                tls=None,
                started_at=self._clock(),
                seconds=0.0,
            )
            for recipient in parcel.recipients
        ]

    async def close(self) -> None:
        """Nothing is open."""
