"""Findings in English."""

from relayd.core.findings import Kind
from relayd.core.phrases.findings_text import Findings

ENGLISH = Findings(
    better="The right one is: {right}.",
    kinds={
        Kind.ADDRESS_DIFFERS: (
            "Your mail settings log in as {username}, but the address in your company profile is {address}.",
            "Use the same address in both places, or let the account {username} send as {address}.",
        ),
        Kind.USERNAME_FORM: (
            'The user name "{username}" is not what {provider} asks for.',
            "Enter as user name: {expected}.",
        ),
        Kind.SERVER_IS_MX: (
            "{host} only receives mail (it is the MX); it doesn't send any for you.",
            "Enter your provider's outgoing mail server (SMTP) instead.",
        ),
        Kind.SERVER_NAME: (
            "There is no server called {host}.",
            "Check the name of the outgoing mail server (SMTP) for typing errors.",
        ),
        Kind.SERVER_PORT: (
            "{host} doesn't answer at port {port}, but it does at port {other}.",
            "Set the port to {other}, with the encryption {tls}.",
        ),
        Kind.SERVER_TLS_MODE: (
            "Port {port} doesn't go with the kind of encryption that is set.",
            "Set the encryption to {tls}, or correct the port: 587 is for starttls, 465 for implicit.",
        ),
        Kind.SERVER_NOT_SMTP: (
            "What answers at {host}, port {port}, is no server for outgoing mail.",
            "Check server name and port: usual are port 587 with starttls, or 465 with implicit.",
        ),
        Kind.SERVER_NO_LOGIN: (
            "{host} offers no login with user name and password, as servers do that only receive mail.",
            "Enter your provider's outgoing mail server (SMTP), and its port for customers: 587 or 465.",
        ),
        Kind.SERVER_OF_ANOTHER: (
            "The mailbox {address} is with {provider}, but {host} belongs to somebody else.",
            "Check whether this server may send for {address}.",
        ),
        Kind.HOST_NOT_PUBLIC: (
            "{host} doesn't lead to a server that we may connect to: a mail server must have a public "
            "address.",
            "Enter the server's public name. If it must be inside a private network, the platform's "
            "operator can allow that network.",
        ),
        Kind.HOST_IS_US: (
            "{host} leads back to this service itself.",
            "Enter the outgoing mail server of your own mail provider.",
        ),
        Kind.PASSWORD_WRONG: (
            "Your mail server doesn't accept the user name or password.",
            "Enter both again by hand: browsers like to fill in another password, such as the one of this "
            "application.",
        ),
        Kind.PASSWORD_OF_PLATFORM: (
            "These are the login data of this platform, not those of your mailbox. The browser has probably "
            "filled them in.",
            "Delete user name and password, and enter those of your e-mail account by hand.",
        ),
        Kind.PASSWORD_APP_NEEDED: (
            "{provider} wants an app password here; what was entered is not one.",
            "Create an app password in the security settings of your {provider} account, and enter that.",
        ),
        Kind.PASSWORD_MISSING: (
            "There is a user name, but no password.",
            "Enter the password of the mailbox {username}.",
        ),
        Kind.LOGIN_OFF_AT_PROVIDER: (
            "{provider} refuses the login. It does so for a wrong password, and as long as sending by "
            "programs is not switched on; at first it is off.",
            "Switch on POP3/IMAP/SMTP in the settings of your {provider} mailbox, then check the password.",
        ),
        Kind.LOGIN_OFF_FOR_TENANT: (
            "Your company's administrator has switched off sending by programs (SMTP login) for everybody.",
            "Ask the administrator to allow it for this mailbox: Microsoft 365 admin center, Users, "
            "{username}, Mail, Manage email apps, Authenticated SMTP. Or log in with Microsoft instead of a "
            "password.",
        ),
        Kind.LOGIN_OFF_FOR_MAILBOX: (
            "Sending by programs (SMTP login) is switched off for this mailbox.",
            "Ask the administrator to switch it on: Microsoft 365 admin center, Users, {username}, Mail, "
            "Manage email apps, Authenticated SMTP.",
        ),
        Kind.LOGIN_OFF_BY_POLICY: (
            "A security rule of your company forbids this login (security defaults or conditional access).",
            "Ask the administrator to allow SMTP login for this mailbox, or log in with Microsoft instead "
            "of a password.",
        ),
        Kind.LOGIN_NEEDS_OAUTH: (
            "{provider} no longer accepts a password here, only its own login window.",
            "Connect your mail account by logging in at {provider}; a password is then not needed.",
        ),
        Kind.LOGIN_REFUSED_BEFORE: (
            "The server refused exactly this login before, so it was not tried again: too many wrong logins "
            "lock the account.",
            "Correct the mail settings. If something was changed at your mail provider instead, try again "
            "expressly.",
        ),
        Kind.NETWORK_OURS: (
            "We can't get out to port {port}: other mail servers don't answer there either.",
            "You needn't do anything: the platform's operator must have port {port} opened.",
        ),
        Kind.NETWORK_THEIRS: (
            "{host} doesn't answer at port {port}, while other mail servers do. It is switched off there, "
            "or a firewall keeps us out.",
            "Check server name and port. If they are right, ask your IT partner to let connections from us "
            "through.",
        ),
        Kind.NETWORK_UNCLEAR: (
            "{host} doesn't answer at port {port}.",
            "Check server name and port. If they are right, ask your IT partner whether the server is "
            "running.",
        ),
        Kind.TLS_MISSING: (
            "{host} offers no encryption at port {port}; we never send a password without it.",
            "Use port 587 with starttls or 465 with implicit, or have encryption (TLS) switched on there.",
        ),
        Kind.TLS_NAME: (
            "The certificate of this server is for another name than {host}, so it could be anybody.",
            "Enter the server's name as your provider writes it.",
        ),
        Kind.TLS_EXPIRED: (
            "The certificate of {host} has run out (or is not valid yet), so it could be anybody.",
            "Ask whoever runs the server to renew its certificate.",
        ),
        Kind.TLS_UNTRUSTED: (
            "The certificate of {host} comes from nobody that we know, so it could be anybody.",
            "Ask whoever runs the server for a certificate of a recognised authority; those of Let's "
            "Encrypt cost nothing.",
        ),
        Kind.TLS_OLD: (
            "{host} only knows kinds of encryption that are no longer safe (before TLS 1.2).",
            "Ask whoever runs the server to switch on TLS 1.2 or 1.3.",
        ),
        Kind.FROM_REWRITTEN: (
            "Your customers would see {seen} as sender instead of {address}: {provider} replaces the sender "
            "without a word.",
            "Log in with the mailbox {address}, or add {address} to the account as a sender address and "
            "confirm it there.",
        ),
        Kind.FROM_LOOK: (
            "A test mail is on its way to {address}.",
            "Look at it: it must show {address} as sender. If it shows another, your mail provider replaces "
            "it; then tell us which.",
        ),
    },
)
