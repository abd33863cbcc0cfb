"""Providers of Belgium and the Netherlands. Settings from their help pages and Mozilla's ISPDB of
March 2026, as read in November 2026."""

from __future__ import annotations

from relayd.core.mailproviders.provider import (
    MailProvider,
    Step,
    Username,
    either,
    implicit,
    listed,
    need,
    starttls,
)
from relayd.core.providers import Provider

ROWS = (
    MailProvider(
        id="proximus",
        name="Proximus",
        domains=listed("proximus.be skynet.be belgacom.net kidcity.be"),
        mx=("proximus.be", "skynet.be", "belgacom.be"),
        servers=(starttls("relay.proximus.be"),),
        family=Provider.PROXIMUS,
        source="https://github.com/thunderbird/autoconfig/blob/master/ispdb/skynet.be.xml",
    ),
    MailProvider(
        id="telenet",
        name="Telenet",
        domains=("telenet.be",),
        mx=("telenet-ops.be",),
        servers=(starttls("smtp.telenet.be"),),
        needs=(
            need(
                Step.MAILBOX_PASSWORD,
                "https://www2.telenet.be/residential/nl/klantenservice/internet/e-mail/mailbox-beheren-in-mijn-telenet/",
            ),
        ),
        family=Provider.TELENET,
        source="https://www2.telenet.be/nl/klantenservice/e-mails-versturen/",
    ),
    MailProvider(
        id="scarlet",
        name="Scarlet",
        domains=("scarlet.be",),
        servers=(implicit("smtp.scarlet.be"),),
        source="https://www.scarlet.be/help/faq/769/59/Welke-standaardinstellingen-gebruikt-Scarlet-voor-e-mail",
    ),
    MailProvider(
        id="combell",
        name="Combell",
        mx=("mailprotect.be",),
        servers=(
            implicit("smtp-auth.mailprotect.be"),
            starttls("smtp-auth.mailprotect.be", 2525),
        ),
        needs=(
            need(
                Step.MAILBOX_PASSWORD,
                "https://www.combell.com/en/help/kb/set-up-a-basic-mailbox-on-your-devices/",
            ),
        ),
        family=Provider.COMBELL,
        source="https://www.combell.com/en/help/kb/set-up-a-basic-mailbox-on-your-devices/",
    ),
    MailProvider(
        id="one-com",
        name="one.com",
        mx=("one.com",),
        servers=(implicit("send.one.com"), starttls("send.one.com")),
        needs=(
            need(
                Step.MAILBOX_PASSWORD,
                "https://help.one.com/hc/en-us/articles/115005586769-Setting-up-a-Mobile-Phone",
            ),
        ),
        source="https://help.one.com/hc/en-us/articles/115005586769-Setting-up-a-Mobile-Phone",
    ),
    MailProvider(
        id="kpn",
        name="KPN",
        domains=listed(
            "kpnmail.nl kpnplanet.nl planet.nl wxs.nl hetnet.nl freeler.nl snelnet.net on.nl "
            "onsbrabantnet.nl onsmail.nl onsnet.nu onsneteindhoven.nl onsnetnuenen.nl xs4all.nl "
            "telfort.nl tip.nl tiscali.nl tiscalimail.nl"
        ),
        mx=("kpnmail.nl",),
        servers=either("smtp.kpnmail.nl"),
        family=Provider.KPN,
        source="https://www.kpn.com/service/internet/e-mail/instellen-laptop-pc.htm",
    ),
    MailProvider(
        id="ziggo",
        name="Ziggo",
        domains=listed(
            "ziggo.nl ziggomail.com casema.nl zinders.nl zeggis.nl zeggis.com hahah.nl razcall.nl "
            "razcall.com upcmail.nl chello.nl multiweb.nl home.nl quicknet.nl a2000.nl"
        ),
        servers=(starttls("smtp.ziggo.nl"),),
        source="https://www.ziggo.nl/klantenservice/internet/e-mail/serverinstellingen",
    ),
    MailProvider(
        id="zeelandnet",
        name="ZeelandNet",
        domains=("zeelandnet.nl",),
        servers=(implicit("mail.zeelandnet.nl"),),
        username=Username.LOCAL_PART,
        source="https://github.com/thunderbird/autoconfig/blob/master/ispdb/zeelandnet.nl.xml",
    ),
    MailProvider(
        id="freedom",
        name="Freedom Internet",
        domains=("freedom.nl",),
        mx=("freedom.nl",),
        servers=(implicit("smtp.freedom.nl"),),
        source="https://www.freedom.nl/support",
    ),
    MailProvider(
        id="solcon",
        name="Solcon",
        domains=("solcon.nl",),
        mx=("solcon.nl",),
        servers=(starttls("mail.solcon.nl"),),
        source="https://www.solcon.nl/zakelijk/klantenservice/e-mail/wat-zijn-de-e-mail-instellingen-voor-solcon/",
    ),
    MailProvider(
        id="hccnet",
        name="HCCnet",
        domains=("hcc.nl", "hccnet.nl"),
        servers=(implicit("smtp.hccnet.nl"),),
        source="https://www.hcc.nl/hccnet",
    ),
    MailProvider(
        id="transip",
        name="TransIP",
        mx=("transip.email",),
        servers=either("smtp.transip.email"),
        needs=(need(Step.MAILBOX_PASSWORD, "https://www.transip.nl/knowledgebase/"),),
        source="https://www.transip.nl/knowledgebase/",
    ),
    MailProvider(
        id="mijndomein",
        name="Mijndomein",
        mx=("mijndomein.nl",),
        servers=(implicit("mail.mijndomein.nl"),),
        source="https://mijndomein.zendesk.com/hc/nl/articles/200448252-E-mail-instellen-in-een-eigen-e-mailprogramma-met-IMAP",
    ),
    MailProvider(
        id="yourhosting",
        name="Yourhosting",
        mx=("yourfilter.nl",),
        servers=(implicit("mail.yourhosting.nl"),),
        source="https://www.yourhosting.nl/kennisbank/e-mail/gegevens-om-mail-in-te-stellen/",
    ),
    MailProvider(
        id="sohosted",
        name="SoHosted",
        mx=("sohosted.com",),
        servers=(implicit("hostingsecure.email"),),
        source="https://support.hoasted.com/article/235-e-mail-instellen-op-google-android",
    ),
    MailProvider(
        id="soverin",
        name="Soverin",
        mx=("soverin.net",),
        servers=(implicit("smtp.soverin.net"),),
        source="https://soverin.nl/help/setup",
    ),
    MailProvider(
        id="startmail",
        name="StartMail",
        domains=("startmail.com",),
        mx=("startmail.com",),
        servers=(implicit("smtp.startmail.com"),),
        needs=(
            need(
                Step.SEPARATE_PASSWORD,
                "https://support.startmail.com/hc/en-us/articles/360006536217-Configure-a-trusted-device-IMAP-password",
            ),
        ),
        source="https://support.startmail.com/hc/en-us/articles/360006596718-Server-addresses",
    ),
)
