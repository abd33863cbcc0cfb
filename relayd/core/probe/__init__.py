"""The probe of a customer's mail server: its steps, and what each answer says about the settings. Pure.

`identity.probe` goes the steps; here it is decided what is behind an answer. Only what was seen counts: the
settings themselves, the provider that the server belongs to, the server's words, and what else answered.
"""

from relayd.core.probe.answers import REFUSALS, judge
from relayd.core.probe.settings import of_settings, proves, untried
from relayd.core.probe.values import (
    Judged,
    Known,
    Mark,
    Question,
    Reach,
    Step,
    StepName,
    as_dict,
    of_finding,
)

__all__ = [
    "REFUSALS",
    "Judged",
    "Known",
    "Mark",
    "Question",
    "Reach",
    "Step",
    "StepName",
    "as_dict",
    "judge",
    "of_finding",
    "of_settings",
    "proves",
    "untried",
]
