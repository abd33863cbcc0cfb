"""What one language must bring for findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relayd.core.findings import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """`kinds`: what is behind it, and what to do, with the places {host} {port} {tls} {username} {address}
    {provider} {other} {seen} {expected}; `better` names the right server in {right}."""

    kinds: Mapping[Kind, tuple[str, str]]
    better: str
