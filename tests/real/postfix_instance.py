"""A Postfix of its own, in a folder and on a port of its own, that hands on what it takes to a receiver.

Started as root (its master needs that), for the length of a test; stopped by its own pid file.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relayd.sandbox.certificates import Certificate

_MAIN = """\
compatibility_level = 3.6
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
queue_directory = {folder}/queue
data_directory = {folder}/data
alias_maps =
alias_database =
local_recipient_maps =
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_tls_cert_file = {folder}/server.pem
smtpd_tls_key_file = {folder}/server.key
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
"""

_MASTER = """\
{port} inet n - n - 50 smtpd
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
smtp unix - - n - 20 smtp
relay unix - - n - 20 smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

# Debian's Postfix looks for it in its config directory's `sasl`, whatever cyrus_sasl_config_path says.
_SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/etc/sasl/db
mech_list: PLAIN LOGIN
"""


def why_not() -> str | None:
    """Why no Postfix can be started here; None when it can."""
    if shutil.which("postfix", path="/usr/sbin:/usr/bin:/sbin") is None:
        return "Postfix is not installed (apt-get install postfix)"
    if os.geteuid() != 0:
        return "Postfix can only be started by root"
    return None


def why_no_logins() -> str | None:
    if shutil.which("saslpasswd2", path="/usr/sbin:/usr/bin:/sbin") is None:
        return "Postfix has no logins here (apt-get install sasl2-bin libsasl2-modules)"
    return why_not()


@contextmanager
def postfix(
    settings: dict[str, str], certificate: Certificate, users: dict[str, str] | None = None
) -> Iterator[int]:
    """Run a Postfix with these settings over ours; gives its port. `users` may log in (Cyrus SASL)."""
    # Its daemons run as users of their own: pytest's folders are closed to them.
    with tempfile.TemporaryDirectory(prefix="relayd-postfix-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("etc", "etc/sasl", "queue", "data", "log"):
            (folder / part).mkdir(mode=0o755)
        _own(folder / "data")
        certificate.write(folder, "server")
        port = _free_port()
        main = _MAIN.format(folder=folder)
        if users:
            main += _logins(folder, users)
        main += "".join(f"{key} = {value}\n" for key, value in settings.items())
        (folder / "etc" / "main.cf").write_text(main)
        (folder / "etc" / "master.cf").write_text(_MASTER.format(port=port))
        _postfix(folder, "start")  # returns when its sockets listen
        try:
            yield port
        except BaseException:
            print((folder / "log" / "mail.log").read_text())  # pytest shows it with the failure
            raise
        finally:
            _postfix(folder, "stop")


def _logins(folder: Path, users: dict[str, str]) -> str:
    (folder / "etc" / "sasl" / "smtpd.conf").write_text(_SASL.format(folder=folder))
    for user, password in users.items():
        local, _, realm = user.partition("@")
        command = [
            "/usr/sbin/saslpasswd2",
            "-c",
            "-p",
            "-f",
            str(folder / "etc" / "sasl" / "db"),
            "-u",
            realm,
            local,
        ]
        subprocess.run(command, input=password.encode(), check=True, capture_output=True)
    _own(folder / "etc" / "sasl" / "db")
    return f"""\
smtpd_sasl_auth_enable = yes
smtpd_tls_auth_only = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = {folder}/etc/sasl
"""


def _own(path: Path) -> None:
    user = pwd.getpwnam("postfix")
    os.chown(path, user.pw_uid, user.pw_gid)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _postfix(folder: Path, command: str) -> None:
    done = subprocess.run(
        ["/usr/sbin/postfix", "-c", str(folder / "etc"), command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        log = folder / "log" / "mail.log"
        raise RuntimeError(f"postfix {command}: {done.stderr} {log.read_text() if log.exists() else ''}")
