"""relayd: a local SMTP relay that picks a sender it can prove, delivers, and says why not."""

__version__ = "0.1.0"
