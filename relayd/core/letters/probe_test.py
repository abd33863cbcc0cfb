"""The mail that a probe sends through the customer's own server, to the customer: which sender does it show?

Only who reads it can know: a provider that replaces the sender says nothing, and nobody else gets the mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relayd.core.letters.letter import filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    subject: str
    text: str


_WORDS: Mapping[str, Words] = {
    "de": Words(
        subject="Testmail: Stimmt der Absender?",
        text="Diese Testmail hat {platform} über Ihren eigenen Mailserver gesendet.\n\n"
        "Sehen Sie oben nach, welcher Absender angezeigt wird. Richtig ist:\n\n    {address}\n\n"
        "Dann ist nichts zu tun. Steht dort eine andere Adresse, ersetzt Ihr E-Mail-Anbieter den Absender; "
        "auch Ihre Kunden sähen dann diese andere Adresse. Melden Sie sie in diesem Fall bei {platform}.\n",
    ),
    "en": Words(
        subject="Test mail: is the sender right?",
        text="{platform} has sent this test mail through your own mail server.\n\n"
        "Look at the sender shown above. This one is right:\n\n    {address}\n\n"
        "Then there is nothing to do. If it is another address, your mail provider replaces the sender, and "
        "your customers would see that other address too. In that case, tell {platform} which it is.\n",
    ),
    "fr": Words(
        subject="E-mail de test : l'expéditeur est-il le bon ?",
        text="{platform} a envoyé cet e-mail de test par votre propre serveur de messagerie.\n\n"
        "Regardez l'expéditeur affiché ci-dessus. Le bon est :\n\n    {address}\n\n"
        "Dans ce cas, il n'y a rien à faire. Si c'est une autre adresse, votre fournisseur remplace "
        "l'expéditeur, et vos clients verraient aussi cette autre adresse. Indiquez-la alors à {platform}.\n",
    ),
    "nl": Words(
        subject="Testmail: klopt de afzender?",
        text="{platform} heeft deze testmail via uw eigen mailserver verzonden.\n\n"
        "Kijk welke afzender hierboven staat. Dit is de juiste:\n\n    {address}\n\n"
        "Dan hoeft u niets te doen. Staat er een ander adres, dan vervangt uw e-mailprovider de afzender, en "
        "zouden ook uw klanten dat andere adres zien. Meld het in dat geval aan {platform}.\n",
    ),
}


def probe_test(language: str, *, platform: str, address: str) -> tuple[str, str]:
    """Subject and text. Raises KeyError for a language that there isn't."""
    words = _WORDS[language]
    return words.subject, filled(words.text, {"platform": platform, "address": address})
