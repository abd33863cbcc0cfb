"""`relayd`: which command lives in which file. A command's file is imported when the command is used."""

from __future__ import annotations

import importlib

import click

from relayd import __version__
from relayd.cli.options import EX_USAGE

COMMANDS = {
    "run": "relayd.cli.run:run_command",
    "demo": "relayd.cli.demo:demo_command",
    "check-config": "relayd.cli.check_config:check_config_command",
    "status": "relayd.cli.status:status_command",
    "log": "relayd.cli.log:log_command",
    "queue": "relayd.cli.queue:queue_command",
    "sender": "relayd.cli.sender:sender_command",
    "domain": "relayd.cli.domain:domain_command",
    "upstream": "relayd.cli.upstream:upstream_command",
    "explain": "relayd.cli.explain:explain_command",
    "dkim": "relayd.cli.dkim:dkim_command",
    "doctor": "relayd.cli.doctor:doctor_command",
    "send-test": "relayd.cli.send_test:send_test_command",
    "sendmail": "relayd.cli.sendmail:sendmail_command",
    "backup": "relayd.cli.backup:backup_command",
    "completion": "relayd.cli.completion:completion_command",
}

# sysexits(3) instead of click's 2, which scripts take for "misuse of shell builtins".
click.UsageError.exit_code = EX_USAGE


class LazyGroup(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)  # in the order in which one meets them

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="relayd")
def relayd() -> None:
    """Mail in your customers' names: relayd picks a sender it can prove, delivers, and says why not.

    \b
    First steps:
      relayd check-config -c relayd.yaml    is the config right?
      relayd run -c relayd.yaml             the daemon
      relayd status                         what became of the mail
      relayd explain "550 5.7.1 ..."        what an answer means
    """
