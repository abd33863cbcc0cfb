"""A Dovecot of its own that only says whether a password is right, for a Postfix beside it (Dovecot SASL).

Started as root, for the length of a test; its sockets, users and log lie in a folder of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols =
ssl = no
auth_mechanisms = {mechanisms}
auth_verbose = yes
auth_failure_delay = 0
{more}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service auth {{
  unix_listener {folder}/auth {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
"""


_TOKENS = """\
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}
"""

_TOKENINFO = """\
tokeninfo_url = {tokeninfo}
introspection_mode = get
username_attribute = email
active_attribute = active
active_value = true
"""


def why_not() -> str | None:
    """Why no Dovecot can be started here; None when it can."""
    if shutil.which("dovecot", path="/usr/sbin:/usr/bin:/sbin") is None:
        return "Dovecot is not installed (apt-get install dovecot-core)"
    if os.geteuid() != 0:
        return "Dovecot can only be started by root here"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dovecot:
    folder: Path

    @property
    def postfix_settings(self) -> dict[str, str]:
        """What makes a Postfix ask this Dovecot, over verified TLS only."""
        return {
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": str(self.folder / "auth"),
            "smtpd_tls_auth_only": "yes",
        }

    def change(self, users: Mapping[str, str]) -> None:
        """These passwords count from now on: Dovecot reads the file again when it changed."""
        lines = "".join(f"{user}:{{PLAIN}}{password}\n" for user, password in users.items())
        new = self.folder / "users.new"
        new.write_text(lines)
        new.chmod(0o644)
        new.rename(self.folder / "users")

    def refusals(self) -> int:
        """Wrong passwords that it has seen."""
        return (self.folder / "dovecot.log").read_text().count("Password mismatch")


@contextmanager
def dovecot(users: Mapping[str, str], *, tokeninfo: str | None = None) -> Iterator[Dovecot]:
    """`tokeninfo` is the address of a provider who says whose an access token is, with the token put at its
    end: then tokens log in, and no passwords."""
    with tempfile.TemporaryDirectory(prefix="relayd-dovecot-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        running = Dovecot(folder=folder)
        running.change(users)
        config = folder / "dovecot.conf"
        config.write_text(
            _CONFIG.format(
                folder=folder,
                mechanisms="plain login" if tokeninfo is None else "xoauth2 oauthbearer",
                more="" if tokeninfo is None else _TOKENS.format(folder=folder),
            )
        )
        if tokeninfo is not None:
            (folder / "oauth2.conf").write_text(_TOKENINFO.format(tokeninfo=tokeninfo))
        # It goes into the background with what it was given: a pipe would never end.
        started = subprocess.run(
            ["/usr/sbin/dovecot", "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if started.returncode:
            why = subprocess.run(
                ["/usr/bin/doveconf", "-c", str(config)], capture_output=True, text=True, check=False
            )
            raise RuntimeError(f"dovecot: {why.stderr}")
        try:
            yield running
        finally:
            subprocess.run(
                ["/usr/sbin/dovecot", "-c", str(config), "stop"], stdin=subprocess.DEVNULL, check=False
            )
