"""relayd: a local SMTP relay that picks a sender it can prove, delivers, and says why not."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("relayd")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"
