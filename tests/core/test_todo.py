"""What a sender still has to do, over every state of its proofs and every wanted rung."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import phrases
from relayd.core.address import Address
from relayd.core.mail import IfUnproven, Proof, Rung
from relayd.core.phrases import todo as words
from relayd.core.policy import Plan, Platform, Proven
from relayd.core.reasons import Actor, Reason
from relayd.core.sender import Secret, Sender, Tls, Upstream
from relayd.core.todo import DnsRecord, Outlook, Publish, Task, Todo, outlook

PLATFORM = Platform(
    domain="my.platform.example",
    return_path="bounce.my.platform.example",
    selector="r1",
    send_unproven=False,
    smarthost=False,
)
PUBLISH = Publish(
    own=DnsRecord(type="TXT", name="r1._domainkey.acme.example", value="v=DKIM1; k=rsa; p=AAA"),
    platform=DnsRecord(type="TXT", name="r1._domainkey.my.platform.example", value="v=DKIM1; k=rsa; p=AAA"),
)
SERVER = Upstream(
    host="smtp.acme.example", port=587, tls=Tls.STARTTLS, username="billing", password=Secret("x")
)
SENDER = Sender(
    id="acme",
    name="ACME BV",
    contact=Address("billing", "acme.example"),
    confirmed=True,
    default_address=Address("acme", "my.platform.example"),
    send_as=Rung.DEFAULT,
    if_unproven=IfUnproven.DEFAULT,
    language="de",
    test=False,
)
ALL_PROVEN = Proven(platform_key=True, own_key=True)


def look(
    sender: Sender = SENDER, proven: Proven = ALL_PROVEN, publish: Publish = PUBLISH, **changes: object
) -> Outlook:
    return outlook(
        sender=replace(sender, **changes),  # type: ignore[arg-type]
        proven=proven,
        platform=PLATFORM,
        publish=publish,
    )


def tasks(found: Outlook) -> list[Task]:
    return [todo.task for todo in found.todo]


STATES = [
    (
        replace(SENDER, send_as=rung, if_unproven=if_unproven, confirmed=confirmed, upstream=upstream),
        Proven(platform_key=platform_key, own_key=own_key, own_spf=own_spf, login_refused=refused),
    )
    for rung, if_unproven, confirmed, upstream, platform_key, own_key, own_spf, refused in itertools.product(
        Rung,
        IfUnproven,
        (True, False),
        (None, SERVER, replace(SERVER, sealed=True)),
        (True, False),
        (True, False),
        (True, False),
        (None, Reason.AUTH_WRONG_PASSWORD),
    )
]


@pytest.mark.parametrize("send_unproven", [True, False])
def test_with_nothing_left_to_do_the_wanted_rung_is_reached_and_only_then(send_unproven: bool) -> None:
    platform = replace(PLATFORM, send_unproven=send_unproven)
    for sender, proven in STATES:
        found = outlook(sender=sender, proven=proven, platform=platform, publish=PUBLISH)

        plan = found.plan
        reached = isinstance(plan, Plan) and plan.rung is sender.send_as and plan.held is None
        if not found.todo:
            assert reached, (sender, proven)
        missing = set(tasks(found)) - {Task.PLATFORM_KEY}
        if sender.send_as is Rung.DEFAULT:
            missing.discard(Task.CONFIRM)
        if missing:
            assert not reached, (sender, proven, missing)


def test_each_thing_to_do_is_said_once_in_every_language_and_names_who_must_act() -> None:
    for sender, proven in STATES:
        found = look(sender, proven)

        assert len(set(tasks(found))) == len(found.todo)
        for todo in found.todo:
            assert isinstance(todo.actor, Actor)
            for language in phrases.LANGUAGES:
                said = words.text(todo, language)
                assert said.endswith(".")
                assert not re.search(r"[{}]", said)


def test_everything_that_is_missing_stands_in_the_order_in_which_it_is_done() -> None:
    nothing = Proven(platform_key=False, own_key=False)

    assert tasks(look(proven=nothing, confirmed=False)) == [Task.CONFIRM, Task.PLATFORM_KEY]
    assert tasks(look(proven=nothing, confirmed=False, send_as=Rung.OWN)) == [
        Task.CONFIRM,
        Task.PUBLISH,
        Task.PLATFORM_KEY,
    ]
    assert tasks(look(proven=nothing, confirmed=False, send_as=Rung.UPSTREAM)) == [
        Task.CONFIRM,
        Task.GIVE_UPSTREAM,
        Task.PLATFORM_KEY,
    ]


def test_what_the_platform_must_do_says_that_the_customer_needn_t() -> None:
    [todo] = look(proven=Proven(platform_key=False, own_key=False)).todo

    assert todo.actor is Actor.PLATFORM
    assert todo.record == PUBLISH.platform
    assert words.text(todo, "en").startswith("You needn't do anything")
    assert "r1._domainkey.my.platform.example" in words.text(todo, "de")


def test_the_record_to_publish_is_there_to_paste_and_named_in_the_sentence() -> None:
    [todo] = look(proven=Proven(platform_key=True, own_key=False), send_as=Rung.OWN).todo

    assert todo.task is Task.PUBLISH
    assert todo.actor is Actor.SENDER_IT
    assert todo.record == PUBLISH.own
    assert "r1._domainkey.acme.example" in words.text(todo, "nl")
    assert "include:" not in words.text(todo, "en")


def test_where_spf_proves_something_too_it_is_the_other_way_out() -> None:
    publish = replace(PUBLISH, spf_include="my.platform.example")
    [todo] = look(proven=Proven(platform_key=True, own_key=False), publish=publish, send_as=Rung.OWN).todo

    for language in phrases.LANGUAGES:
        assert "include:my.platform.example" in words.text(todo, language)


def test_what_spf_proves_needs_no_key() -> None:
    found = look(proven=Proven(platform_key=True, own_key=False, own_spf=True), send_as=Rung.OWN)

    assert found.todo == ()
    assert isinstance(found.plan, Plan)
    assert found.plan.proof is Proof.SPF


def test_an_unconfirmed_sender_is_told_what_comes_after_too() -> None:
    found = look(proven=Proven(platform_key=True, own_key=False), confirmed=False, send_as=Rung.OWN)

    assert tasks(found) == [Task.CONFIRM, Task.PUBLISH]
    assert isinstance(found.plan, Plan)
    assert found.plan.reason is Reason.SENDER_UNCONFIRMED


def test_nobody_is_asked_to_publish_records_in_a_domain_of_a_mail_provider() -> None:
    found = look(
        contact=Address("acme", "gmx.de"),
        send_as=Rung.OWN,
        proven=Proven(platform_key=True, own_key=False),
    )

    [todo] = found.todo
    assert todo.task is Task.SHARED_DOMAIN
    assert todo.link is not None
    assert todo.record is None
    assert "gmx.de" in words.text(todo, "fr")


def test_a_refused_login_says_why_what_to_do_and_where_it_is_described() -> None:
    google = replace(SERVER, host="smtp.gmail.com")
    proven = replace(ALL_PROVEN, login_refused=Reason.AUTH_APP_PASSWORD_NEEDED)

    [todo] = look(proven=proven, send_as=Rung.UPSTREAM, upstream=google).todo

    assert (todo.task, todo.reason, todo.actor) == (
        Task.LOGIN,
        Reason.AUTH_APP_PASSWORD_NEEDED,
        Actor.SENDER,
    )
    assert todo.link is not None
    assert "google" in todo.link
    said = words.text(todo, "de")
    assert "smtp.gmail.com" in said
    assert phrases.remedy(Reason.AUTH_APP_PASSWORD_NEEDED, "de") in said


@pytest.mark.parametrize(("oauth", "house"), [("microsoft", "Microsoft"), ("google", "Google")])
def test_who_has_to_sign_in_at_a_provider_is_told_where_and_as_whom(oauth: str, house: str) -> None:
    upstream = replace(SERVER, oauth=oauth, password=None)
    proven = replace(ALL_PROVEN, login_refused=Reason.AUTH_TOKEN_EXPIRED)

    [todo] = look(proven=proven, send_as=Rung.UPSTREAM, upstream=upstream).todo

    assert (todo.task, todo.actor) == (Task.SIGN_IN, Actor.SENDER)
    for language in phrases.LANGUAGES:
        assert house in words.text(todo, language)
        assert "billing" in words.text(todo, language)
    other = replace(ALL_PROVEN, login_refused=Reason.AUTH_TOO_MANY_ATTEMPTS)
    assert tasks(look(proven=other, send_as=Rung.UPSTREAM, upstream=upstream)) == [Task.LOGIN]


def test_a_sealed_password_is_not_the_customer_s_to_do() -> None:
    [todo] = look(send_as=Rung.UPSTREAM, upstream=replace(SERVER, sealed=True)).todo

    assert (todo.task, todo.actor) == (Task.UNSEAL, Actor.PLATFORM)


def test_who_has_no_server_yet_is_led_to_the_provider_s_page_where_there_is_one() -> None:
    [unknown] = look(send_as=Rung.UPSTREAM).todo
    [known] = look(send_as=Rung.UPSTREAM, contact=Address("acme", "gmail.com")).todo

    assert unknown.link is None
    assert known.link is not None


@given(st.text(max_size=50))
def test_what_a_place_holds_is_never_searched_for_places(text: str) -> None:
    todo = Todo(task=Task.CONFIRM, places={"address": "{host}" + text})

    assert "{host}" + text in words.text(todo, "en")


@pytest.mark.parametrize("task", [*Task, "publish.or_spf"])
def test_every_task_has_its_words_in_every_language_with_the_same_places(task: str) -> None:
    said = words.TEXTS[task]

    assert tuple(said) == phrases.LANGUAGES
    assert len({frozenset(re.findall(r"\{(\w+)\}", text)) for text in said.values()}) == 1
