"""What a good config becomes: precedence, paths, secrets, warnings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from relayd.config import Config, ConfigErrors, load, read, variable
from relayd.core.address import Address
from relayd.core.mail import Rung
from relayd.core.sender import Secret

MINIMAL = """\
hostname: relay.example.net
platform:
  domain: my.platform.example
  name: Platform
  dkim: {selector: r1, key_file: keys/r1.pem}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "relayd.yaml"
    path.write_text(MINIMAL)
    return path


def with_text(path: Path, more: str) -> Path:
    path.write_text(MINIMAL + more)
    return path


def secret_file(path: Path, text: str = "hunter2\n", mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def errors(path: Path, environ: Mapping[str, str] | None = None, flags: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(ConfigErrors) as found:
        read(path, environ or {}, flags)
    return [str(error) for error in found.value.errors]


def warnings(config: Config) -> list[str]:
    return [f"{warning.key}: {warning.seen}" for warning in config.warnings]


# --- precedence ---


def test_a_flag_goes_before_the_environment_and_that_before_the_file(config: Path) -> None:
    with_text(config, "delivery: {answer_within: 1s, give_up_after: 1h, warn_after: 1m}\n")
    environ = {"RELAYD_DELIVERY__ANSWER_WITHIN": "2s", "RELAYD_DELIVERY__GIVE_UP_AFTER": "2h"}

    settings = load(config, environ, ["delivery.answer_within=3s"])

    assert settings.delivery.answer_within == timedelta(seconds=3)
    assert settings.delivery.give_up_after == timedelta(hours=2)
    assert settings.delivery.warn_after == timedelta(minutes=1)


def test_the_environment_takes_every_kind_of_value(config: Path) -> None:
    environ = {
        "RELAYD_HOSTNAME": "other.example.net",
        "RELAYD_DELIVERY__RETRY_AFTER": "[1m, 5m]",
        "RELAYD_DELIVERY__REQUIRE_TLS": "true",
        "RELAYD_DELIVERY__PARALLEL": "7",
        "RELAYD_LISTEN": "[{address: 127.0.0.1, port: 0}]",
        "RELAYD_PLATFORM__SMARTHOST__HOST": "smtp.hoster.example",
        "RELAYD_PLATFORM__SMARTHOST__USERNAME": "no",
        "RELAYD_PLATFORM__SMARTHOST__PASSWORD": "a: [b # c",
        "RELAYD_SENDERS__ACME__NAME": "ACME",
        "RELAYD_SENDERS__ACME__ADDRESS": "billing@acme.example",
        "RELAYD_CONFIG": "/somewhere/else.yaml",
        "RELAYD_STATUS_LOG": "",
        "HOME": "/root",
    }

    settings = load(config, environ)

    assert settings.hostname == "other.example.net"
    assert settings.delivery.retry_after == (timedelta(minutes=1), timedelta(minutes=5))
    assert settings.delivery.require_tls
    assert settings.delivery.parallel == 7
    assert settings.listen[0].port == 0
    assert settings.platform.smarthost is not None
    assert settings.platform.smarthost.username == "no"
    assert settings.platform.smarthost.password == Secret("a: [b # c")
    assert settings.senders["acme"].address == Address("billing", "acme.example")
    assert settings.status_log.endswith("status.jsonl")


def test_a_wrong_variable_is_named_as_the_place(config: Path) -> None:
    environ = {
        "RELAYD_DELIVERY__PARALLEL": "many",
        "RELAYD_DELIVERY__RETRY_AFTER": "[1m",
        "RELAYD_TLS__CA": "x",
    }

    assert errors(config, environ) == [
        "RELAYD_DELIVERY__RETRY_AFTER: delivery.retry_after: found YAML that can't be read: "
        "expected ',' or ']', but got '<stream end>' while parsing a flow sequence; "
        "expected `key: value`, indented by spaces",
        "RELAYD_TLS__CA: tls.ca: found an unknown key; expected ca_file",
        "RELAYD_DELIVERY__PARALLEL: delivery.parallel: found many; expected a whole number from 1 to 1000",
    ]


def test_a_variable_that_is_no_key_at_all_is_a_warning(config: Path) -> None:
    assert "hostnam: an unknown key" in warnings(read(config, {"RELAYD_HOSTNAM": "x"}))


def test_a_password_in_the_environment_replaces_a_file(config: Path) -> None:
    with_text(config, "  smarthost: {host: smtp.hoster.example, username: me, password_file: /nonexistent}\n")

    settings = load(config, {"RELAYD_PLATFORM__SMARTHOST__PASSWORD": "hunter2"})

    assert settings.platform.smarthost is not None
    assert settings.platform.smarthost.password == Secret("hunter2")


def test_a_flag_without_a_value_is_an_error(config: Path) -> None:
    assert errors(config, flags=("delivery.parallel",)) == [
        "--set: found delivery.parallel; expected KEY=VALUE, such as delivery.answer_within=0s"
    ]


def test_a_flag_has_a_variable_that_says_the_same(config: Path) -> None:
    """So that it still holds when the config is read again on SIGHUP."""
    name, value = variable("delivery.retry_after=[3m]")

    assert load(config, {name: value}) == load(config, {}, ["delivery.retry_after=[3m]"])


# --- paths ---


def test_relative_paths_start_in_the_state_folder(config: Path) -> None:
    with_text(config, "state_dir: /srv/relayd/\nlisten:\n  - {path: smtp.sock}\n")

    settings = load(config, {})

    assert settings.master_key_file == "/srv/relayd/master.key"
    assert settings.platform.dkim.key_file == "/srv/relayd/keys/r1.pem"
    assert settings.http.socket == "/srv/relayd/api.sock"
    assert settings.status_log == "/srv/relayd/status.jsonl"
    assert settings.listen[0].path == "/srv/relayd/smtp.sock"


def test_under_systemd_sockets_and_the_status_log_have_folders_of_their_own(config: Path) -> None:
    environ = {"RUNTIME_DIRECTORY": "/run/relayd", "LOGS_DIRECTORY": "/var/log/relayd:/var/log/other"}

    settings = load(config, environ)

    assert settings.http.socket == "/run/relayd/api.sock"
    assert settings.status_log == "/var/log/relayd/status.jsonl"
    assert settings.master_key_file == "/var/lib/relayd/master.key"


# --- secrets ---


def login(form: str) -> str:
    return f"logins:\n  - {{username: billing, {form}}}\n"


def test_a_password_comes_from_a_file_without_its_last_newline(config: Path) -> None:
    secret_file(config.parent / "password", " hunter2 \n")
    with_text(config, login("password_file: password") + f"state_dir: {config.parent}\n")

    assert load(config, {}).logins[0].password == Secret(" hunter2 ")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_password_file_that_others_may_read_is_refused_with_the_command_that_mends_it(
    config: Path, mode: int
) -> None:
    path = secret_file(config.parent / "password", mode=mode)

    assert errors(with_text(config, login(f"password_file: {path}"))) == [
        f"{config}:7: logins[0].password_file: found {path} with mode {mode:04o}; "
        f"expected a file that only its owner may read; run: chmod 600 {path}"
    ]


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b"", "which is empty"),
        (b"\n", "which is empty"),
        (b"caf\xe9\n", "which is not UTF-8"),
        (b"x" * 70_000, "with 70000 octets"),
    ],
)
def test_a_password_file_without_a_password_is_refused(config: Path, content: bytes, seen: str) -> None:
    path = secret_file(config.parent / "p")
    path.write_bytes(content)

    [error] = errors(with_text(config, login(f"password_file: {path}")))

    assert seen in error
    assert "a file with one password in it" in error


def test_a_password_in_a_file_is_checked_like_one_in_the_config(config: Path) -> None:
    path = secret_file(config.parent / "p", "canary\r\nsecond line\n")

    [error] = errors(with_text(config, login(f"password_file: {path}")))

    assert "without line breaks" in error
    assert "canary" not in error


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files to another user")
def test_root_is_told_of_a_secret_that_the_daemon_could_not_read(config: Path) -> None:
    """Root can read everything; what counts is who owns the state."""
    path = secret_file(config.parent / "password")
    with_text(config, login(f"password_file: {path}") + f"state_dir: {config.parent}/state\n")
    assert read(config, {}, service=False)  # nobody knows yet who will run it
    (config.parent / "state").mkdir()
    os.chown(config.parent / "state", 4711, 4711)

    with pytest.raises(ConfigErrors, match=rf"owned by user id 0; .*run: chown 4711 {path}"):
        read(config, {}, service=False)

    os.chown(path, 4711, 4711)
    assert read(config, {}, service=False)


def test_the_state_needs_a_folder(config: Path) -> None:
    taken = config.parent / "taken"
    taken.touch()

    assert errors(with_text(config, f"state_dir: {taken}\n")) == [
        f"{config}:6: state_dir: found {taken}, which is no folder; expected a folder, or a place for one"
    ]


def test_a_signing_key_that_others_may_read_is_refused(config: Path) -> None:
    (config.parent / "keys").mkdir()
    path = secret_file(config.parent / "keys" / "r1.pem", mode=0o644)

    assert errors(with_text(config, f"state_dir: {config.parent}\n")) == [
        f"{config}:5: platform.dkim.key_file: found {path} with mode 0644; "
        f"expected a file that only its owner may read; run: chmod 600 {path}"
    ]


def test_secrets_and_keys_come_as_credentials(config: Path, tmp_path: Path) -> None:
    """systemd's files have modes of their own (0440 with an ACL), which are none of our business."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    secret_file(credentials / "billing", mode=0o440)
    secret_file(credentials / "master", mode=0o440)
    secret_file(credentials / "dkim", mode=0o440)
    text = MINIMAL.replace("key_file: keys/r1.pem", "key_credential: dkim")
    config.write_text(text + login("password_credential: billing") + "master_key_credential: master\n")

    settings = load(config, {"CREDENTIALS_DIRECTORY": str(credentials)})

    assert settings.logins[0].password == Secret("hunter2")
    assert settings.master_key_file == str(credentials / "master")
    assert settings.platform.dkim.key_file == str(credentials / "dkim")


def test_a_credential_that_the_unit_does_not_give_is_an_error(config: Path, tmp_path: Path) -> None:
    with_text(config, login("password_credential: billing"))

    assert (
        "expected LoadCredential=billing:FILE in the unit"
        in errors(config, {"CREDENTIALS_DIRECTORY": str(tmp_path)})[0]
    )
    assert "expected to be started by systemd" in errors(config)[0]


def test_who_checks_a_config_by_hand_is_only_warned_about_credentials(config: Path) -> None:
    with_text(config, login("password_credential: billing"))

    found = read(config, {}, service=False)

    assert "logins[0].password_credential: no $CREDENTIALS_DIRECTORY for billing" in warnings(found)


def test_no_secret_shows_in_the_settings(config: Path) -> None:
    with_text(config, login("password: canary-1") + "  # end\n")

    settings = load(config, {})

    assert "canary" not in repr(settings) + str(settings.model_dump()) + settings.model_dump_json()


# --- certificates ---


def test_a_certificate_and_its_key_are_tried(config: Path) -> None:
    folder = config.parent
    ca = trustme.CA()
    issued, other = ca.issue_cert("relay.example.net"), ca.issue_cert("relay.example.net")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    for name, each in (("key.pem", issued), ("other.pem", other)):
        each.private_key_pem.write_to_path(folder / name)
        (folder / name).chmod(0o600)
    ca.cert_pem.write_to_path(folder / "roots.pem")

    def listening(certificate: str, key: str) -> Path:
        tls = f"{{certificate: {certificate}, key: {key}}}"
        return with_text(
            config,
            f"state_dir: {folder}\nlisten:\n  - {{address: 127.0.0.1, port: 2525, tls: {tls}}}\n"
            "tls: {ca_file: roots.pem}\n",
        )

    assert load(listening("cert.pem", "key.pem"), {}).tls.ca_file == str(folder / "roots.pem")
    assert "key values mismatch" in errors(listening("cert.pem", "other.pem"))[0]
    assert "No such file" in errors(listening("none.pem", "key.pem"))[0]
    (folder / "roots.pem").write_text("nothing\n")
    assert "without a certificate" in errors(listening("cert.pem", "key.pem"))[0]


# --- warnings ---


def test_without_logins_on_loopback_one_is_warned(config: Path) -> None:
    assert warnings(read(config, {})) == ["logins: none"]
    assert warnings(read(with_text(config, login("password: x")), {})) == [
        "logins[0].password: a password that every user of this machine can read"
    ]
    config.chmod(0o640)
    assert warnings(read(config, {})) == []


def test_what_is_allowed_and_odd_is_warned_about(config: Path) -> None:
    config.write_text(
        MINIMAL
        + """\
  smarthost: {host: a.example, port: 465, username: me, password: x}
listen:
  - {path: smtp.sock}
senders:
  acme: {name: A, address: a@acme.example, upstream: {host: b.example, port: 25, username: me, password: x}}
  bolt: {name: B, address: A@acme.example}
delivery: {give_up_after: 1h}
"""
    )
    config.chmod(0o600)

    assert warnings(read(config, {})) == [
        "platform.smarthost.tls: starttls",
        "senders.acme.upstream.port: 25",
        "senders.bolt.address: A@acme.example",
        "delivery.warn_after: nothing",
    ]


def test_a_sender_that_is_not_in_the_file_may_be_added_at_run_time(config: Path) -> None:
    with_text(config, login("password: x, senders: [bolt]") + "unknown_sender: cord\n").chmod(0o600)
    assert warnings(read(config, {})) == ["logins[0].senders[0]: bolt", "unknown_sender: cord"]


# --- what good values become ---


def test_names_are_brought_into_one_form(config: Path) -> None:
    config.write_text(MINIMAL.replace("my.platform.example", "Bücher.Example"))

    settings = load(with_domain(config), {})

    assert settings.platform.domain == "xn--bcher-kva.example"
    assert settings.senders["no"].address == Address("Billing", "acme.example")
    assert settings.senders["no"].send_as is Rung.DEFAULT
    assert settings.limits.message_size == 512 * 1024


def with_domain(config: Path) -> Path:
    config.write_text(
        config.read_text()
        + "senders:\n  no: {name: Norway, address: Billing@ACME.example}\n"
        + "limits: {message_size: 512KiB}\ndelivery:\nlogins:\n"
    )
    return config


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to somebody else")
def test_a_secret_of_some_other_user_is_refused_unless_root_checks(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = secret_file(config.parent / "password")
    os.chown(path, 4711, -1)
    with_text(config, login(f"password_file: {path}"))

    assert load(config, {}).logins[0].password == Secret("hunter2")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert load(config, {}).logins[0].password == Secret("hunter2")
    monkeypatch.setattr(os, "geteuid", lambda: 4712)
    assert "owned by user id 4711" in errors(config)[0]


@pytest.mark.parametrize(
    ("http", "said"),
    [
        ("{tokens: [{name: a, token: 0123456789abcdefghij, role: app}]}", "http.tokens: no listen"),
        ("{public_url: https://a.example}", "http.public_url: https://a.example"),
        ("{public_listen: 127.0.0.1:8026}", "http.public_listen: 127.0.0.1:8026"),
        ("{public_listen: 192.0.2.1:80, public_url: https://a.example}", "http.public_listen: 192.0.2.1:80"),
    ],
)
def test_half_of_a_place_for_http_is_warned_about(config: Path, http: str, said: str) -> None:
    found = read(with_text(config, f"\nhttp: {http}\n"), {})

    assert said in warnings(found)


def test_a_token_comes_from_a_file_and_one_in_an_open_config_is_warned_about(
    config: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").touch(mode=0o600)
    (tmp_path / "token").write_text("0123456789abcdefghij\n")
    name = f"{{name: a, token_file: {tmp_path}/token, role: app}}"
    found = read(with_text(config, f"\nhttp: {{listen: 127.0.0.1:8025, tokens: [{name}]}}\n"), {})

    [token] = found.settings.http.tokens
    assert token.token == Secret("0123456789abcdefghij")
    assert "0123456789abcdefghij" not in repr(found)
    inside = "{name: a, token: 0123456789abcdefghij, role: app}"
    found = read(with_text(config, f"\nhttp: {{listen: 127.0.0.1:8025, tokens: [{inside}]}}\n"), {})
    assert "http.tokens[0].token: a token that every user of this machine can read" in warnings(found)
