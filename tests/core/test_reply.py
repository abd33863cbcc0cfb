"""What strangers say: made safe, taken apart, and read when a person pastes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.reply import CAP, Stage, clean, parse_line, reply, split_enhanced


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("OK", "OK"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;your terminal\x07owned", "owned"),
        ("\x9b2Jcleared", "cleared"),
        ("\x1bcreset", "reset"),
        ("ends in escape\x1b", "ends in escape"),
        ("bell\x07 and\x00 nul", "bell and nul"),
        ("turned \u202egnuor\u202c", "turned gnuor"),
        ("spam\u200bhaus", "spamhaus"),
        ("first\r\n\r\n  second  \n", "first\nsecond"),
        ("line\u2028separator", "line separator"),
        ("Postfach voll: Käse", "Postfach voll: Käse"),
        ("half a surrogate \ud800", "half a surrogate"),
        ("", ""),
    ],
)
def test_only_what_can_be_shown_is_kept(said: str, kept: str) -> None:
    assert clean(said) == kept


def test_a_long_text_keeps_its_beginning_and_its_decisive_end() -> None:
    kept = clean("first " + "x" * 5000 + "\nlast line decides")

    assert len(kept) == CAP
    assert kept.startswith("first x")
    assert kept.endswith("x\nlast line decides")


@given(st.text(st.characters() | st.sampled_from("\x1b[]\x07\n\r\x9b"), max_size=2000))
def test_whatever_is_said_comes_out_printable_and_capped(said: str) -> None:
    kept = clean(said)

    assert len(kept) <= CAP
    assert all(line.isprintable() for line in kept.split("\n"))
    assert clean(kept) == kept


@pytest.mark.parametrize(
    ("code", "said", "enhanced", "text"),
    [
        (550, "5.1.1 no such user", "5.1.1", "no such user"),
        (550, "5.1.1 a\n5.1.1 b", "5.1.1", "a\nb"),
        (550, "no such user", None, "no such user"),
        (450, "5.1.1 the class disagrees", None, "5.1.1 the class disagrees"),
        (550, "#5.1.0 Address rejected.", "5.1.0", "Address rejected."),
        (550, "5.7.1: blocked", "5.7.1", "blocked"),
        (550, "5.7.1 - blocked", "5.7.1", "- blocked"),
        (550, "5.1.1", "5.1.1", ""),
        (550, "5.7.606 banned", "5.7.606", "banned"),
        (550, "5.07.01 zeros in front", "5.7.1", "zeros in front"),
        (550, "no mailbox here by that name. (#5.1.1)", "5.1.1", "no mailbox here by that name. (#5.1.1)"),
        (450, "no (#5.1.1)", None, "no (#5.1.1)"),
        (550, "5.1.1.1 is an address", None, "5.1.1.1 is an address"),
        (550, "hello\n5.1.1 second line has it", "5.1.1", "hello\nsecond line has it"),
    ],
)  # fmt: skip
def test_the_enhanced_code_is_taken_off_each_line(
    code: int, said: str, enhanced: str | None, text: str
) -> None:
    assert split_enhanced(code, said) == (enhanced, text)


@given(st.integers(200, 599), st.text())
def test_splitting_loses_no_words(code: int, said: str) -> None:
    enhanced, text = split_enhanced(code, said)

    assert enhanced is None or int(enhanced[0]) == code // 100
    assert len(text) <= len(said)


def test_a_reply_is_cleaned_and_split() -> None:
    heard = reply(550, "5.1.1 no\x07 such user", stage=Stage.RCPT, host="mx.example.org")

    assert (heard.enhanced, heard.text, heard.stage) == ("5.1.1", "no such user", Stage.RCPT)


@pytest.mark.parametrize(
    ("pasted", "code", "enhanced", "text", "stage", "host"),
    [
        ("550 5.1.1 no such user", 550, "5.1.1", "no such user", Stage.RCPT, ""),
        ("550-5.1.1 a\n550-5.1.1 b\n550 5.1.1 c", 550, "5.1.1", "a\nb\nc", Stage.RCPT, ""),
        # a log that put the lines on one
        ("550-5.1.1 a 550-5.1.1 b 550 5.1.1 c", 550, "5.1.1", "a\nb\nc", Stage.RCPT, ""),
        (
            "<ghost@example.org>: host mx.example.org[192.0.2.25] said: 554 5.7.1 Relay access denied (in "
            "reply to RCPT TO command)",
            554, "5.7.1", "Relay access denied", Stage.RCPT, "mx.example.org",
        ),
        (
            "host MX.example.org said: 451 4.3.0 error (in reply to end of DATA command)",
            451, "4.3.0", "error", Stage.END, "mx.example.org",
        ),
        (
            "SMTP error from remote mail server after RCPT TO:<g@example.org>: host mx.example.org "
            "[192.0.2.25]: 550 5.1.1 User unknown",
            550, "5.1.1", "User unknown", Stage.RCPT, "mx.example.org",
        ),
        (
            "SMTP error after pipelined end of data: host mx.example.org [192.0.2.25]: 550 spam detected",
            550, None, "spam detected", Stage.END, "mx.example.org",
        ),
        ("Diagnostic-Code: smtp; 550-5.1.1 a\n 550 5.1.1 b", 550, "5.1.1", "a\nb", Stage.RCPT, ""),
        ("smtp.example.org:587 answered 535 5.7.8 no", 535, "5.7.8", "no", Stage.AUTH, ""),
        ("smtp.example.org:587 answered 535 no", 535, None, "no", Stage.AUTH, ""),
        ("error:550 no", 550, None, "no", Stage.RCPT, ""),
        ("550-hello\n550 5.1.1 no such user", 550, "5.1.1", "hello\nno such user", Stage.RCPT, ""),
        ("said: 550 no (in reply to NONSENSE command)", 550, None, "no", Stage.RCPT, ""),
        ("535-5.7.8 a\r\n535 5.7.8 b", 535, "5.7.8", "a\nb", Stage.AUTH, ""),
        ("The error was: 421", 421, None, "", Stage.END, ""),
        ("250 2.0.0 OK queued", 250, "2.0.0", "OK queued", Stage.END, ""),
        ("mx1 192.0.2.250 answered 550 no", 550, None, "no", Stage.RCPT, ""),
        # the code of another paste within the words is not taken for the start of a line
        ("550 try port 587 or 550 again", 550, None, "try port 587 or 550 again", Stage.RCPT, ""),
    ],
)  # fmt: skip
def test_what_people_paste_is_read(
    pasted: str, code: int, enhanced: str | None, text: str, stage: Stage, host: str
) -> None:
    read = parse_line(pasted)

    assert (read.code, read.enhanced, read.text, read.stage, read.host) == (code, enhanced, text, stage, host)


def test_a_given_stage_and_host_go_before_what_is_found() -> None:
    read = parse_line("host a.example said: 550 no (in reply to RCPT TO command)", stage=Stage.END, host="b")

    assert (read.stage, read.host) == (Stage.END, "b")


def test_text_without_a_reply_code_says_what_is_expected() -> None:
    with pytest.raises(ValueError, match=r'no reply code in "hello": expected a line such as "550 5\.1\.1'):
        parse_line("hello")


@given(st.text())
def test_reading_raises_nothing_but_value_error(pasted: str) -> None:
    try:
        read = parse_line(pasted)
    except ValueError:
        return
    assert 200 <= read.code <= 599
