"""`check-config` also says when bounces would not find the way back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from relayd.cli.root import relayd
from relayd.sandbox.zone import DnsFault, NameServer, Zone


def written(folder: Path, nameserver: str) -> Path:
    path = folder / "relayd.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "hostname": "relay.example.net",
                "state_dir": str(folder / "state"),
                "platform": {
                    "domain": "my.platform.example",
                    "name": "Platform",
                    "return_path": "bounce.my.platform.example",
                    "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
                },
                "logins": [{"username": "app", "password": "a-long-password", "senders": "all"}],
                "dns": {"nameservers": [nameserver]},
            }
        )
    )
    path.chmod(0o600)
    return path


async def checked(folder: Path, zone: Zone) -> tuple[int, str]:
    async with NameServer(zone) as names:
        command = ["check-config", "-c", str(written(folder, names.address))]
        result = await asyncio.to_thread(CliRunner().invoke, relayd, command)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("zone", "says"),
    [
        ("my.platform.example A 192.0.2.1", "no MX and no address record"),
        ("bounce.my.platform.example MX 10 mx.my.platform.example", "no SPF record"),
    ],
)
async def test_a_return_path_without_its_records_is_a_warning(tmp_path: Path, zone: str, says: str) -> None:
    code, output = await checked(tmp_path, Zone(zone))
    assert code == 0
    assert "platform.return_path: found bounce.my.platform.example" in output
    assert says in output


async def test_a_return_path_with_its_records_is_nothing_to_say(tmp_path: Path) -> None:
    zone = Zone('bounce.my.platform.example A 192.0.2.1\nbounce.my.platform.example TXT "v=spf1 -all"')
    code, output = await checked(tmp_path, zone)
    assert (code, "platform.return_path" in output) == (0, False)


async def test_trouble_in_dns_is_nothing_that_is_wrong_with_the_config(tmp_path: Path) -> None:
    zone = Zone()
    zone.fault("*", DnsFault.SERVFAIL)
    code, output = await checked(tmp_path, zone)
    assert (code, "platform.return_path" in output) == (0, False)
