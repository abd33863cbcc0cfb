"""Providers are known by the names of their servers."""

import pytest

from relayd.core.providers import CARDS, Provider, card, help_page, identify, recognise
from relayd.core.reasons import Reason


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("gmail-smtp-in.l.google.com", Provider.GOOGLE),
        ("aspmx2.googlemail.com", Provider.GOOGLE),
        ("smtp.gmail.com", Provider.GOOGLE),
        ("acme-example.mail.protection.outlook.com", Provider.MICROSOFT),
        ("hotmail-com.olc.protection.outlook.com", Provider.MICROSOFT),
        ("acme-example.r-v1.mx.microsoft", Provider.MICROSOFT),
        ("smtp.office365.com", Provider.MICROSOFT),
        ("smtp-mail.outlook.com", Provider.MICROSOFT),
        ("mta5.am0.yahoodns.net", Provider.YAHOO),
        ("smtp.aol.com", Provider.YAHOO),
        ("mx01.mail.icloud.com", Provider.APPLE),
        ("smtp.mail.me.com", Provider.APPLE),
        ("mx00.gmx.net", Provider.UNITED_INTERNET),
        ("mx-ha02.web.de", Provider.UNITED_INTERNET),
        ("mx00.kundenserver.de", Provider.UNITED_INTERNET),
        ("smtp.ionos.de", Provider.UNITED_INTERNET),
        ("mx00.t-online.de", Provider.TELEKOM),
        ("smtpin.rzone.de", Provider.STRATO),
        ("smtp-in.orange.fr", Provider.ORANGE),
        ("smtp4.laposte.net", Provider.LAPOSTE),
        ("mx1.free.fr", Provider.FREE),
        ("ssl0.ovh.net", Provider.OVH),
        ("mta-gw.infomaniak.ch", Provider.INFOMANIAK),
        ("mail.protonmail.ch", Provider.PROTON),
        ("mx.zoho.eu", Provider.ZOHO),
        ("in1-smtp.messagingengine.com", Provider.FASTMAIL),
        ("mxext1.mailbox.org", Provider.MAILBOX_ORG),
        ("relay.proximus.be", Provider.PROXIMUS),
        ("smtp.telenet.be", Provider.TELENET),
        ("smtp-auth.mailprotect.be", Provider.COMBELL),
        ("smtp.kpnmail.nl", Provider.KPN),
        ("eu-smtp-inbound-1.mimecast.com", Provider.MIMECAST),
        ("mx0a-00000001.pphosted.com", Provider.PROOFPOINT),
        ("d1.ess.barracudanetworks.com", Provider.BARRACUDA),
        ("email-smtp.eu-central-1.amazonaws.com", Provider.AMAZON_SES),
        ("smtp.sendgrid.net", Provider.SENDGRID),
        ("smtp.eu.mailgun.org", Provider.MAILGUN),
        ("smtp.postmarkapp.com", Provider.POSTMARK),
        ("smtp-relay.brevo.com", Provider.BREVO),
        ("MX00.GMX.NET.", Provider.UNITED_INTERNET),
        ("ec2-192-0-2-1.eu-central-1.compute.amazonaws.com", None),
        ("mx.notgmx.net", None),
        ("gmx.net.example.org", None),
        ("", None),
        (None, None),
    ],
)
def test_a_server_is_recognised_by_whole_labels(host: str | None, provider: Provider | None) -> None:
    assert recognise(host) is provider


def test_every_provider_has_one_card_and_no_suffix_stands_on_two() -> None:
    suffixes = [suffix for each in CARDS for suffix in each.suffixes]

    assert [each.provider for each in CARDS] == list(Provider)
    assert len(suffixes) == len(set(suffixes))
    assert all(recognise("mx." + suffix) is each.provider for each in CARDS for suffix in each.suffixes)
    assert card(Provider.TELEKOM).name == "T-Online"


def test_a_help_page_belongs_to_a_provider_and_a_cause() -> None:
    page = help_page(Provider.GOOGLE, Reason.AUTH_APP_PASSWORD_NEEDED)

    assert page == "https://support.google.com/accounts/answer/185833"
    assert help_page(Provider.GOOGLE, Reason.RECIPIENT_FULL) is None
    assert help_page(None, Reason.AUTH_APP_PASSWORD_NEEDED) is None


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ("No such user - gsmtp", Provider.GOOGLE),
        ("access denied [db5eur03ft012.eop-eur03.prod.protection.outlook.com]", Provider.MICROSOFT),
        ("invalid recipient. ofr_416", Provider.ORANGE),
        ("no such user", None),
    ],
)
def test_a_reply_without_a_host_is_known_by_its_marks(text: str, provider: Provider | None) -> None:
    assert identify("", text) is provider
    assert identify("mx00.gmx.net", text) is Provider.UNITED_INTERNET
