"""Services that send mail for programs. Nobody has a mailbox there, so none is found by a domain or an MX:
they are known by the server that somebody entered. Settings from their documentation, as read in November
2026."""

from __future__ import annotations

from relayd.core.mailproviders.provider import (
    FromRule,
    Limits,
    MailProvider,
    Need,
    Server,
    Step,
    Username,
    either,
    implicit,
    listed,
    need,
    starttls,
)
from relayd.core.providers import Provider

# Nearest to the customers that relayd has, first.
_SES_REGIONS = listed(
    "eu-central-1 eu-west-1 eu-west-3 eu-west-2 eu-north-1 us-east-1 us-east-2 us-west-1 us-west-2 "
    "ca-central-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-southeast-1 ap-southeast-2 "
    "sa-east-1 us-gov-east-1 us-gov-west-1"
)


def _service(
    id: str,
    name: str,
    servers: tuple[Server, ...],
    source: str,
    first: Step,
    *,
    fixed: str | None = None,
    family: Provider | None = None,
    limits: Limits | None = None,
    from_rule: FromRule = FromRule.VERIFIED_ONLY,
    more: tuple[Need, ...] = (),
) -> MailProvider:
    """All of them send only for addresses or domains that were proven to them before."""
    return MailProvider(
        id=id,
        name=name,
        servers=servers,
        username=Username.OWN if fixed is None else Username.FIXED,
        fixed_username=fixed,
        needs=(need(first, source), need(Step.VERIFY_SENDER, source), *more),
        limits=limits or Limits(),
        from_rule=from_rule,
        family=family,
        source=source,
    )


ROWS = (
    _service(
        "amazon-ses",
        "Amazon SES",
        tuple(implicit(f"email-smtp.{region}.amazonaws.com") for region in _SES_REGIONS),
        "https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html",
        Step.SMTP_CREDENTIALS,
        family=Provider.AMAZON_SES,
    ),
    _service(
        "sendgrid",
        "SendGrid",
        (*either("smtp.sendgrid.net"), starttls("smtp.sendgrid.net", 2525)),
        "https://www.twilio.com/docs/sendgrid/for-developers/sending-email/integrating-with-the-smtp-api",
        Step.API_KEY,
        fixed="apikey",
        family=Provider.SENDGRID,
        limits=Limits(messages_per_day=100),  # of the free plan
    ),
    _service(
        "mailgun",
        "Mailgun (USA)",
        (*either("smtp.mailgun.org"), starttls("smtp.mailgun.org", 2525)),
        "https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages/send-smtp",
        Step.SMTP_CREDENTIALS,
        family=Provider.MAILGUN,
        limits=Limits(message_size=25 * 1024**2),
    ),
    _service(
        "mailgun-eu",
        "Mailgun (Europe)",
        (*either("smtp.eu.mailgun.org"), starttls("smtp.eu.mailgun.org", 2525)),
        "https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages/send-smtp",
        Step.SMTP_CREDENTIALS,
        family=Provider.MAILGUN,
        limits=Limits(message_size=25 * 1024**2),
    ),
    _service(
        "postmark",
        "Postmark",
        (starttls("smtp.postmarkapp.com"), starttls("smtp.postmarkapp.com", 2525)),
        "https://postmarkapp.com/developer/user-guide/send-email-with-smtp",
        Step.TOKEN_AS_BOTH,
        family=Provider.POSTMARK,
    ),
    # Without a proven domain the sender becomes an address at brevosend.com (captaindns.com, 2026).
    _service(
        "brevo",
        "Brevo",
        (*either("smtp-relay.brevo.com"), starttls("smtp-relay.brevo.com", 2525)),
        "https://help.brevo.com/hc/en-us/articles/209462765",
        Step.SMTP_CREDENTIALS,
        family=Provider.BREVO,
        limits=Limits(messages_per_day=300),  # of the free plan
        from_rule=FromRule.REWRITTEN,
        more=(need(Step.ALLOW_NETWORK, "https://help.brevo.com/hc/en-us/articles/5740888148754"),),
    ),
    _service(
        "mailjet",
        "Mailjet",
        either("in-v3.mailjet.com"),
        "https://dev.mailjet.com/smtp-relay/configuration/",
        Step.SMTP_CREDENTIALS,
    ),
    _service(
        "smtp2go",
        "SMTP2GO",
        (*either("mail.smtp2go.com"), starttls("mail.smtp2go.com", 2525)),
        "https://support.smtp2go.com/hc/en-gb/articles/223087627",
        Step.SMTP_CREDENTIALS,
    ),
    _service(
        "sparkpost",
        "SparkPost",
        (starttls("smtp.sparkpostmail.com"), starttls("smtp.eu.sparkpostmail.com")),
        "https://developers.sparkpost.com/api/smtp/",
        Step.API_KEY,
        fixed="SMTP_Injection",
    ),
    _service(
        "mandrill",
        "Mandrill (Mailchimp Transactional)",
        either("smtp.mandrillapp.com"),
        "https://mailchimp.com/developer/transactional/docs/smtp-integration/",
        Step.API_KEY,
    ),
    _service(
        "elastic-email",
        "Elastic Email",
        (implicit("smtp.elasticemail.com"), starttls("smtp.elasticemail.com", 2525)),
        "https://help.elasticemail.com/en/articles/4803409",
        Step.SMTP_CREDENTIALS,
    ),
    _service(
        "mailersend",
        "MailerSend",
        (starttls("smtp.mailersend.net"), starttls("smtp.mailersend.net", 2525)),
        "https://www.mailersend.com/help/smtp-relay",
        Step.SMTP_CREDENTIALS,
    ),
    _service(
        "resend",
        "Resend",
        either("smtp.resend.com"),
        "https://resend.com/docs/send-with-smtp",
        Step.API_KEY,
        fixed="resend",
    ),
    _service(
        "mailtrap",
        "Mailtrap",
        (starttls("live.smtp.mailtrap.io"), starttls("live.smtp.mailtrap.io", 2525)),
        "https://docs.mailtrap.io/email-api-smtp/setup/smtp-integration",
        Step.API_KEY,
        fixed="api",
    ),
    _service(
        "forward-email",
        "Forward Email",
        either("smtp.forwardemail.net"),
        "https://forwardemail.net/en/faq",
        Step.SMTP_CREDENTIALS,
    ),
    _service(
        "sendpulse",
        "SendPulse",
        (implicit("smtp-pulse.com"), starttls("smtp-pulse.com", 2525)),
        "https://sendpulse.com/knowledge-base/smtp",
        Step.SMTP_CREDENTIALS,
    ),
    _service(
        "turbosmtp",
        "turboSMTP",
        (implicit("pro.eu.turbo-smtp.com"), implicit("pro.turbo-smtp.com")),
        "https://serversmtp.com/smtp-server-configuration/",
        Step.SMTP_CREDENTIALS,
    ),
    _service(
        "tipimail",
        "Tipimail",
        (starttls("smtp.tipimail.com"),),
        "https://docs.tipimail.com/",
        Step.SMTP_CREDENTIALS,
    ),
    # For administrators of Google Workspace; it may also know senders by their network alone.
    _service(
        "google-smtp-relay",
        "Google Workspace SMTP relay",
        either("smtp-relay.gmail.com"),
        "https://support.google.com/a/answer/2956491",
        Step.ALLOW_NETWORK,
        family=Provider.GOOGLE,
        limits=Limits(recipients_per_message=100),
    ),
)
