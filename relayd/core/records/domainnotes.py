"""What can be said of a domain's records, as codes with their facts. `core.phrases.domain` says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Code(StrEnum):
    """Names the facts that its sentence needs, after the code."""

    # our key
    KEY_OK = "key.ok"
    KEY_MISSING = "key.missing"
    KEY_SEVERAL = "key.several"  # count
    KEY_QUOTES = "key.quotes"
    KEY_INVISIBLE = "key.invisible"  # what
    KEY_NO_TAGS = "key.no_tags"
    KEY_TWICE = "key.twice"  # tag
    KEY_VERSION = "key.version"
    KEY_NO_P = "key.no_p"
    KEY_CAPITALS = "key.capitals"
    KEY_CUT_OFF = "key.cut_off"
    KEY_REVOKED = "key.revoked"
    KEY_OTHER = "key.other"
    KEY_OTHER_WEAK = "key.other_weak"  # bits
    KEY_TYPE = "key.type"  # type
    KEY_HASH = "key.hash"
    KEY_SERVICE = "key.service"
    KEY_TESTING = "key.testing"
    KEY_WEAK = "key.weak"  # bits
    KEY_UNPUBLISHED = "key.unpublished"  # name; the alias is right, the platform's own record isn't there
    KEY_LATER = "key.later"  # the platform's name for its next key
    NAME_TWICE = "name_twice"  # there, short; the record stands at NAME.DOMAIN.DOMAIN
    ALIAS_OK = "alias.ok"
    ALIAS_READY = "alias.ready"
    ALIAS_MISSING = "alias.missing"  # of the second selector
    ALIAS_ELSEWHERE = "alias.elsewhere"  # target, wanted
    ALIAS_TAKEN = "alias.taken"
    # DMARC
    DMARC_OK = "dmarc.ok"  # wish, where
    DMARC_MISSING = "dmarc.missing"
    DMARC_SEVERAL = "dmarc.several"  # count
    DMARC_SYNTAX = "dmarc.syntax"
    DMARC_NO_POLICY = "dmarc.no_policy"
    DMARC_BAD_TAG = "dmarc.bad_tag"
    DMARC_STRICT_SPF = "dmarc.strict_spf"
    DMARC_STRICT_DKIM = "dmarc.strict_dkim"
    # the way back for bounces
    RETURN_OK = "return.ok"
    RETURN_MISSING = "return.missing"
    RETURN_TAKEN = "return.taken"  # target, wanted
    # MX
    MX_OK = "mx.ok"
    MX_ADDRESS = "mx.address"
    MX_MISSING = "mx.missing"
    MX_NULL = "mx.null"
    # any record
    BEHIND = "behind"  # seconds; the nameservers have it, others still see the old answer
    OLD_ANSWER = "old_answer"  # seconds; for which a change may not be seen by all
    NOT_IN_STEP = "not_in_step"  # servers
    TROUBLE = "trouble"
    # the whole domain
    SHARED = "shared"  # domain, provider


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to say. A stranger's text in `places` is capped by whoever puts it there."""

    code: Code
    places: Mapping[str, str] = field(default_factory=dict)
