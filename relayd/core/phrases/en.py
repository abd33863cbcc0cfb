"""English."""

from relayd.core.event import EventType
from relayd.core.phrases.language import Language
from relayd.core.reasons import Reason

_REASONS = {
    Reason.RECIPIENT_UNKNOWN: (
        "The recipient's mail server doesn't know this address.",
        "Check the address for typing errors, or ask your customer for the right one, then send again.",
    ),
    Reason.RECIPIENT_DOMAIN: (
        "The part of the address after the @ doesn't exist or doesn't receive mail.",
        "Check the address for typing errors, or ask your customer for the right one, then send again.",
    ),
    Reason.RECIPIENT_DISABLED: (
        "The recipient's mailbox exists but has been switched off.",
        "Ask your customer for another address.",
    ),
    Reason.RECIPIENT_FULL: (
        "The recipient's mailbox is full.",
        "Ask your customer to make room in the mailbox or to give you another address.",
    ),
    Reason.RECIPIENT_MOVED: (
        "The recipient has moved to another address.",
        "Ask your customer for the new address and send again.",
    ),
    Reason.RECIPIENT_REFUSED: (
        "The recipient's mail server doesn't accept mail from you for this address.",
        "Ask your customer to allow mail from your address, or for another address.",
    ),
    Reason.RECIPIENT_SUPPRESSED: (
        "Nothing was sent: earlier mail to this address failed for good or was reported as spam.",
        "If the address is right again, have it taken off the suppression list and send again.",
    ),
    Reason.MESSAGE_TOO_BIG: (
        "The message is larger than the recipient's mail server accepts.",
        "Send it with fewer or smaller attachments, or send a link instead.",
    ),
    Reason.MESSAGE_CONTENT: (
        "The recipient's mail server doesn't accept the content or an attachment of this message.",
        "Send the document as a plain PDF, without programs, archives or scripts attached.",
    ),
    Reason.MESSAGE_SPAM: (
        "The recipient's mail server took the message for spam.",
        "Ask your customer to allow your address, and check the text and the links in the message.",
    ),
    Reason.MESSAGE_MALFORMED: (
        "The message isn't built according to the rules for e-mail.",
        "The maker of the application must correct how it builds its messages.",
    ),
    Reason.MESSAGE_LINE_TOO_LONG: (
        "A line in the message is longer than e-mail allows (998 characters).",
        "The maker of the application must encode the message as quoted-printable or base64.",
    ),
    Reason.MESSAGE_SMTPUTF8: (
        "The address has letters that the recipient's mail server can't handle.",
        "Ask your customer for an address without accents or other special letters.",
    ),
    Reason.MESSAGE_LOOP: (
        "The message goes round in circles: the mail servers send it back to each other.",
        "The platform's operator must check where mail for this address is sent.",
    ),
    Reason.POLICY_SPF: (
        "The recipient's mail server found that your domain doesn't allow us to send (SPF).",
        "Ask whoever looks after your domain to add our entry to its SPF record.",
    ),
    Reason.POLICY_DKIM: (
        "The recipient's mail server didn't accept the message's digital signature (DKIM).",
        "The platform's operator must check the signature's key in DNS.",
    ),
    Reason.POLICY_DMARC: (
        "The recipient's mail server couldn't verify that the message really comes from your domain (DMARC).",
        "Ask whoever looks after your domain to publish our SPF or DKIM entry, or send on the default "
        "address.",
    ),
    Reason.POLICY_TLS_REQUIRED: (
        "An encrypted connection is required, and it could not be set up.",
        "The platform's operator, or whoever runs the mail server, must switch on encryption (TLS).",
    ),
    Reason.POLICY_FROM_MISMATCH: (
        "The From address in the message isn't the sender's own address.",
        "The application must use the address of the company profile as From.",
    ),
    Reason.POLICY_OTHER: (
        "The recipient's mail server refused the message under a rule of its own.",
        "The platform's operator must ask the recipient's mail provider what the rule demands.",
    ),
    Reason.REPUTATION_BLOCKLIST: (
        "The server we send from is on a block list that the recipient's mail server uses.",
        "You needn't do anything: the platform's operator must get the server taken off the list.",
    ),
    Reason.REPUTATION_PTR: (
        "The server we send from lacks a proper name in DNS (PTR), and the recipient's mail server asks for "
        "it.",
        "You needn't do anything: the platform's operator must set the server's reverse DNS entry.",
    ),
    Reason.REPUTATION_LOW: (
        "The recipient's mail provider doesn't trust the server we send from, or doesn't know it yet.",
        "You needn't do anything: the platform's operator must contact that provider.",
    ),
    Reason.RATE_GREYLISTED: (
        "The recipient's mail server asks new senders to try again a little later. This is normal.",
        "You needn't do anything: the next attempt usually succeeds.",
    ),
    Reason.RATE_LIMITED: (
        "The mail server accepts only so many messages at a time.",
        "You needn't do anything: we slow down and try again.",
    ),
    Reason.RATE_QUOTA_DAY: (
        "Your mail account has reached the number of messages it may send in a day.",
        "Wait: we try again later. If it happens often, ask your mail provider for a higher limit.",
    ),
    Reason.NETWORK_REFUSED: (
        "The mail server doesn't accept connections at the moment.",
        "Wait: we try again. If it is your own mail server, check its name and port in the settings.",
    ),
    Reason.NETWORK_TIMEOUT: (
        "The mail server didn't answer in time.",
        "Wait: we try again. If it is your own mail server, check its name and port in the settings.",
    ),
    Reason.NETWORK_UNREACHABLE: (
        "The mail server can't be reached at the moment.",
        "Wait: we try again. If it is your own mail server, check its name and port in the settings.",
    ),
    Reason.NETWORK_DNS: (
        "The mail server could not be looked up in DNS, the Internet's directory.",
        "Wait: we try again. If it is your own mail server, check its name in the settings.",
    ),
    Reason.NETWORK_TLS: (
        "The encrypted connection to the mail server failed; its certificate may be wrong or expired.",
        "Wait: we try again. If it is your own mail server, have its certificate checked.",
    ),
    Reason.NETWORK_CLOSED: (
        "The mail server broke off the connection.",
        "Wait: we try again.",
    ),
    Reason.NETWORK_PORT_BLOCKED: (
        "Our network doesn't let mail out: port 25 seems to be blocked.",
        "You needn't do anything: the platform's operator must have port 25 opened or set up a smarthost.",
    ),
    Reason.AUTH_WRONG_PASSWORD: (
        "Your mail server doesn't accept the user name or password.",
        "Enter both again in your mail settings. Watch out for the browser filling in another password.",
    ),
    Reason.AUTH_APP_PASSWORD_NEEDED: (
        "Your mail provider wants an app password here, not your usual password.",
        "Create an app password in your mail account's security settings and enter it in your mail settings.",
    ),
    Reason.AUTH_BROWSER_LOGIN_NEEDED: (
        "Your mail provider wants you to log in with a web browser first.",
        "Log in to your mail account in the browser, confirm that it was you, then release the held mail.",
    ),
    Reason.AUTH_TOO_MANY_ATTEMPTS: (
        "Your mail provider has locked the login for a while after too many attempts.",
        "Wait an hour or more. Check that no other program logs in with an old password.",
    ),
    Reason.AUTH_SMTP_AUTH_DISABLED: (
        "Sending by program (SMTP login) is switched off for your mail account.",
        "Ask your IT partner to switch on authenticated SMTP for this mailbox.",
    ),
    Reason.AUTH_BASIC_DISABLED: (
        "Your mail provider no longer accepts passwords for sending by program.",
        "Ask your IT partner to allow authenticated SMTP, or send on the default address.",
    ),
    Reason.AUTH_NOT_LOGGED_IN: (
        "Your mail server only accepts mail after a login, and the login did not succeed.",
        "Enter the user name and password in your mail settings.",
    ),
    Reason.AUTH_MECHANISM: (
        "Your mail server offers no way to log in that we can use.",
        "Check server name, port and encryption in your mail settings, or ask your IT partner.",
    ),
    Reason.AUTH_TOKEN_EXPIRED: (
        "The permission to send through your mail account has run out.",
        "Connect your mail account again in your mail settings.",
    ),
    Reason.UPSTREAM_IS_MX: (
        "The server in your mail settings only receives mail; it doesn't send any for you.",
        "Enter your provider's outgoing server (SMTP), not the mail exchanger (MX).",
    ),
    Reason.UPSTREAM_RELAY_DENIED: (
        "Your mail server refuses to pass mail on to other domains.",
        "Check the user name and password in your mail settings, or ask your mail provider.",
    ),
    Reason.UPSTREAM_SEALED: (
        "The password of your mail server can't be read at the moment.",
        "You needn't do anything: the platform's operator must put the key back that it is sealed with.",
    ),
    Reason.SENDER_NOT_ALLOWED: (
        "Your mail server doesn't let this account send with this From address.",
        "Make the address in your company profile the same as the mail account's, or get it the right to "
        "send.",
    ),
    Reason.SENDER_BLOCKED: (
        "Your mail provider has blocked your account from sending, often after suspected spam.",
        "Ask your mail provider to lift the block; change the password if the account was misused.",
    ),
    Reason.SENDER_UNCONFIRMED: (
        "The address in your company profile hasn't been confirmed yet.",
        "Open the confirmation mail that was sent to this address and confirm it.",
    ),
    Reason.SENDER_UNPROVEN: (
        "Your domain doesn't (or no longer) show that we may send with your own address.",
        "Ask whoever looks after your domain to add our DKIM entry to its DNS.",
    ),
    Reason.SENDER_UNKNOWN: (
        "The application didn't say in whose name this message is sent.",
        "The application must name the sender (X-Relayd-Sender) or use the sender's own address as From.",
    ),
    Reason.SENDER_AMBIGUOUS: (
        "The From address belongs to more than one sender.",
        "The application must name the sender with the header X-Relayd-Sender.",
    ),
    Reason.SIGNING_FAILED: (
        "The message can't be signed with a key that receivers find.",
        "You needn't do anything: the platform's operator must publish the signing key in DNS "
        "(`relayd dkim new` prints the record) or mend the key.",
    ),
    Reason.SERVER_BUSY: (
        "The mail server is busy at the moment.",
        "You needn't do anything: we try again.",
    ),
    Reason.SERVER_ERROR: (
        "A mail server had an error of its own.",
        "You needn't do anything: we try again.",
    ),
    Reason.SERVER_PROTOCOL: (
        "The mail server answered in a way that makes no sense.",
        "Wait: we try again. If it stays so, the platform's operator must look into it.",
    ),
    Reason.EXPIRED: (
        "It could not be delivered in the time allowed.",
        "Check the address, or reach your customer another way, then send again.",
    ),
    Reason.CANCELLED: (
        "Someone took the message back before it was sent.",
        "Send it again if it should go out after all.",
    ),
    Reason.DUPLICATE: (
        "The same message had already been handed in.",
        "You needn't do anything: the first one counts.",
    ),
    Reason.UNKNOWN: (
        "The mail server refused the message, and we don't know its reason.",
        "The platform's operator must read the server's answer.",
    ),
}

ENGLISH = Language(
    reasons=_REASONS,
    events={
        EventType.ACCEPTED: "Accepted, will be sent now.",
        EventType.RELEASED: "Released, will be sent now.",
        EventType.RETRIED: "Will be tried again now.",
        EventType.DEFERRED: "Delayed: {text}",
        EventType.UNCERTAIN: "May already have arrived: the mail server took the message but didn't confirm "
        "it.",
        EventType.DELIVERED: "Delivered to {host}{tls}.",
        EventType.RELAYED: "Handed over to {host} for delivery{tls}.",
        EventType.REFUSED: "Not accepted: {text}",
        EventType.FAILED: "Not sent: {text}",
        EventType.EXPIRED: "Not sent, we have given up trying: {text}",
        EventType.SUPPRESSED: "Not sent: {text}",
        EventType.CANCELLED: "Not sent: {text}",
        EventType.BOUNCED: "Came back after it had been sent: {text}",
        EventType.HELD: "On hold: {text}",
        EventType.WARNED: "Still not delivered, we keep trying: {text}",
        EventType.CONFIRMATION_SENT: "The mail that asks for confirmation of the address was sent.",
        EventType.CONFIRMED: "The address is confirmed.",
        EventType.CONFIRMATION_EXPIRED: "The address stays unconfirmed: no answer came, or a no.",
        EventType.CONSENT_WITHDRAWN: "Sending permission was withdrawn: somebody has to sign in again.",
        EventType.PROVEN: "The own address may be used for sending.",
        EventType.UNPROVEN: "The own address may not be used for sending: {text}",
        EventType.UPSTREAM_FAILED: "Sending through the own mail server doesn't work: {text}",
        EventType.UPSTREAM_OK: "Sending through the own mail server works.",
        EventType.RUNG_CHANGED: "Mail now goes out with another sender address: {text}",
        EventType.SENDER_CHANGED: "The sender's settings were changed.",
    },
    platform_proven="The platform's own key is published at {record}.",
    platform_unproven="The platform's own key is not published at {record}.",
    unnamed_server="the mail server",
    encrypted=", encrypted",
    in_clear=", not encrypted",
    next_attempt="Next attempt at {at}.",
    still_proven="One of two proofs for the own address is gone. Sending with it goes on.",
    late_bounces="If it comes back later, the notice goes only to your own mailbox.",
    maybe_arrived="An earlier attempt may already have arrived.",
    test="Test: nothing was really sent.",
)
