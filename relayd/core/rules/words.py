"""Words that servers of every make use, whoever runs them: Postfix, Exim, Sendmail, qmail, Exchange, rspamd,
Dovecot, Cisco. The order within the table matters: what is more telling stands first, so that a block said in
answer to RCPT is not taken for a missing mailbox.

Sources: the default texts of those servers, and ZoneMTA's, sisimai's and KumoMTA's collections as lists of
what is seen in the wild.
"""

from __future__ import annotations

from relayd.core.rules import words_message, words_recipient, words_reputation, words_sender
from relayd.core.rules.rule import Rule

ROWS: tuple[Rule, ...] = words_reputation.ROWS + words_sender.ROWS + words_message.ROWS + words_recipient.ROWS
