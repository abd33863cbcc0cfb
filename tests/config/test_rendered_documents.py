"""The example and the table of keys are what the settings say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from relayd.config import ConfigErrors, load, read
from relayd.core import phrases
from relayd.core.settings import NOT_BUILT, Model, Settings
from relayd.core.settings_schema import at, homes, slots

ROOT = Path(__file__).parent.parent.parent


def render() -> dict[Path, str]:
    spec = importlib.util.spec_from_file_location("render", ROOT / "docs" / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.rendered()
    assert isinstance(found, dict)
    return found


def test_what_is_rendered_is_current() -> None:
    """If this fails: python docs/render.py"""
    for path, content in render().items():
        assert path.read_text() == content, path


def test_the_example_loads(tmp_path: Path) -> None:
    settings = load(ROOT / "config.example.yaml", {})

    assert list(settings.senders) == ["acme"]


def test_the_example_has_every_key_and_all_of_them_can_be_used(tmp_path: Path) -> None:
    """With every key taken out of its comment, all that is left to say is about values that exclude each
    other, and about files that aren't there."""
    text = (ROOT / "config.example.yaml").read_text()
    path = tmp_path / "all.yaml"
    path.write_text(re.sub(r"^( *)#(?=[a-z-])", r"\1", text, flags=re.MULTILINE))

    with pytest.raises(ConfigErrors) as found:
        read(path, {})

    assert [f"{error.key}: {error.seen}" for error in found.value.errors] == [
        "listen[0]: both",
        "listen[0].tls.key: no file /var/lib/relayd/tls/key.pem",
        "logins[0]: no password",
        "http.tokens[0].token: a value (not shown)",
        "oauth.google: no client_secret",
    ]
    for name in keys(Settings):
        assert re.search(rf"^ *#?(- )?{name}:", text, re.MULTILINE), name


def keys(model: type[Model]) -> set[str]:
    found = set()
    for slot in slots(model).values():
        found |= {slot.name} | (keys(slot.model) if slot.model else set())
    return found


def test_every_key_says_what_for() -> None:
    def walk(model: type[Model]) -> None:
        for slot in slots(model).values():
            assert slot.info.description, slot.name
            if slot.model:
                walk(slot.model)

    walk(Settings)


def test_no_key_is_built_and_not_built() -> None:
    for key in NOT_BUILT:
        assert at(tuple(key.split("."))) is None, key


def test_a_senders_languages_are_those_that_we_have_texts_in() -> None:
    slot = at(("senders", "acme", "language"))
    assert slot is not None
    assert set(slot.kind.__args__) == set(phrases.LANGUAGES)


def test_a_key_is_found_where_it_belongs() -> None:
    assert list(homes("answer_within")) == ["delivery"]
