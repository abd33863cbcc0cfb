"""Providers with customers everywhere. Settings from their help pages and Mozilla's ISPDB of
March 2026, as read in November 2026."""

from __future__ import annotations

from relayd.core.mailproviders.provider import (
    FromRule,
    Limits,
    MailProvider,
    Step,
    Username,
    either,
    implicit,
    listed,
    named,
    need,
    starttls,
)
from relayd.core.providers import Provider

_PASSWORD = ("PLAIN", "LOGIN")
_TOKEN = ("XOAUTH2",)

_OUTLOOK = (
    *listed("hotmail.com live.com msn.com outlook.com windowslive.com livemail.tw passport.com"),
    *named(
        "outlook",
        "at be cl cz de dk es fr hu ie in it jp kr lv my ph pt sa sg sk co.id co.il co.th com.ar com.au "
        "com.br com.gr com.tr com.vn",
    ),
    *named(
        "hotmail",
        "be ca cl cz de dk es fi fr gr hu it lt lv my nl no ph rs se sg sk co.id co.il co.in co.jp co.kr "
        "co.th co.uk co.za com.ar com.au com.br com.hk com.tr com.tw com.vn",
    ),
    *named(
        "live",
        "at be ca cl cn de dk fi fr hk ie in it jp nl no ru se co.jp co.kr co.uk co.za com.ar com.au "
        "com.mx com.my com.ph com.pt com.sg",
    ),
)
_FASTMAIL = listed(
    "fastmail.com fastmail.fm fastmail.net fastmail.org fastmail.cn fastmail.co.uk fastmail.com.au "
    "fastmail.de fastmail.es fastmail.in fastmail.jp fastmail.mx fastmail.nl fastmail.se fastmail.to "
    "fastmail.us sent.com messagingengine.com"
)
_MAIL_COM = listed(
    "mail.com email.com post.com usa.com accountant.com consultant.com dr.com engineer.com cheerful.com "
    "techie.com linuxmail.org europe.com london.com myself.com iname.com writeme.com asia.com berlin.com "
    "contractor.net europemail.com financier.com munich.com musician.org representative.com workmail.com"
)
_APPS = "https://support.google.com/accounts/answer/185833"
_ZOHO_HELP = "https://www.zoho.com/mail/help/zoho-smtp.html"


def _zoho(end: str, region: str) -> MailProvider:
    """Each region has accounts and servers of its own; the password works in one of them only."""
    base = end.removeprefix("zohocloud.") if end.startswith("zohocloud.") else end
    host = f"smtp.{end}" if end.startswith("zohocloud.") else f"smtp.zoho.{end}"
    domain = end if end.startswith("zohocloud.") else f"zoho.{end}"
    return MailProvider(
        id=f"zoho-{base.rpartition('.')[2]}",
        name=f"Zoho Mail ({region})",
        domains=(domain, f"zohomail.{base}"),
        mx=(domain,),
        servers=either(host),
        needs=(need(Step.APP_PASSWORD_IF_TWO_STEP, _ZOHO_HELP),),
        from_rule=FromRule.ALIAS_ALLOWED,
        family=Provider.ZOHO,
        source=_ZOHO_HELP,
    )


ROWS = (
    MailProvider(
        id="gmail",
        name="Gmail",
        domains=("gmail.com", "googlemail.com"),
        servers=either("smtp.gmail.com"),
        mechanisms=(*_PASSWORD, *_TOKEN),
        oauth="google",
        needs=(need(Step.APP_PASSWORD, _APPS),),
        limits=Limits(messages_per_day=500, recipients_per_message=100),
        from_rule=FromRule.REWRITTEN,
        family=Provider.GOOGLE,
        source=_APPS,
    ),
    MailProvider(
        id="google-workspace",
        name="Google Workspace",
        mx=("google.com", "googlemail.com"),
        spf="_spf.google.com",
        servers=either("smtp.gmail.com"),
        mechanisms=(*_PASSWORD, *_TOKEN),
        oauth="google",
        needs=(need(Step.APP_PASSWORD, _APPS),),
        limits=Limits(messages_per_day=2000, recipients_per_day=10_000, recipients_per_message=100),
        from_rule=FromRule.REWRITTEN,
        family=Provider.GOOGLE,
        source="https://support.google.com/a/answer/166852",
    ),
    # Port 465 is never right here. Passwords go on working until an administrator, or Microsoft, ends it:
    # off by default from the end of 2026 (MC786329 as of 27 January 2026).
    MailProvider(
        id="microsoft-365",
        name="Microsoft 365",
        domains=("onmicrosoft.com",),
        mx=("mail.protection.outlook.com", "mx.microsoft"),
        spf="spf.protection.outlook.com",
        servers=(starttls("smtp.office365.com"),),
        mechanisms=(*_TOKEN, "LOGIN"),
        oauth="microsoft",
        needs=(need(Step.SMTP_AUTH_ADMIN, "https://aka.ms/smtp_auth_disabled"),),
        limits=Limits(messages_per_minute=30, recipients_per_day=10_000),
        from_rule=FromRule.ALIAS_ALLOWED,
        family=Provider.MICROSOFT,
        source="https://aka.ms/smtp_auth_disabled",
    ),
    MailProvider(
        id="outlook",
        name="Outlook.com",
        domains=_OUTLOOK,
        mx=("olc.protection.outlook.com",),
        servers=(starttls("smtp-mail.outlook.com"),),
        mechanisms=_TOKEN,
        oauth="microsoft",
        needs=(
            need(
                Step.BROWSER_LOGIN,
                "https://support.microsoft.com/office/d088b986-291d-42b8-9564-9c414e2aa040",
            ),
        ),
        from_rule=FromRule.ALIAS_ALLOWED,
        family=Provider.MICROSOFT,
        source="https://support.microsoft.com/office/d088b986-291d-42b8-9564-9c414e2aa040",
    ),
    MailProvider(
        id="icloud",
        name="iCloud",
        domains=("icloud.com", "me.com", "mac.com"),
        mx=("mail.icloud.com",),
        servers=(starttls("smtp.mail.me.com"),),
        needs=(need(Step.APP_PASSWORD, "https://support.apple.com/102654"),),
        limits=Limits(
            messages_per_day=1000,
            recipients_per_day=1000,
            recipients_per_message=500,
            message_size=20 * 1024**2,
        ),
        from_rule=FromRule.ALIAS_ALLOWED,
        family=Provider.APPLE,
        source="https://support.apple.com/102198",
    ),
    MailProvider(
        id="yahoo",
        name="Yahoo Mail",
        domains=(
            *named(
                "yahoo",
                "com ca de it fr es se be nl at ch co.in co.uk co.nz com.au com.ar com.br com.mx",
            ),
            *listed("ymail.com myyahoo.com rocketmail.com cox.net"),
        ),
        mx=("am0.yahoodns.net",),
        servers=(implicit("smtp.mail.yahoo.com"), starttls("smtp.mail.yahoo.com")),
        needs=(need(Step.APP_PASSWORD, "https://help.yahoo.com/kb/SLN15241.html"),),
        limits=Limits(messages_per_day=500, recipients_per_message=100),
        family=Provider.YAHOO,
        source="https://help.yahoo.com/kb/SLN4075.html",
    ),
    MailProvider(
        id="aol",
        name="AOL",
        domains=(
            *named("aol", "com de it fr es se co.uk co.nz com.au com.ar com.br com.mx"),
            *listed("aim.com netscape.net netscape.com compuserve.com cs.com wmconnect.com verizon.net"),
        ),
        mx=("gm0.yahoodns.net",),
        servers=(implicit("smtp.aol.com"), starttls("smtp.aol.com")),
        needs=(need(Step.APP_PASSWORD, "https://help.aol.com/articles/Create-and-manage-app-password"),),
        family=Provider.YAHOO,
        source="https://help.aol.com/articles/how-do-i-use-other-email-applications-to-send-and-receive-my-aol-mail",
    ),
    MailProvider(
        id="proton",
        name="Proton Mail",
        domains=listed("proton.me protonmail.com protonmail.ch pm.me"),
        mx=("protonmail.ch",),
        servers=(starttls("smtp.protonmail.ch"),),
        needs=(
            need(Step.PAID_PLAN, "https://proton.me/support/smtp-submission"),
            need(Step.TOKEN, "https://proton.me/support/smtp-submission"),
        ),
        from_rule=FromRule.MUST_MATCH,
        family=Provider.PROTON,
        source="https://proton.me/support/smtp-submission",
    ),
    MailProvider(
        id="tuta",
        name="Tuta",
        domains=listed("tuta.com tutanota.com tutanota.de tutamail.com tuta.io keemail.me"),
        mx=("tutanota.de",),
        servers=(),
        needs=(need(Step.NO_PROGRAMS, "https://tuta.com/support"),),
        source="https://tuta.com/support",
    ),
    MailProvider(
        id="hey",
        name="HEY",
        domains=("hey.com",),
        servers=(),
        needs=(need(Step.NO_PROGRAMS, "https://help.hey.com/"),),
        source="https://help.hey.com/",
    ),
    MailProvider(
        id="fastmail",
        name="Fastmail",
        domains=_FASTMAIL,
        mx=("messagingengine.com",),
        servers=(implicit("smtp.fastmail.com"),),
        needs=(
            need(Step.APP_PASSWORD, "https://www.fastmail.help/hc/en-us/articles/360058752854-App-passwords"),
        ),
        from_rule=FromRule.ALIAS_ALLOWED,
        family=Provider.FASTMAIL,
        source="https://www.fastmail.help/hc/en-us/articles/1500000278342",
    ),
    _zoho("com", "USA"),
    _zoho("eu", "Europe"),
    _zoho("in", "India"),
    _zoho("jp", "Japan"),
    _zoho("com.au", "Australia"),
    _zoho("zohocloud.ca", "Canada"),
    MailProvider(
        id="mail-com",
        name="mail.com",
        domains=_MAIL_COM,
        mx=("mail.com",),
        servers=either("smtp.mail.com"),
        needs=(
            need(Step.PAID_PLAN, "https://support.mail.com/premium/imap/server.html"),
            need(
                Step.APP_PASSWORD_IF_TWO_STEP,
                "https://support.mail.com/security/2fa/application-specific-passwords.html",
            ),
        ),
        from_rule=FromRule.ALIAS_ALLOWED,
        family=Provider.UNITED_INTERNET,
        source="https://support.mail.com/premium/imap/server.html",
    ),
    MailProvider(
        id="runbox",
        name="Runbox",
        domains=("runbox.com", "runbox.no"),
        mx=("runbox.com",),
        servers=(implicit("mail.runbox.com"),),
        source="https://help.runbox.com/email-program-settings/",
    ),
    MailProvider(
        id="migadu",
        name="Migadu",
        mx=("migadu.com",),
        servers=either("smtp.migadu.com"),
        needs=(need(Step.MAILBOX_PASSWORD, "https://www.migadu.com/guides/"),),
        source="https://www.migadu.com/guides/",
    ),
    MailProvider(
        id="purelymail",
        name="Purelymail",
        domains=listed("purelymail.com cheapermail.com placeq.com rethinkmail.com worldofmail.com"),
        mx=("purelymail.com",),
        servers=(implicit("smtp.purelymail.com"),),
        source="https://purelymail.com/docs/setup/technical",
    ),
    MailProvider(
        id="rackspace",
        name="Rackspace Email",
        mx=("emailsrvr.com",),
        servers=(implicit("secure.emailsrvr.com"),),
        needs=(need(Step.MAILBOX_PASSWORD, "https://docs.rackspace.com/docs/rackspace-email"),),
        source="https://github.com/thunderbird/autoconfig/blob/master/ispdb/emailsrvr.com.xml",
    ),
    MailProvider(
        id="namecheap",
        name="Namecheap Private Email",
        mx=("privateemail.com",),
        servers=(implicit("mail.privateemail.com"),),
        source="https://www.namecheap.com/support/knowledgebase/article.aspx/1179/2175/general-private-email-configuration-for-mail-clients-and-mobile-devices/",
    ),
    MailProvider(
        id="godaddy",
        name="GoDaddy Workspace Email",
        mx=("secureserver.net",),
        servers=(implicit("smtpout.secureserver.net"),),
        source="https://www.godaddy.com/help/server-and-port-settings-for-workspace-email-6949",
    ),
    MailProvider(
        id="hostinger",
        name="Hostinger",
        mx=("hostinger.com",),
        servers=(implicit("smtp.hostinger.com"),),
        source="https://www.hostinger.com/support/4768584-how-to-set-up-hostinger-email-on-mozilla-thunderbird-desktop-windows/",
    ),
    MailProvider(
        id="dreamhost",
        name="DreamHost",
        mx=("dreamhost.com",),
        servers=(implicit("smtp.dreamhost.com"),),
        source="https://help.dreamhost.com/hc/en-us/articles/214918038-Email-client-configuration-overview",
    ),
    MailProvider(
        id="ox-cloud",
        name="OX Cloud",
        mx=("cloudeu.xion.oxcs.net",),
        servers=(starttls("smtp.eu.appsuite.cloud"),),
        source="https://github.com/thunderbird/autoconfig/blob/master/ispdb/oxcloud-eu.xml",
    ),
    # The login's name is the account's first address, without its domain where it is at mailfence.com.
    MailProvider(
        id="mailfence",
        name="Mailfence",
        domains=("mailfence.com",),
        mx=("mailfence.com",),
        servers=(implicit("smtp.mailfence.com"),),
        username=Username.LOCAL_PART,
        needs=(
            need(Step.APP_PASSWORD_IF_TWO_STEP, "https://kb.mailfence.com/kb/service-specific-passwords/"),
        ),
        source="https://kb.mailfence.com/kb/service-specific-passwords/",
    ),
)
