"""What one language must bring for reports about a domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relayd.core.records.dmarc import Wish
from relayd.core.records.domainnotes import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainTexts:
    """`notes` have the places that `Code` names, and {time} for seconds; `wishes` stand for {wish}."""

    notes: Mapping[Code, str]
    wishes: Mapping[Wish, str]
