"""Where the mail of a domain goes (RFC 5321 section 5, RFC 7505)."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from itertools import groupby

from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.reply import Fault, FaultKind, Stage

_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")


def hosts(
    domain: str, answer: Found[Mx] | Missing | Trouble, *, own_names: Collection[str] = (), dice: float
) -> tuple[Mx, ...] | Fault:
    """The hosts to try, in order. `dice`, in [0, 1), decides the order of hosts that are equal.

    Without MX records the domain is its own host. A target that is an alias is tried like any other; one
    that is an address is no host name and is left out. Where one of them is us, it and all that are not
    better are left out, or mail would go in a circle (section 5.1).
    """
    if isinstance(answer, Trouble):
        return _fault(FaultKind.DNS, domain, answer.text)
    if isinstance(answer, Missing):
        if not answer.domain:
            return _fault(FaultKind.NO_DOMAIN, domain, f"there is no domain {domain}")
        found: Sequence[Mx] = (Mx(0, domain),)
    else:
        found = sorted(answer.records)
        if all(mx.host == "" for mx in found):
            return _fault(FaultKind.NULL_MX, domain, f"{domain} takes no mail (null MX)")
    usable = [mx for mx in found if mx.host and not numeric(mx.host)]
    if not usable:
        return _fault(FaultKind.NO_DOMAIN, domain, f"the MX of {domain} names no host: {found[0].host}")
    ours = min((mx.preference for mx in usable if mx.host in own_names), default=math.inf)
    better = [mx for mx in usable if mx.preference < ours]
    if not better:
        return _fault(FaultKind.LOOP, domain, f"the MX of {domain} is this relay itself")
    return _in_order(better, dice)


def numeric(host: str) -> bool:
    """Whether some parser on the way would read this name as an address: its last label is a number (the
    URL standard's "ends in a number"), as in `127.1`, `0x7f000001`, `2130706433`; or it has a colon."""
    return ":" in host or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2].lower()) is not None


def _in_order(records: Sequence[Mx], dice: float) -> tuple[Mx, ...]:
    places: dict[str, Mx] = {}
    for record in records:
        places.setdefault(record.host, record)  # named twice: the better place counts
    ordered: list[Mx] = []
    for _, group in groupby(places.values(), key=lambda mx: mx.preference):
        equal = list(group)
        while equal:
            at, dice = divmod(dice * len(equal), 1)
            ordered.append(equal.pop(int(at)))
    return tuple(ordered)


def _fault(kind: FaultKind, domain: str, text: str) -> Fault:
    return Fault(kind=kind, text=text, stage=Stage.DNS, host=domain)
