"""Sentences about what was found, or not, in looking for the server of an address; the place {name} is the
domain, or the service that stands before the mailbox."""

from __future__ import annotations

from collections.abc import Mapping

from relayd.core.discovery import Note

_TEXTS: Mapping[Note, Mapping[str, str]] = {
    Note.NO_DOMAIN: {
        "de": "Es gibt keine Domain {name}: Prüfen Sie die Adresse auf Tippfehler.",
        "en": "There is no domain {name}: check the address for typing errors.",
        "fr": "Il n'existe pas de domaine {name} : vérifiez que l'adresse ne contient pas de faute de "
        "frappe.",
        "nl": "Er is geen domein {name}: controleer het adres op tikfouten.",
    },
    Note.NO_MAIL: {
        "de": "An {name} lässt sich keine E-Mail schicken; Antworten und Bestätigungen kämen dort nicht an.",
        "en": "{name} takes no mail; answers and confirmations would not arrive there.",
        "fr": "{name} ne reçoit pas de courrier ; réponses et confirmations n'y arriveraient pas.",
        "nl": "{name} ontvangt geen e-mail; antwoorden en bevestigingen zouden er niet aankomen.",
    },
    Note.NO_SERVICE: {
        "de": "{name} sagt im DNS ausdrücklich, dass es dort keinen Server zum Versenden gibt (SRV).",
        "en": "{name} says expressly in DNS that there is no server for sending (SRV).",
        "fr": "{name} indique expressément dans le DNS qu'il n'y a pas de serveur d'envoi (SRV).",
        "nl": "{name} zegt in DNS uitdrukkelijk dat er geen server voor verzenden is (SRV).",
    },
    Note.DNS_TROUBLE: {
        "de": "DNS antwortet gerade nicht für {name}. Versuchen Sie es in einigen Minuten noch einmal.",
        "en": "DNS doesn't answer for {name} just now. Try again in some minutes.",
        "fr": "Le DNS ne répond pas pour {name} en ce moment. Réessayez dans quelques minutes.",
        "nl": "DNS antwoordt op dit moment niet voor {name}. Probeer het over enkele minuten opnieuw.",
    },
    Note.FILTERED: {
        "de": "Die Post der Domain läuft durch den Filter von {name}; bei wem das Postfach liegt, ist von "
        "außen nicht zu sehen. Fragen Sie den, der Ihre E-Mail betreut, nach dem Postausgangsserver (SMTP).",
        "en": "The domain's mail passes through the filter of {name}; who has the mailbox can't be seen "
        "from outside. Ask whoever looks after your e-mail for the outgoing server (SMTP).",
        "fr": "Le courrier du domaine passe par le filtre de {name} ; de l'extérieur, on ne voit pas chez "
        "qui est la boîte. Demandez le serveur d'envoi (SMTP) à la personne qui s'occupe de votre "
        "messagerie.",
        "nl": "De e-mail van het domein gaat door het filter van {name}; bij wie de mailbox is, is van "
        "buiten niet te zien. Vraag wie uw e-mail beheert naar de uitgaande server (SMTP).",
    },
    Note.NOTHING_FOUND: {
        "de": "Wir haben keinen Server gefunden. Fragen Sie Ihren E-Mail-Anbieter nach dem "
        "Postausgangsserver (SMTP).",
        "en": "We found no server. Ask your mail provider for the outgoing mail server (SMTP).",
        "fr": "Nous n'avons trouvé aucun serveur. Demandez à votre fournisseur de messagerie le serveur de "
        "courrier sortant (SMTP).",
        "nl": "We hebben geen server gevonden. Vraag uw e-mailprovider naar de server voor uitgaande e-mail "
        "(SMTP).",
    },
    Note.ONLY_GUESSES: {
        "de": "Diese Namen sind geraten: {name} veröffentlicht keine Einstellungen für E-Mail-Programme. "
        "Fragen Sie im Zweifel Ihren E-Mail-Anbieter nach dem Postausgangsserver (SMTP).",
        "en": "These names are guesses: {name} publishes no settings for mail programs. If in doubt, "
        "ask your mail provider for the outgoing mail server (SMTP).",
        "fr": "Ces noms sont des suppositions : {name} ne publie pas de paramètres pour les programmes de "
        "messagerie. En cas de doute, demandez à votre fournisseur le serveur de courrier sortant (SMTP).",
        "nl": "Deze namen zijn een gok: {name} publiceert geen instellingen voor e-mailprogramma's. Vraag "
        "bij twijfel uw e-mailprovider naar de server voor uitgaande e-mail (SMTP).",
    },
}


def note(kind: Note, name: str, language: str) -> str:
    """Raises KeyError for a language that isn't in `phrases.LANGUAGES`."""
    return _TEXTS[kind][language].replace("{name}", name)
