"""The peer: Postfix with OpenDKIM as a milter on a Unix socket, in folders and on ports of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.load import free_port, processor_seconds, wait_for_port

_OPENDKIM = """\
Socket local:{folder}/milter/opendkim.sock
UserID opendkim
UMask 0000
Mode s
Domain acme.example
Selector r1
KeyFile {folder}/milter/r1.pem
Canonicalization relaxed/simple
OversignHeaders From
InternalHosts 127.0.0.1
RequireSafeKeys false
Syslog no
AutoRestart no
Background no
PidFile {folder}/milter/opendkim.pid
"""

# Left at Postfix's defaults: everything that isn't needed to be a relay to the sink. 50 deliveries at once
# from the start, so that it doesn't lose time feeling its way up.
_MAIN = """\
compatibility_level = 3.6
myhostname = relay.platform.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
queue_directory = {folder}/queue
data_directory = {folder}/data
alias_maps =
alias_database =
local_recipient_maps =
relayhost = [127.0.0.1]:{sink}
disable_dns_lookups = yes
smtpd_milters = unix:{folder}/milter/opendkim.sock
milter_default_action = tempfail
message_size_limit = 40000000
mailbox_size_limit = 0
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_destination_concurrency_limit = 50
initial_destination_concurrency = 50
smtp_destination_concurrency_limit = 50
smtpd_peername_lookup = no
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
"""

_MASTER = """\
{port} inet n - n - 200 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - 50 smtp
relay unix - - n - 50 smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class PostfixOpenDkim:
    """Running while the context lasts. Needs root: Postfix's master starts as root, as OpenDKIM does."""

    name = "Postfix + OpenDKIM"

    def __init__(self, folder: Path, sink_port: int, key: Path) -> None:
        self.folder = folder / "postfix"
        self.port = free_port()
        self._sink_port = sink_port
        self._key = key
        self._opendkim: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        for path in (
            self.folder,
            *(self.folder / name for name in ("etc", "queue", "data", "log", "milter")),
        ):
            path.mkdir(mode=0o755)
        _own(self.folder / "data", "postfix")
        self._start_opendkim()
        values = {"folder": self.folder, "sink": self._sink_port, "port": self.port}
        (self.folder / "etc" / "main.cf").write_text(_MAIN.format(**values))
        (self.folder / "etc" / "master.cf").write_text(_MASTER.format(**values))
        try:
            self._postfix("start")
            wait_for_port(self.port)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._postfix("stop", check=False)
        if self._opendkim is not None:
            self._opendkim.terminate()
            self._opendkim.wait()

    def done(self) -> bool:
        """Nothing waits in any of its queues."""
        return not any(
            files
            for name in ("maildrop", "incoming", "active", "deferred")
            for _, _, files in os.walk(self.folder / "queue" / name)
        )

    def processor(self) -> float:
        """Seconds of processor time used since the start: OpenDKIM, Postfix's master, all its children."""
        assert self._opendkim is not None
        master = int((self.folder / "queue" / "pid" / "master.pid").read_text())
        living = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return (
            processor_seconds(self._opendkim.pid)
            + processor_seconds(master, reaped=True)
            + sum(processor_seconds(int(child)) for child in living)
        )

    def _start_opendkim(self) -> None:
        milter = self.folder / "milter"
        shutil.copy(self._key, milter / "r1.pem")
        _own(milter / "r1.pem", "opendkim")
        _own(milter, "opendkim")
        config = milter / "opendkim.conf"
        config.write_text(_OPENDKIM.format(folder=self.folder))
        self._opendkim = subprocess.Popen(["opendkim", "-f", "-x", config])
        end = time.monotonic() + 20
        while not (milter / "opendkim.sock").exists():
            if self._opendkim.poll() is not None or time.monotonic() > end:
                raise RuntimeError("OpenDKIM did not start")
            time.sleep(0.01)

    def _postfix(self, command: str, *, check: bool = True) -> None:
        done = subprocess.run(
            ["postfix", "-c", self.folder / "etc", command], capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"postfix {command}: {done.stderr.strip() or done.stdout.strip()}")


def versions() -> list[str]:
    """What is compared, in its own words."""
    postfix = subprocess.run(["postconf", "-h", "mail_version"], capture_output=True, text=True, check=True)
    opendkim = subprocess.run(["opendkim", "-V"], capture_output=True, text=True, check=False)
    return [f"Postfix {postfix.stdout.strip()}", (opendkim.stdout or opendkim.stderr).splitlines()[0].strip()]


def _own(path: Path, user: str) -> None:
    owner = pwd.getpwnam(user)
    os.chown(path, owner.pw_uid, owner.pw_gid)
