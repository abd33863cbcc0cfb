"""What one language must bring for reports about a domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relayd.core.records.dmarc import Dmarc, Wish
from relayd.core.records.domainnotes import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainTexts:
    """`notes` have the places that `Code` names, and {time} for seconds. `forecast` has the places {spf}
    {spfaligned} {dkim} {dkimaligned} {dmarc}; `failing` has {wish}. `dkim`: does a signature hold?"""

    notes: Mapping[Code, str]
    wishes: Mapping[Wish, str]
    forecast: str
    failing: str
    by_server: str
    aligned: str
    not_aligned: str
    dkim: Mapping[bool, str]
    dmarc: Mapping[Dmarc, str]
