"""The config file and the credentials from disk, made into settings; errors carry file and line.

What is offered here is written in `loading` and imported when it is used: `relayd sendmail` and `relayd
status` only look up a socket with `config.text`, and needn't wait for the models and their library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relayd.config.loading import Config, ConfigError, ConfigErrors, load, read, variable

__all__ = ["Config", "ConfigError", "ConfigErrors", "load", "read", "variable"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(name)
    from relayd.config import loading

    return getattr(loading, name)
