"""The letter that says: your own mail server no longer takes our login, so your mail waits."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from relayd.core import phrases
from relayd.core.letters.letter import Facts, Follow, Letter, Part, Say, compose, filled, shown_name
from relayd.core.mail import IfUnproven
from relayd.core.reasons import Reason

SAID_MAX = 200
"""Characters of the server's answer. It is a stranger's text in a letter of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """What the letter tells. `said` is the server's answer, cleaned; `link` a page that helps."""

    platform: str
    customer: str
    address: str
    host: str
    reason: Reason
    at: datetime  # UTC
    if_unproven: IfUnproven
    said: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    subject: str
    title: str
    greeting: str
    opening: str
    waits: str
    new: Mapping[IfUnproven, str]
    after: str
    page: str
    server: str
    address: str
    time: str
    said: str
    foot: str


_D, _H, _R = IfUnproven.DEFAULT, IfUnproven.HOLD, IfUnproven.REJECT

WORDS: Mapping[str, Words] = {
    "de": Words(
        subject="{platform}: Ihr Mailserver nimmt unsere Anmeldung nicht mehr an",
        title="Ihr Mailserver nimmt unsere Anmeldung nicht mehr an",
        greeting="Guten Tag,",
        opening="{platform} versendet E-Mails von {customer} über Ihren eigenen Mailserver. Das geht seit "
        "eben nicht mehr:",
        waits="E-Mails, die schon angenommen sind, warten. Es geht keine verloren, und wir melden uns nicht "
        "weiter bei Ihrem Server an, damit Ihr Konto nicht gesperrt wird.",
        new={
            _D: "Neue E-Mails gehen bis dahin mit einer Adresse von {platform} als Absender hinaus; "
            "Antworten kommen weiter zu Ihnen.",
            _H: "Neue E-Mails warten bis dahin ebenfalls.",
            _R: "Neue E-Mails werden bis dahin abgelehnt.",
        },
        after="Sobald die neuen Einstellungen gespeichert sind, werden sie geprüft. Stimmen sie, geht alles "
        "von selbst weiter.",
        page="Hilfe Ihres Anbieters",
        server="Server",
        address="Adresse",
        time="Zeit",
        said="Antwort des Servers",
        foot="Diese E-Mail kommt von {platform}, höchstens einmal am Tag, solange die Anmeldung scheitert.",
    ),
    "en": Words(
        subject="{platform}: your mail server no longer accepts our login",
        title="Your mail server no longer accepts our login",
        greeting="Hello,",
        opening="{platform} sends mail of {customer} through your own mail server. Just now that stopped "
        "working:",
        waits="Mail that was already accepted waits. None of it is lost, and we don't log in to your server "
        "any more, so that your account isn't locked.",
        new={
            _D: "Until then new mail goes out with an address of {platform} as sender; replies still come to "
            "you.",
            _H: "Until then new mail waits too.",
            _R: "Until then new mail is refused.",
        },
        after="As soon as new settings are saved, they are checked. If they are right, everything goes on by "
        "itself.",
        page="Your provider's help page",
        server="Server",
        address="Address",
        time="Time",
        said="The server's answer",
        foot="This mail comes from {platform}, at most once a day while the login fails.",
    ),
    "fr": Words(
        subject="{platform} : votre serveur de messagerie n'accepte plus notre connexion",
        title="Votre serveur de messagerie n'accepte plus notre connexion",
        greeting="Bonjour,",
        opening="{platform} envoie les e-mails de {customer} par votre propre serveur de messagerie. Cela "
        "vient de cesser de fonctionner :",
        waits="Les e-mails déjà acceptés attendent. Aucun n'est perdu, et nous ne nous connectons plus à "
        "votre serveur, pour que votre compte ne soit pas bloqué.",
        new={
            _D: "D'ici là, les nouveaux e-mails partent avec une adresse de {platform} comme expéditeur ; "
            "les réponses vous parviennent toujours.",
            _H: "D'ici là, les nouveaux e-mails attendent aussi.",
            _R: "D'ici là, les nouveaux e-mails sont refusés.",
        },
        after="Dès que de nouveaux paramètres sont enregistrés, ils sont vérifiés. S'ils sont bons, "
        "tout repart de lui-même.",
        page="La page d'aide de votre fournisseur",
        server="Serveur",
        address="Adresse",
        time="Heure",
        said="Réponse du serveur",
        foot="Cet e-mail vient de {platform}, au plus une fois par jour tant que la connexion échoue.",
    ),
    "nl": Words(
        subject="{platform}: uw mailserver aanvaardt onze aanmelding niet meer",
        title="Uw mailserver aanvaardt onze aanmelding niet meer",
        greeting="Goedendag,",
        opening="{platform} verzendt e-mail van {customer} via uw eigen mailserver. Dat lukt sinds zojuist "
        "niet meer:",
        waits="E-mail die al is aangenomen, wacht. Er gaat niets verloren, en wij melden ons niet meer aan "
        "bij uw server, zodat uw account niet wordt geblokkeerd.",
        new={
            _D: "Nieuwe e-mail gaat tot dan uit met een adres van {platform} als afzender; antwoorden komen "
            "gewoon bij u aan.",
            _H: "Nieuwe e-mail wacht tot dan ook.",
            _R: "Nieuwe e-mail wordt tot dan geweigerd.",
        },
        after="Zodra nieuwe instellingen zijn opgeslagen, worden ze gecontroleerd. Kloppen ze, dan gaat "
        "alles vanzelf verder.",
        page="De hulppagina van uw provider",
        server="Server",
        address="Adres",
        time="Tijd",
        said="Antwoord van de server",
        foot="Deze e-mail komt van {platform}, hoogstens één keer per dag zolang de aanmelding mislukt.",
    ),
}


def upstream_failed(failed: Failed, language: str) -> Letter:
    """The letter in this language. Raises KeyError for one that isn't in `core.phrases.LANGUAGES`."""
    words = WORDS[language]
    places = {
        "platform": shown_name(failed.platform),
        "customer": shown_name(failed.customer) or failed.address,
    }
    rows = [
        (words.server, failed.host),
        (words.address, failed.address),
        (words.time, f"{failed.at:%Y-%m-%d %H:%M} UTC"),
    ]
    parts: list[Part] = [
        Say(words.greeting),
        Say(filled(words.opening, places)),
        Say(phrases.text(failed.reason, language)),
        Say(phrases.remedy(failed.reason, language)),
    ]
    if failed.link is not None:
        parts.append(Follow(f"{words.page}:", failed.link, failed.link))
    parts.append(Facts(tuple(rows)))
    if failed.said is not None:
        said = textwrap.shorten(failed.said, SAID_MAX, placeholder="…")
        parts.append(Say(f"{words.said}: {said}", quiet=True))
    parts += [
        Say(words.waits),
        Say(filled(words.new[failed.if_unproven], places)),
        Say(words.after),
    ]
    return compose(
        language=language,
        subject=filled(words.subject, places),
        title=words.title,
        parts=parts,
        foot=filled(words.foot, places),
    )
