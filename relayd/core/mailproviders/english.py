"""Providers of the United Kingdom and the United States. Settings from their help pages and Mozilla's ISPDB
of March 2026, as read in November 2026."""

from __future__ import annotations

from relayd.core.mailproviders.provider import (
    MailProvider,
    Step,
    either,
    implicit,
    listed,
    need,
    starttls,
)

ROWS = (
    MailProvider(
        id="bt",
        name="BT Mail",
        domains=listed("btinternet.com btopenworld.com talk21.com"),
        servers=(implicit("mail.btinternet.com"),),
        source="https://www.bt.com/help/email/manage-email-account/manual-settings/what-are-the-settings-for-outgoing-and-incoming-bt-email-servers",
    ),
    MailProvider(
        id="virgin-media",
        name="Virgin Media",
        domains=listed("virginmedia.com virgin.net ntlworld.com blueyonder.co.uk"),
        servers=(implicit("smtp.virginmedia.com"),),
        needs=(
            need(Step.SEPARATE_PASSWORD, "https://www.virginmedia.com/help/broadband/manage-email-account"),
        ),
        source="https://www.virginmedia.com/help/broadband/manage-email-account",
    ),
    MailProvider(
        id="sky",
        name="Sky",
        domains=("sky.com",),
        servers=(implicit("smtp.tools.sky.com"),),
        needs=(need(Step.APP_PASSWORD, "https://www.sky.com/help/articles/get-emails-on-other-clients"),),
        source="https://www.sky.com/help/articles/get-emails-on-other-clients",
    ),
    MailProvider(
        id="talktalk",
        name="TalkTalk",
        domains=listed(
            "talktalk.net tiscali.co.uk lineone.net onetel.com onetel.net tinyworld.co.uk pipex.com"
        ),
        servers=(starttls("smtp.talktalk.net"),),
        source="https://community.talktalk.co.uk/t5/Articles/Email-settings-IMAP-amp-POP3/ta-p/2204399",
    ),
    MailProvider(
        id="123-reg",
        name="123 Reg",
        mx=("123-reg.co.uk",),
        servers=(implicit("smtp.123-reg.co.uk"),),
        source="https://www.123-reg.co.uk/support/email/how-do-i-set-up-an-email-client-with-123-mail/",
    ),
    MailProvider(
        id="comcast",
        name="Xfinity (Comcast)",
        domains=("comcast.net", "xfinity.com"),
        servers=either("smtp.comcast.net"),
        needs=(
            need(Step.PROGRAM_ACCESS, "https://www.xfinity.com/support/articles/third-party-email-access"),
        ),
        source="https://www.xfinity.com/support/articles/email-client-programs-with-xfinity-email",
    ),
    MailProvider(
        id="att",
        name="AT&T",
        domains=listed(
            "att.net ameritech.net bellsouth.net currently.com flash.net nvbell.net pacbell.net prodigy.net "
            "sbcglobal.net snet.net swbell.net wans.net"
        ),
        servers=(implicit("smtp.mail.att.net"),),
        needs=(need(Step.SEPARATE_PASSWORD, "https://www.att.com/support/article/email-support/KM1240308"),),
        source="https://www.att.com/support/article/email-support/KM1010523/",
    ),
    MailProvider(
        id="spectrum",
        name="Spectrum",
        domains=listed("charter.net spectrum.net bresnan.net"),
        servers=(implicit("mobile.charter.net", 587),),
        source="https://www.spectrum.net/support/internet/spectrum-email-server-settings/",
    ),
    MailProvider(
        id="earthlink",
        name="EarthLink",
        domains=listed("earthlink.net mindspring.com ix.netcom.com"),
        servers=(starttls("smtpauth.earthlink.net"),),
        source="https://help.earthlink.net/portal/en/kb/articles/email-server-settings",
    ),
    MailProvider(
        id="optimum",
        name="Optimum",
        domains=("optimum.net", "optonline.net"),
        servers=(implicit("mail.optimum.net"),),
        source="https://www.optimum.net/FAQ/",
    ),
)
