"""Providers of Germany, Austria and Switzerland. Settings from their help pages and Mozilla's ISPDB of March
2026, as read in November 2026."""

from __future__ import annotations

from relayd.core.mailproviders.provider import (
    MX,
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

_UNITED = Provider.UNITED_INTERNET
_GMX_2FA = "https://hilfe.gmx.net/sicherheit/2fa/anwendungsspezifisches-passwort.html"
_WEB_DE_2FA = "https://hilfe.web.de/sicherheit/2fa/anwendungsspezifisches-passwort.html"

# By the age of the account 50, 100, 400, then 500 (ionos.com, "What are the mass mailing limits").
_IONOS_LIMITS = Limits(messages_per_hour=500)


def _ionos(end: str, page: str, more_mx: tuple[str, ...] = (), domains: tuple[str, ...] = ()) -> MailProvider:
    """Accounts live in the country they were bought in, each with its own names of the servers."""
    return MailProvider(
        id=f"ionos-{end.rpartition('.')[2]}",
        name=f"IONOS ({end})",
        domains=domains,
        mx=(f"ionos.{end}", *more_mx),
        servers=either(f"smtp.ionos.{end}"),
        needs=(need(Step.MAILBOX_PASSWORD, page),),
        limits=_IONOS_LIMITS,
        from_rule=FromRule.ALIAS_ALLOWED,
        family=_UNITED,
        source=page,
    )


ROWS = (
    MailProvider(
        id="gmx",
        name="GMX",
        domains=(
            *named("gmx", "net de at ch eu biz org info"),
            *listed("mein.gmx mail.gmx email.gmx"),
        ),
        mx=("gmx.net",),
        servers=either("mail.gmx.net"),
        needs=(
            need(Step.PROGRAM_ACCESS, "https://hilfe.gmx.net/pop-imap/einschalten.html"),
            need(Step.APP_PASSWORD_IF_TWO_STEP, _GMX_2FA),
        ),
        limits=Limits(message_size=69_920_427),
        from_rule=FromRule.ALIAS_ALLOWED,
        family=_UNITED,
        source="https://hilfe.gmx.net/pop-imap/imap/imap-serverdaten.html",
    ),
    MailProvider(
        id="gmx-com",
        name="GMX.com",
        domains=named(
            "gmx",
            "com tm us co.uk es fr ca cn co.in com.br com.my hk ie ph pt ru se sg tw com.tr it li",
        ),
        mx=("gmx.com",),
        servers=either("mail.gmx.com"),
        needs=(
            need(Step.PROGRAM_ACCESS, "https://support.gmx.com/pop-imap/toggle.html"),
            need(
                Step.APP_PASSWORD_IF_TWO_STEP,
                "https://support.gmx.com/security/2fa/application-specific-passwords.html",
            ),
        ),
        from_rule=FromRule.ALIAS_ALLOWED,
        family=_UNITED,
        source="https://support.gmx.com/pop-imap/imap/server.html",
    ),
    MailProvider(
        id="web-de",
        name="WEB.DE",
        domains=("web.de", "email.de"),
        mx=("web.de",),
        servers=either("smtp.web.de"),
        username=Username.LOCAL_PART,
        needs=(
            need(Step.PROGRAM_ACCESS, "https://hilfe.web.de/pop-imap/einschalten.html"),
            need(Step.APP_PASSWORD_IF_TWO_STEP, _WEB_DE_2FA),
        ),
        from_rule=FromRule.ALIAS_ALLOWED,
        family=_UNITED,
        source="https://hilfe.web.de/pop-imap/imap/imap-serverdaten.html",
    ),
    _ionos(
        "de",
        "https://www.ionos.de/hilfe/e-mail/allgemeine-themen/serverinformationen-fuer-imap-pop3-und-smtp/",
        more_mx=("kundenserver.de", "schlund.de", "1und1.de"),
        domains=listed(
            "online.de onlinehome.de sofortstart.de sofort-start.de sofortsurf.de sofort-surf.de go4more.de"
        ),
    ),
    _ionos(
        "com",
        "https://www.ionos.com/help/email/general-topics/settings-for-your-email-programs-imap-pop3/",
        more_mx=("perfora.net",),
    ),
    _ionos(
        "co.uk",
        "https://www.ionos.co.uk/help/email/general-topics/settings-for-your-email-programs-imap-pop3/",
    ),
    _ionos(
        "fr",
        "https://www.ionos.fr/assistance/email/sujets-generaux/parametres-pour-les-programmes-de-messagerie/",
    ),
    MailProvider(
        id="strato",
        name="STRATO",
        mx=("rzone.de",),
        servers=either("smtp.strato.de"),
        needs=(
            need(
                Step.MAILBOX_PASSWORD,
                "https://www.strato.de/faq/mail/externes-e-mail-programm-mit-strato-e-mail-adresse-nutzen/",
            ),
        ),
        family=Provider.STRATO,
        source="https://www.strato.de/faq/mail/externes-e-mail-programm-mit-strato-e-mail-adresse-nutzen/",
    ),
    MailProvider(
        id="t-online",
        name="T-Online",
        domains=("t-online.de", "magenta.de"),
        mx=("t-online.de",),
        servers=either("securesmtp.t-online.de"),
        needs=(
            need(
                Step.SEPARATE_PASSWORD,
                "https://www.telekom.de/hilfe/apps-dienste/e-mail/programme/passwort-verwalten",
            ),
        ),
        family=Provider.TELEKOM,
        source="https://www.telekom.de/hilfe/apps-dienste/e-mail/einstellungen/posteingang-postausgang-server",
    ),
    MailProvider(
        id="freenet",
        name="freenet Mail",
        domains=listed("freenet.de fn.de freenetmail.de bossmail.de justmail.de"),
        mx=("freenet.de",),
        servers=either("mx.freenet.de"),
        needs=(need(Step.PROGRAM_ACCESS, "https://kundenservice.freenet.de/artikel/1685"),),
        source="https://kundenservice.freenet.de/artikel/1869",
    ),
    MailProvider(
        id="vodafone-de",
        name="Vodafone E-Mail (DE)",
        domains=listed("vodafonemail.de vodafone.de arcor.de unity-mail.de nexgo.de"),
        mx=("vodafonemail.de",),
        servers=either("smtp.vodafonemail.de"),
        source="https://www.vodafone.de/hilfe/vodafone-e-mail-cloud.html",
    ),
    MailProvider(
        id="ewe",
        name="EWE",
        domains=("ewe.net", "ewetel.net"),
        servers=(starttls("smtp.ewe.net"),),
        source="https://service.ewe.de/internet/faq-internet-und-telefon",
    ),
    MailProvider(
        id="m-net",
        name="M-net",
        domains=("mnet-mail.de", "mnet-online.de"),
        servers=(starttls("mail.mnet-online.de"),),
        source="https://www.m-net.de/hilfe-service/anleitungen/webmailer/",
    ),
    MailProvider(
        id="posteo",
        name="Posteo",
        domains=named(
            "posteo",
            "de at be ca ch cl co co.uk com com.br cr cz dk ee es eu fi gl gr hn hr hu ie in is it jp la li "
            "lt lu me mx my net nl no nz org pe pl pm pt ro se sg si tn uk us",
        ),
        mx=("posteo.de",),
        servers=either("posteo.de"),
        source="https://posteo.de/hilfe/wie-richte-ich-posteo-in-einem-mailprogramm-ein-pop3-imap-und-smtp",
    ),
    MailProvider(
        id="mailbox-org",
        name="mailbox.org",
        domains=("mailbox.org",),
        mx=("mailbox.org",),
        servers=either("smtp.mailbox.org"),
        needs=(
            need(
                Step.APP_PASSWORD_IF_TWO_STEP,
                "https://kb.mailbox.org/en/private/security-and-privacy/application-passwords-for-external-programs/",
            ),
        ),
        from_rule=FromRule.ALIAS_ALLOWED,
        family=Provider.MAILBOX_ORG,
        source="https://kb.mailbox.org/",
    ),
    MailProvider(
        id="mail-de",
        name="mail.de",
        domains=("mail.de",),
        mx=("mail.de",),
        servers=(implicit("smtp.mail.de"),),
        source="https://mail.de/hilfe/pop3-imap-einstellungen",
    ),
    MailProvider(
        id="hetzner",
        name="Hetzner",
        mx=("your-server.de",),
        servers=(implicit("mail.your-server.de"), starttls("mail.your-server.de")),
        needs=(need(Step.MAILBOX_PASSWORD, "https://docs.hetzner.com/konsoleh/"),),
        source="https://docs.hetzner.com/konsoleh/",
    ),
    MailProvider(
        id="domainfactory",
        name="domainfactory",
        mx=("ispgateway.de",),
        servers=(implicit("sslout.df.eu"),),
        source="https://www.df.eu/de/support/df-faq/e-mail/pop3-imap-postfaecher/mail-programme/",
    ),
    # Here and at netcup the account's own machine takes and sends mail, so the MX is the right server.
    MailProvider(
        id="all-inkl",
        name="ALL-INKL.COM",
        mx=("kasserver.com",),
        servers=either(MX),
        needs=(need(Step.MAILBOX_PASSWORD, "https://all-inkl.com/wichtig/anleitungen/"),),
        source="https://all-inkl.com/wichtig/anleitungen/",
    ),
    MailProvider(
        id="netcup",
        name="netcup",
        mx=("netcup.net",),
        servers=either(MX),
        source="https://helpcenter.netcup.com/de/wiki/webhosting",
    ),
    MailProvider(
        id="mittwald",
        name="Mittwald",
        mx=("agenturserver.de",),
        servers=(implicit("mail.agenturserver.de"),),
        source="https://www.mittwald.de/faq/e-mail/webmailer/e-mail-einrichtung-thunderbird",
    ),
    MailProvider(
        id="goneo",
        name="goneo",
        mx=("goneo.de",),
        servers=(implicit("smtp.goneo.de"),),
        source="https://wiki.goneo.de/e_mail_allgemein",
    ),
    MailProvider(
        id="1blu",
        name="1blu",
        mx=("1blu.de",),
        servers=(implicit("smtp.1blu.de"),),
        source="https://faq.1blu.de/",
    ),
    # --- Austria ---
    MailProvider(
        id="a1",
        name="A1",
        domains=("a1.net", "aon.at"),
        servers=(starttls("securemail.a1.net"),),
        source="https://github.com/thunderbird/autoconfig/blob/master/ispdb/a1.net.xml",
    ),
    MailProvider(
        id="magenta-at",
        name="Magenta (AT)",
        domains=("chello.at",),
        servers=(implicit("mail.mymagenta.at"),),
        source="https://www.magenta.at/",
    ),
    MailProvider(
        id="drei-at",
        name="Drei (AT)",
        domains=("drei.at",),
        servers=(implicit("smtp.drei.at"),),
        source="https://www.drei.at/de/info/support/e-mail-einstellungen/",
    ),
    MailProvider(
        id="world4you",
        name="World4You",
        mx=("world4you.com",),
        servers=(starttls("smtp.world4you.com"),),
        source="https://www.world4you.com/faq/",
    ),
    MailProvider(
        id="easyname",
        name="easyname",
        mx=("easyname.com", "easyname.eu"),
        servers=either("smtp.easyname.com"),
        username=Username.OWN,
        needs=(need(Step.MAILBOX_PASSWORD, "https://www.easyname.com/de/support"),),
        source="https://www.easyname.com/de/support",
    ),
    # --- Switzerland ---
    MailProvider(
        id="swisscom",
        name="Swisscom (Bluewin)",
        domains=("bluewin.ch", "bluemail.ch"),
        mx=("bluewin.ch",),
        servers=(implicit("smtpauths.bluewin.ch"),),
        needs=(need(Step.SEPARATE_PASSWORD, "https://emailsetup.swisscom.ch/guide/"),),
        source="https://emailsetup.swisscom.ch/guide/",
    ),
    MailProvider(
        id="sunrise",
        name="Sunrise",
        domains=("sunrise.ch",),
        servers=(implicit("smtp2.sunrise.ch"),),
        source="https://www.sunrise.ch/de/privatkunden/hilfe/nutzung-und-dienste/sunrise-mail.html",
    ),
    MailProvider(
        id="infomaniak",
        name="Infomaniak",
        domains=listed("ik.me ikmail.com etik.com"),
        mx=("infomaniak.ch", "infomaniak.com"),
        spf="spf.infomaniak.ch",
        servers=either("mail.infomaniak.com"),
        needs=(
            need(Step.MAILBOX_PASSWORD, "https://www.infomaniak.com/en/support/faq/admin2/email-service"),
        ),
        limits=Limits(recipients_per_message=100),
        family=Provider.INFOMANIAK,
        source="https://www.infomaniak.com/en/support/faq/admin2/email-service",
    ),
    MailProvider(
        id="hostpoint",
        name="Hostpoint",
        mx=("hostpoint.ch",),
        servers=either("asmtp.mail.hostpoint.ch"),
        needs=(need(Step.MAILBOX_PASSWORD, "https://support.hostpoint.ch/en/technical/e-mail"),),
        source="https://support.hostpoint.ch/en/technical/e-mail",
    ),
)
