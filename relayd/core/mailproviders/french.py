"""Providers of France. Settings from their help pages and Mozilla's ISPDB of March 2026, as read in November
2026."""

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
        id="orange-fr",
        name="Orange",
        domains=("orange.fr", "wanadoo.fr"),
        servers=(implicit("smtp.orange.fr"),),
        family=Provider.ORANGE,
        source="https://assistance.orange.fr/ordinateurs-peripheriques/installer-et-utiliser/l-utilisation-du-mail-et-du-cloud/les-logiciels-de-messagerie/thunderbird/thunderbird-pc-creer-un-compte-de-messagerie_65963-66803",
    ),
    MailProvider(
        id="free",
        name="Free",
        domains=("free.fr", "libertysurf.fr"),
        servers=(implicit("smtp.free.fr"),),
        username=Username.LOCAL_PART,
        needs=(
            need(
                Step.PROGRAM_ACCESS,
                "https://assistance.free.fr/articles/configurer-de-maniere-avancee-mon-logiciel-de-messagerie-609",
            ),
        ),
        family=Provider.FREE,
        source="https://assistance.free.fr/articles/configurer-de-maniere-avancee-mon-logiciel-de-messagerie-609",
    ),
    # An alias can't log in there.
    MailProvider(
        id="laposte",
        name="La Poste",
        domains=("laposte.net",),
        servers=(implicit("smtp.laposte.net"),),
        username=Username.LOCAL_PART,
        family=Provider.LAPOSTE,
        source="https://aide.laposte.net/contents/comment-parametrer-un-logiciel-de-messagerie-pour-envoyer-et-recevoir-mes-courriers-electroniques",
    ),
    MailProvider(
        id="sfr",
        name="SFR",
        domains=listed("sfr.fr neuf.fr club-internet.fr cegetel.net 9online.fr"),
        servers=(implicit("smtp.sfr.fr"),),
        source="https://assistance.sfr.fr/service-et-accessoire/sfr-mail/serveurs-messagerie-sfr.html",
    ),
    MailProvider(
        id="bouygues",
        name="Bouygues Telecom (Bbox)",
        domains=("bbox.fr",),
        servers=(implicit("smtp.bbox.fr"),),
        source="https://www.assistance.bouyguestelecom.fr/s/article/logiciel-messagerie-emails-bbox",
    ),
    MailProvider(
        id="mailo",
        name="Mailo",
        domains=listed(
            "mailo.com mailo.eu mailo.fr mailoo.org netcourrier.com net-c.be net-c.ca net-c.com net-c.es "
            "net-c.fr net-c.it net-c.lu net-c.nl net-c.pl netc.eu netc.fr netc.it netc.lu netc.pl "
            "francemel.fr europamel.net lavache.com emailasso.net perso.be"
        ),
        mx=("mailo.com",),
        servers=(implicit("mail.mailo.com"),),
        source="https://faq.mailo.com/",
    ),
    MailProvider(
        id="ovh",
        name="OVHcloud",
        mx=("ovh.net",),
        servers=either("ssl0.ovh.net"),
        needs=(need(Step.MAILBOX_PASSWORD, "https://help.ovhcloud.com/"),),
        family=Provider.OVH,
        source="https://help.ovhcloud.com/",
    ),
    MailProvider(
        id="gandi",
        name="Gandi",
        mx=("gandi.net",),
        servers=either("mail.gandi.net"),
        needs=(need(Step.MAILBOX_PASSWORD, "https://docs.gandi.net/en/gandimail/standard_email_settings/"),),
        source="https://docs.gandi.net/en/gandimail/standard_email_settings/",
    ),
    MailProvider(
        id="netim",
        name="NETIM",
        mx=("netim.hosting",),
        servers=(implicit("mail1.netim.hosting"),),
        source="https://support.netim.com/en/wiki/Setup_your_messaging_software",
    ),
    MailProvider(
        id="ecomail",
        name="Ecomail",
        domains=("ecomail.fr",),
        mx=("ecomail.fr",),
        servers=(starttls("smtp.ecomail.fr"),),
        source="https://sav.ecomail.earth/",
    ),
)
