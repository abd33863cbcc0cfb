"""Letters that relayd itself writes to people. Pure: language and facts in, subject, text and HTML out."""

from relayd.core.letters.letter import Letter

__all__ = ["Letter"]
