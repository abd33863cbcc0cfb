"""The table of mail providers, row by row, and how it is looked up."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import mailproviders
from relayd.core.address import parse_domain
from relayd.core.mailproviders import TABLE, MailProvider, words
from relayd.core.mailproviders.provider import FromRule, Step, Username
from relayd.core.phrases import LANGUAGES
from relayd.core.providers import recognise
from relayd.core.sender import Tls

MECHANISMS = {"PLAIN", "LOGIN", "XOAUTH2"}
PORTS = {Tls.IMPLICIT: {465, 587}, Tls.STARTTLS: {587, 2525}}


def test_there_are_enough_of_them() -> None:
    assert len(TABLE) >= 60


def test_a_row_is_whole(subtests: pytest.Subtests) -> None:
    for row in TABLE:
        with subtests.test(row.id):
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.id)
            assert row.name.strip() == row.name != ""
            assert row.mechanisms
            assert set(row.mechanisms) <= MECHANISMS
            assert row.oauth in (None, "microsoft", "google")
            assert (row.oauth is not None) == ("XOAUTH2" in row.mechanisms)
            assert (row.fixed_username is not None) == (row.username is Username.FIXED)


def test_its_servers_are_servers_for_mail_from_programs(subtests: pytest.Subtests) -> None:
    for row in TABLE:
        with subtests.test(row.id):
            refuses = any(need.step is Step.NO_PROGRAMS for need in row.needs)
            assert bool(row.servers) != refuses
            assert len(set(row.servers)) == len(row.servers)
            for server in row.servers:
                assert server.host == "{mx}" or parse_domain(server.host) == server.host
                assert server.port in PORTS[server.tls]


def test_its_names_are_names(subtests: pytest.Subtests) -> None:
    for row in TABLE:
        with subtests.test(row.id):
            for name in (*row.domains, *row.mx):
                assert parse_domain(name) == name


def test_its_links_are_pages(subtests: pytest.Subtests) -> None:
    for row in TABLE:
        with subtests.test(row.id):
            for link in (row.source, *(need.link for need in row.needs)):
                parts = urlsplit(link)
                assert parts.scheme == "https"
                assert parts.hostname
                assert "." in parts.hostname
                assert " " not in link


def test_its_servers_are_known_to_be_of_its_house(subtests: pytest.Subtests) -> None:
    """What reads the replies and what knows the settings say the same of a server."""
    for row in TABLE:
        with subtests.test(row.id):
            for host in (*row.mx, *(server.host for server in row.servers)):
                assert recognise(host) is row.family, host


def test_what_it_limits_is_a_number_above_zero(subtests: pytest.Subtests) -> None:
    for row in TABLE:
        with subtests.test(row.id):
            limits = row.limits
            for field in type(limits).__slots__:
                value = getattr(limits, field)
                assert value is None or value > 0


def test_what_it_asks_for_is_said_in_each_language(subtests: pytest.Subtests) -> None:
    for row, language in product(TABLE, LANGUAGES):
        with subtests.test(row.id, language=language):
            said = words.steps(row, language)
            assert [one.link for one in said] == [need.link for need in row.needs]
            for text in (
                *(one.text for one in said),
                words.username(row, language),
                words.from_rule(row, language),
            ):
                assert text is None or not re.search(r"[{}]|  ", text)


def test_no_id_and_no_domain_and_no_mx_is_there_twice() -> None:
    for names in (
        [row.id for row in TABLE],
        [domain for row in TABLE for domain in row.domains],
        [suffix for row in TABLE for suffix in row.mx],
    ):
        assert [name for name, times in Counter(names).items() if times > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_is_there_and_ends_as_a_sentence(language: str) -> None:
    for step in Step:
        assert words.STEPS[step][language].endswith(".")
    for rule in set(FromRule) - {FromRule.UNKNOWN}:
        assert words.FROM_RULES[rule][language].endswith(".")
    for form in Username:
        assert words.USERNAMES[form][language]


def test_nothing_is_said_of_a_rule_that_nobody_knows() -> None:
    (scarlet,) = (row for row in TABLE if row.id == "scarlet")
    assert words.from_rule(scarlet, "en") is None


# --- looking up ---


def id_of(row: MailProvider | None) -> str | None:
    return row and row.id


@pytest.mark.parametrize(
    ("domain", "id"),
    [
        ("gmx.de", "gmx"),
        ("gmail.com", "gmail"),
        ("hotmail.fr", "outlook"),
        ("acme.onmicrosoft.com", "microsoft-365"),
        ("notgmx.de", None),
        ("sub.gmx.de", None),
        ("acme.example", None),
    ],
)
def test_addresses_of_a_provider_are_known_by_their_domain(domain: str, id: str | None) -> None:
    assert id_of(mailproviders.of_domain(domain)) == id


@pytest.mark.parametrize(
    ("mx", "id"),
    [
        ("acme-com.mail.protection.outlook.com", "microsoft-365"),
        ("acme-com.o-v1.mx.microsoft", "microsoft-365"),
        ("hotmail-com.olc.protection.outlook.com", "outlook"),
        ("ASPMX.L.GOOGLE.COM.", "google-workspace"),
        ("alt1.aspmx.l.google.com", "google-workspace"),
        ("aspmx2.googlemail.com", "google-workspace"),
        ("mx00.kundenserver.de", "ionos-de"),
        ("mx01.ionos.fr", "ionos-fr"),
        ("smtpin.rzone.de", "strato"),
        ("mx1.mail.ovh.net", "ovh"),
        ("mta-gw.infomaniak.ch", "infomaniak"),
        ("mx.mailprotect.be", "combell"),
        ("mx1.transip.email", "transip"),
        ("mail.protonmail.ch", "proton"),
        ("mx.zoho.eu", "zoho-eu"),
        ("mx2.zoho.com.au", "zoho-au"),
        ("in1-smtp.messagingengine.com", "fastmail"),
        ("w0123456.kasserver.com", "all-inkl"),
        ("mail.acme.example", None),
        ("notgoogle.com", None),
        ("", None),
    ],
)
def test_the_provider_of_a_domain_is_known_by_its_mx(mx: str, id: str | None) -> None:
    assert id_of(mailproviders.of_mx(mx)) == id


@pytest.mark.parametrize(
    ("host", "id"),
    [
        ("smtp.gmail.com", "gmail"),
        ("SMTP.Office365.com.", "microsoft-365"),
        ("email-smtp.eu-west-1.amazonaws.com", "amazon-ses"),
        ("smtp.eu.mailgun.org", "mailgun-eu"),
        ("w0123456.kasserver.com", "all-inkl"),
        ("mx00.kundenserver.de", None),
        ("smtp.acme.example", None),
    ],
)
def test_a_server_that_somebody_entered_is_known(host: str, id: str | None) -> None:
    assert id_of(mailproviders.of_server(host)) == id


@pytest.mark.parametrize(
    ("record", "id"),
    [
        ("v=spf1 include:_spf.google.com ~all", "google-workspace"),
        ("v=spf1 ip4:192.0.2.1 +include:SPF.protection.outlook.com -all", "microsoft-365"),
        ("v=spf1 include:spf.infomaniak.ch include:_spf.google.com -all", "infomaniak"),
        ("v=spf1 exp=include:_spf.google.com -all", None),
        ("v=spf1 -all", None),
        ("", None),
    ],
)
def test_an_spf_record_says_who_sends_for_a_domain(record: str, id: str | None) -> None:
    assert id_of(mailproviders.of_spf(record)) == id


def test_a_row_is_found_by_its_id() -> None:
    assert id_of(mailproviders.get("gmx")) == "gmx"
    assert mailproviders.get("nobody") is None


@given(st.text(max_size=300) | st.from_regex(r"[a-z0-9.-]{0,80}", fullmatch=True))
def test_any_name_can_be_looked_up(name: str) -> None:
    for row in (mailproviders.of_domain(name), mailproviders.of_mx(name), mailproviders.of_server(name)):
        assert row is None or row in TABLE


@given(
    st.sampled_from([(row, end) for row in TABLE for end in row.mx]),
    st.from_regex(r"[a-z]{1,9}", fullmatch=True),
)
def test_an_mx_belongs_to_a_provider_at_whole_labels_only(
    known: tuple[MailProvider, str], label: str
) -> None:
    row, end = known
    assert mailproviders.of_mx(f"{label}.{end}") is row
    assert mailproviders.of_mx(f"{label}{end}") is not row
