"""The commands without a daemon: help, exit codes, what they read and print."""

from __future__ import annotations

import itertools
import json
import os
import pty
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from relayd.cli import check_config
from relayd.cli.lines import event_lines
from relayd.cli.places import Tcp, places
from relayd.cli.reference import commands
from relayd.cli.root import relayd

ALL = list(commands(relayd, click.Context(relayd, info_name="relayd")))
NAMES = [context.command_path.split()[1:] for _, context in ALL]

CONFIG = """\
hostname: relay.example.net
state_dir: {folder}
platform:
  domain: my.platform.example
  name: Platform
  dkim: {{selector: r1, key_file: keys/r1.pem}}
senders:
  acme: {{name: ACME BV, address: billing@acme.example}}
"""


def run(*words: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(relayd, [str(word) for word in words], input=stdin)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "relayd.yaml"
    path.write_text(CONFIG.format(folder=tmp_path))
    return path


# --- what all have in common ---


GROUPS = [["queue"], ["dkim"], ["sender"]]


@pytest.mark.parametrize("name", [*NAMES, *GROUPS], ids=" ".join)
def test_help_shows_examples(name: list[str]) -> None:
    result = run(*name, "--help")

    assert result.exit_code == 0
    _, title, examples = re.split(r"^ *(Examples?:)$", result.output, maxsplit=1, flags=re.MULTILINE)
    lines = list(itertools.takewhile(str.strip, examples.strip("\n").splitlines()))
    assert title == ("Example:" if len(lines) == 1 else "Examples:")
    assert all(f"relayd {' '.join(name)}" in line for line in lines)


@pytest.mark.parametrize("group", [[], *GROUPS], ids=" ".join)
def test_the_list_of_commands_is_cut_nowhere(group: list[str]) -> None:
    shown = CliRunner().invoke(relayd, [*group, "--help"], terminal_width=80).output

    assert "..." not in shown.partition("Commands:")[2]


def test_help_fits_a_terminal() -> None:
    for name in ([], *NAMES, *GROUPS):
        shown = CliRunner().invoke(relayd, [*name, "--help"], terminal_width=100).output
        assert [line for line in shown.splitlines() if len(line) > 100] == [], name


@pytest.mark.parametrize(("command", "context"), ALL, ids=[" ".join(name) for name in NAMES])
def test_what_talks_to_the_daemon_or_reads_the_config_takes_c(
    command: click.Command, context: click.Context
) -> None:
    without = {
        "relayd demo",
        "relayd explain",
        "relayd completion",
        "relayd sendmail",
    }  # sendmail reads its own
    options = {name for option in command.params for name in option.opts}

    assert ("-c" in options) == (context.command_path not in without)


@pytest.mark.parametrize(
    "words", [["nothing"], ["status", "--wrong"], ["queue", "lose"], ["explain"], ["log", "-n", "many"]]
)
def test_wrong_arguments_exit_with_64(words: list[str]) -> None:
    assert run(*words).exit_code == 64


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["status", "INV-1"],
        ["log"],
        ["log", "--follow"],
        ["queue", "list"],
        ["queue", "show", "A" * 26],
        ["queue", "release", "--all"],
        ["backup", "/nonexistent/x"],
        ["send-test", "anna@example.com"],
    ],
)
def test_without_a_daemon_they_exit_with_69_and_say_how_to_start_it(words: list[str], config: Path) -> None:
    result = run(*words, "-c", config)

    assert result.exit_code == 69
    assert "the daemon is not running" in result.output
    assert f"{config.parent}/api.sock" in result.output
    assert "systemctl start relayd" in result.output


def test_arguments_that_are_no_text_are_refused() -> None:
    for words in ([b"status", b"\xff"], [b"sendmail", b"-F", b"M\xfcller", b"a@b.example"]):
        done = subprocess.run([sys.executable, "-m", "relayd", *words], capture_output=True, check=False)
        assert (done.returncode, b"is not UTF-8" in done.stderr) == (64, True), done.stderr


def test_without_a_config_they_say_so(tmp_path: Path) -> None:
    assert f"there is no {tmp_path}/none.yaml" in run("status", "-c", tmp_path / "none.yaml").output


def test_help_loads_none_of_the_large_libraries() -> None:
    """Shell completion and cron start the command often; pydantic and cryptography take their time."""
    code = (
        "import sys; from relayd.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('pydantic', 'cryptography', 'apsw', 'starlette', 'dns', 'yaml', 'asyncio')"
        " if name in sys.modules])"
    )
    for words in (["explain", "--help"], ["status", "--help"], ["--version"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_handing_in_a_mail_does_not_wait_for_the_models_of_the_config(config: Path) -> None:
    code = (
        "import sys; from relayd.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('pydantic' in sys.modules, 'cryptography' in sys.modules)"
    )
    for words in (["sendmail", "x@example.com"], ["status"]):
        command = [sys.executable, "-c", code, *words, "-c", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, input="From: a@b.example\n\nhi\n")
        assert done.stdout.splitlines()[-1] == "False False", done.stderr


# --- where the daemon is ---


def test_sockets_and_the_status_log_are_found_in_a_config_with_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "relayd.yaml"
    path.write_text(
        "foo: 1\nstate_dir: /srv/relayd\nhttp: {socket: /run/x/api.sock}\nlisten:\n"
        "  - {address: 0.0.0.0, port: 587}\n  - {path: smtp.sock}\n  - 7\n  - {address: 1, port: x}\n"
    )

    found = places(path, {})

    assert found.api == (Path("/run/x/api.sock"),)
    assert found.status_log == (Path("/srv/relayd/status.jsonl"), Path("/var/log/relayd/status.jsonl"))
    assert found.smtp == (Path("/srv/relayd/smtp.sock"), Path("/run/relayd/smtp.sock"), Tcp("127.0.0.1", 587))


@pytest.mark.parametrize("content", [b"", b"- x", b"a: [", b"\xff"])
def test_without_a_readable_config_the_usual_places_are_tried(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "relayd.yaml"
    path.write_bytes(content)

    for each in (path, tmp_path / "none.yaml"):
        found = places(each, {"RELAYD_STATUS_LOG": "/x/y"})
        assert found.api == (Path("/var/lib/relayd/api.sock"), Path("/run/relayd/api.sock"))
        assert found.status_log == (Path("/x/y"),)
        assert found.smtp == (Path("/run/relayd/smtp.sock"), Tcp("127.0.0.1", 2525))


# --- log ---


def test_log_reads_the_file_when_no_daemon_runs(config: Path) -> None:
    def line(seq: int, **more: Any) -> str:
        event = {
            "seq": seq,
            "time": "2030-01-31T12:00:00.000Z",
            "type": "failed",
            "message": "A" * 26,
            **more,
        }
        return json.dumps(event) + "\n"

    (config.parent / "status.jsonl").write_text(
        "torn}\n"
        + line(1, status="not_sent", ref="INV-1", text={"en": "No.", "de": "Nein."}, remedy={"en": "Do."})
        + line(2, type="delivered", status="sent", ref="INV-2", text={"en": "Yes."})
        + '{"seq":3'
    )

    assert run("log", "-c", config).output.splitlines() == [
        f"2030-01-31 12:00:00 UTC  failed     {'A' * 26}  INV-1  No.",
        "  Do.",
        f"2030-01-31 12:00:00 UTC  delivered  {'A' * 26}  INV-2  Yes.",
    ]
    assert "Nein." in run("log", "-c", config, "--lang", "de").output
    assert json.loads(run("log", "-c", config, "--json", "-n", "1").output)["seq"] == 2
    assert json.loads(run("log", "-c", config, "--json", "--status", "not_sent").output)["seq"] == 1


def test_log_says_what_somebody_has_to_do() -> None:
    refused = {
        "time": "2030-01-31T13:00:00.999+01:00",
        "type": "refused",
        "status": "not_sent",
        "recipient": "anna@missing.example",
        "code": 550,
        "enhanced": "5.1.2",
        "text": {"en": "Not accepted: no such domain."},
        "remedy": {"en": "Check it."},
        "detail": {"answer": "missing.example does not exist"},
    }
    held = {
        "time": "2030-01-31T12:00:00Z",
        "type": "held",
        "status": "held",
        "text": {"en": "x"},
        "remedy": {"en": "Do."},
    }

    assert [click.unstyle(line) for line in event_lines(refused, "en")] == [
        "2030-01-31 12:00:00 UTC  refused    anna@missing.example  Not accepted: no such domain.",
        "  the app was told: 550 5.1.2 missing.example does not exist",
        "  Check it.",
    ]
    assert list(event_lines(held, "fr"))[1] == "  Do."
    assert len(list(event_lines({**held, "type": "deferred", "status": "delayed"}, "en"))) == 1


# --- explain ---


def test_explain_says_what_a_reply_means() -> None:
    result = run("explain", "550 5.1.1 user unknown")

    assert result.exit_code == 0
    assert result.output.splitlines()[0] == "failed  recipient.unknown"
    assert "who must act: the customer who sends" in result.output


def test_explain_knows_role_host_and_language_and_reads_stdin() -> None:
    words = ["explain", "--role", "upstream", "--host", "smtp.gmail.com", "--lang", "de", "--json", "-"]

    found = json.loads(run(*words, stdin="535-5.7.8 Username and Password not accepted.\n").output)

    assert (found["reason"], found["provider"]) == ("auth.wrong_password", "google")
    assert found["stage"] == "auth"


def test_explain_reads_old_bounces_in_any_encoding() -> None:
    result = CliRunner().invoke(
        relayd, ["explain", "-"], input=b"550 5.1.1 Empf\xe4nger unbekannt, user unknown\n"
    )

    assert "recipient.unknown" in result.output


@pytest.mark.parametrize("words", [["hello"], ["550 x", "--stage", "lunch"]])
def test_explain_refuses_what_it_does_not_understand(words: list[str]) -> None:
    result = run("explain", *words)

    assert result.exit_code == 64
    assert "expected" in result.output


# --- dkim new ---


def test_dkim_new_makes_the_key_and_prints_the_records(config: Path) -> None:
    result = CliRunner().invoke(relayd, ["dkim", "new", "-c", str(config)])

    assert result.exit_code == 0
    key = config.parent / "keys" / "r1.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    load_pem_private_key(key.read_bytes(), None)
    records = [line for line in result.stdout.splitlines() if " IN TXT " in line]
    assert [record.split()[0] for record in records] == [
        "r1._domainkey.my.platform.example.",
        "r1._domainkey.acme.example.",
    ]
    assert all(len(part) <= 255 for record in records for part in record.split('"')[1::2])
    assert "r1._domainkey.acme.example. IN CNAME r1._domainkey.my.platform.example." in result.stdout
    assert "PRIVATE" not in result.output


def test_dkim_new_refuses_a_selector_that_is_no_name(config: Path) -> None:
    result = run("dkim", "new", "-c", config, "--selector", "bad selector!")

    assert result.exit_code == 64
    assert "lower-case letters" in result.output
    assert not (config.parent / "keys").exists()


def test_dkim_new_never_overwrites_a_key(config: Path) -> None:
    first = json.loads(run("dkim", "new", "-c", config, "--json").stdout)
    key = (config.parent / "keys" / "r1.pem").read_bytes()

    again = json.loads(run("dkim", "new", "-c", config, "--json").stdout)
    other = run("dkim", "new", "-c", config, "--out", config.parent / "keys" / "r1.pem")
    new = run("dkim", "new", "-c", config, "--out", config.parent / "r2.pem", "--selector", "r2", "--json")

    assert (first["made"], again["made"]) == (True, False)
    assert first["records"] == again["records"]
    assert (config.parent / "keys" / "r1.pem").read_bytes() == key
    assert other.exit_code == 73
    assert json.loads(new.stdout)["records"][0]["name"] == "r2._domainkey.my.platform.example"
    assert json.loads(new.stdout)["records"][0]["text"] != first["records"][0]["text"]


def test_dkim_new_says_when_a_key_can_not_be_written_or_read(config: Path) -> None:
    (config.parent / "keys").mkdir()
    (config.parent / "keys" / "r1.pem").touch(mode=0o600)

    assert run("dkim", "new", "-c", config).exit_code == 78
    assert run("dkim", "new", "-c", config, "--out", "/proc/nothing/r2.pem").exit_code == 73
    config.write_text("hostname: x\n")
    assert run("dkim", "new", "-c", config).exit_code == 78


# --- the rest ---


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str) -> None:
    result = run("completion", shell)

    assert result.exit_code == 0
    assert "_RELAYD_COMPLETE" in result.output


def test_completion_knows_the_commands() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "relayd")],
        capture_output=True,
        text=True,
        env={"_RELAYD_COMPLETE": "bash_complete", "COMP_WORDS": "relayd queue re", "COMP_CWORD": "2"},
    )

    assert sorted(done.stdout.split()) == ["plain,release", "plain,retry"]


def test_check_config_says_that_a_config_is_good(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What it asks DNS has its own tests; here nobody would answer.
    monkeypatch.setattr(check_config, "_return_path", lambda *_: ())

    result = run("check-config", "-c", config)
    as_json = run("check-config", "-c", config, "--json")

    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == f"{config}: good"
    assert json.loads(as_json.output)["ok"] is True
    assert run("check-config", "-c", config, "--set", "delivery.parallel=many").exit_code == 78


def test_run_takes_its_flags_into_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP reads file and environment again; what was said on the command line must still hold."""
    from relayd import app

    monkeypatch.setenv("RELAYD_LOG__LEVEL", "info")
    seen: list[Callable[[], str]] = []

    def running(settings: Any, path: Path, *_: Any) -> int:
        from relayd.config import load

        assert load(path).log.level == settings.log.level == "debug"
        seen.append(lambda: "ran")
        return 75

    monkeypatch.setattr(app, "run", running)

    assert run("run", "-c", config, "--set", "log.level=debug").exit_code == 75
    assert seen


def test_colours_are_for_terminals(config: Path) -> None:
    command = [sys.executable, "-m", "relayd", "explain", "550 5.1.1 user unknown"]
    piped = subprocess.run(command, capture_output=True, check=True).stdout
    here, there = pty.openpty()
    subprocess.run(command, stdout=there, check=True, env={**os.environ, "TERM": "xterm"})
    os.close(there)
    shown = os.read(here, 65536)
    os.close(here)

    assert b"\x1b[" not in piped
    assert b"\x1b[31m" in shown
