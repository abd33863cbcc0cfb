"""The test suite of RFC 7208, which pyspf's source package carries. It is fetched when the tests run, checked
against its hash, and kept in pytest's cache; it is never ours to commit."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from relayd.core.records import spf
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.records.spf import Answer, Client, Outcome, Question, Result, Type

pytestmark = pytest.mark.real

PACKAGE = "pyspf==2.0.14"
HASH = "sha256:57a7ef01bda090173aafb6af0106251686ed73f03db4e911fcd34c57fc347186"
SUITE = "pyspf-2.0.14/test/rfc7208-tests.yml"
CASES = 203

Zone = Mapping[str, list[tuple[str, Any]]]


@pytest.fixture(scope="module")
def suite(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> list[Mapping[str, Any]]:
    """Its scenarios. Skips where the package can't be had."""
    cache = getattr(pytestconfig, "cache", None)  # pytest can be told to keep none
    folder = Path(cache.mkdir("pyspf")) if cache else tmp_path_factory.mktemp("pyspf")
    archive = folder / "pyspf-2.0.14.tar.gz"
    if not archive.exists():
        wanted = folder / "requirements.txt"
        wanted.write_text(f"{PACKAGE} --hash={HASH}\n")
        pip = (sys.executable, "-m", "pip", "download", "--no-binary", "pyspf", "--no-deps", "--quiet")
        try:
            got = subprocess.run(
                [*pip, "--dest", str(folder), "--requirement", str(wanted)],
                capture_output=True,
                text=True,
                timeout=120,
            )
        except subprocess.TimeoutExpired:
            pytest.skip("the package index does not answer")
        if got.returncode:
            pytest.skip(f"pyspf's source can't be fetched: {got.stderr.strip()[-300:]}")
    with tarfile.open(archive) as sources:
        member = sources.extractfile(SUITE)
        assert member is not None
        return list(yaml.safe_load_all(member))


def zone(data: Mapping[str, list[Any]]) -> Zone:
    """The suite's zones: its records of type SPF are TXT records, unless the name has some of its own."""
    read = {}
    for name, records in data.items():
        entries = [entry for record in records for entry in entries_of(record)]
        has_txt = any(kind == "TXT" for kind, _ in entries)
        read[name.lower()] = [
            ("TXT" if kind == "SPF" and not has_txt else kind, value) for kind, value in entries
        ]
    return read


def entries_of(record: Any) -> Iterator[tuple[str, Any]]:
    if record == "TIMEOUT":
        yield "TIMEOUT", None
    else:
        yield from record.items()


def answer(records: Zone, question: Question, aliases: int = 8) -> Answer:
    name = question.name.lower().rstrip(".")
    if question.type is Type.PTR:
        name = ipaddress.ip_address(question.name).reverse_pointer
    entries = records.get(name)
    if entries is None:
        return Trouble(text="error") if name.startswith("error.") else Missing(domain=False, ttl=60)
    values = [value for kind, value in entries if kind == question.type.value and value != "NONE"]
    if "TIMEOUT" in values or (not values and ("TIMEOUT", None) in entries):
        return Trouble(text="timeout")
    alias = next((value for kind, value in entries if kind == "CNAME"), None)
    if not values and alias is not None and aliases:
        return answer(records, Question(question.type, alias), aliases - 1)
    if not values:
        return Missing(domain=True, ttl=60)
    match question.type:
        case Type.MX:
            return Found(records=tuple(Mx(number, host.lower()) for number, host in values), ttl=60)
        case Type.TXT:
            return Found(records=tuple(map(joined, values)), ttl=60)
        case _:
            return Found(records=tuple(values), ttl=60)


def joined(value: str | list[str]) -> str:
    """Octets as Latin-1, as `net.dns` gives them."""
    text = value if isinstance(value, str) else "".join(value)
    return text.encode().decode("latin-1")


def evaluated(records: Zone, case: Mapping[str, Any]) -> Result:
    receiver = case.get("receiver", "unknown")
    client = Client(ip=case["host"], sender=case["mailfrom"], helo=case["helo"], receiver=receiver)
    asking = spf.check(client)
    try:
        question = next(asking)
        while True:
            question = asking.send(answer(records, question))
    except StopIteration as ended:
        result: Result = ended.value
        return result


def test_every_case_comes_to_what_the_suite_says(suite: list[Mapping[str, Any]]) -> None:
    wrong, count = [], 0
    for scenario in suite:
        records = zone(scenario["zonedata"])
        for name, case in scenario["tests"].items():
            count += 1
            result = evaluated(records, case)
            allowed = case["result"] if isinstance(case["result"], list) else [case["result"]]
            explanation = result.explanation or ("DEFAULT" if result.outcome is Outcome.FAIL else None)
            if result.outcome not in allowed or case.get("explanation", explanation) != explanation:
                wrong.append((scenario["description"], name, allowed, result))
    assert wrong == []
    assert count == CASES
