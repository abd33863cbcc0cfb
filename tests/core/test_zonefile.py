from __future__ import annotations

import dns.rdata
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.records import zonefile


def test_a_record_is_ready_to_paste() -> None:
    assert zonefile.line("a.example", "CNAME", "b.example") == "a.example. IN CNAME b.example."
    assert zonefile.line("a.example", "TXT", "v=x") == 'a.example. IN TXT ( "v=x" )'


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=900))
def test_a_text_comes_back_whole_from_a_zone_file(text: str) -> None:
    value = zonefile.line("a.example", "TXT", text).partition("TXT ( ")[2].removesuffix(" )")
    strings = dns.rdata.from_text("IN", "TXT", value).strings  # type: ignore[attr-defined]
    assert b"".join(strings).decode() == text
    assert all(len(string) <= 255 for string in strings)
