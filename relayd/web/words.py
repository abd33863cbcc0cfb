"""The sentences of the pages, beside those that stand in the letter. Places as there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    name: str  # of the language
    languages: str
    yes: str
    not_you: str  # before the link that says no
    not_me: str
    again: str  # the form came from elsewhere, or without its cookie
    thanks: str
    thanks_text: tuple[str, str]
    no_title: str
    no_text: tuple[str, str]
    no: str
    back: str
    ended: str
    ended_text: str
    gone: str
    gone_text: tuple[str, str]
    trouble: str
    trouble_text: str


_GERMAN = Words(
    name="Deutsch",
    languages="Sprache",
    yes="Ja, Adresse bestätigen",
    not_you="Nicht Sie?",
    not_me="Das war ich nicht",
    again="Bitte drücken Sie noch einmal auf den Knopf. Wenn diese Meldung bleibt, erlauben Sie dem Browser "
    "Cookies für diese Seite, oder geben Sie den Code aus der E-Mail in {platform} ein.",
    thanks="Danke, die Adresse ist bestätigt",
    thanks_text=(
        "E-Mails von {customer} dürfen jetzt {address} als Absender tragen.",
        "Sie können diese Seite schließen.",
    ),
    no_title="Das waren nicht Sie?",
    no_text=(
        "Dann beenden Sie die Anfrage. {customer} darf {address} dann nicht als Absender verwenden.",
        "Wir fragen Sie dann einen Tag lang gar nichts, und für {customer} eine Woche lang nicht mehr.",
    ),
    no="Anfrage beenden",
    back="Zurück zur Bestätigung",
    ended="Die Anfrage ist beendet",
    ended_text="{address} wird nicht als Absender verwendet. Sie müssen nichts weiter tun.",
    gone="Dieser Link gilt nicht mehr",
    gone_text=(
        "Er wurde schon benutzt, ist älter als {hours} Stunden, oder es gibt eine neuere E-Mail. Wenn Sie "
        "die Adresse schon bestätigt haben, ist alles erledigt.",
        "Sonst fordern Sie in {platform} eine neue Bestätigungsmail an, und öffnen Sie den Link in der "
        "neuesten E-Mail.",
    ),
    trouble="Das hat gerade nicht geklappt",
    trouble_text="Es liegt an uns, und es wurde nichts geändert. Bitte versuchen Sie es in ein paar Minuten "
    "noch einmal.",
)

_ENGLISH = Words(
    name="English",
    languages="Language",
    yes="Yes, confirm this address",
    not_you="Not you?",
    not_me="This wasn't me",
    again="Please press the button once more. If this message stays, allow cookies for this page in your "
    "browser, or enter the code from the e-mail in {platform}.",
    thanks="Thank you, the address is confirmed",
    thanks_text=(
        "E-mail from {customer} may now carry {address} as its sender.",
        "You can close this page.",
    ),
    no_title="This wasn't you?",
    no_text=(
        "Then end the request. {customer} may not use {address} as a sender.",
        "We then ask you nothing for a day, and nothing for {customer} for a week.",
    ),
    no="End the request",
    back="Back to confirming",
    ended="The request has ended",
    ended_text="{address} isn't used as a sender. There is nothing more to do.",
    gone="This link can no longer be used",
    gone_text=(
        "It has been used already, is older than {hours} hours, or there is a newer e-mail. If you have "
        "confirmed the address already, everything is done.",
        "Otherwise ask for a new confirmation mail in {platform}, and open the link in the newest e-mail.",
    ),
    trouble="That didn't work just now",
    trouble_text="The fault is ours, and nothing was changed. Please try again in a few minutes.",
)

_FRENCH = Words(
    name="Français",
    languages="Langue",
    yes="Oui, confirmer l’adresse",
    not_you="Ce n’est pas vous ?",
    not_me="Ce n’était pas moi",
    again="Merci d’appuyer encore une fois sur le bouton. Si ce message persiste, autorisez les cookies pour "
    "cette page dans votre navigateur, ou saisissez le code de l’e-mail dans {platform}.",
    thanks="Merci, l’adresse est confirmée",
    thanks_text=(
        "Les e-mails de {customer} peuvent désormais porter {address} comme expéditeur.",
        "Vous pouvez fermer cette page.",
    ),
    no_title="Ce n’était pas vous ?",
    no_text=(
        "Alors mettez fin à la demande. {customer} ne pourra pas utiliser {address} comme expéditeur.",
        "Nous ne vous demanderons plus rien pendant un jour, et rien pour {customer} pendant une semaine.",
    ),
    no="Mettre fin à la demande",
    back="Retour à la confirmation",
    ended="La demande est close",
    ended_text="{address} ne sert pas d’expéditeur. Vous n’avez plus rien à faire.",
    gone="Ce lien n’est plus valable",
    gone_text=(
        "Il a déjà servi, il date de plus de {hours} heures, ou un e-mail plus récent l’a remplacé. Si vous "
        "avez déjà confirmé l’adresse, tout est en ordre.",
        "Sinon, demandez un nouvel e-mail de confirmation dans {platform} et ouvrez le lien du plus récent.",
    ),
    trouble="Cela n’a pas fonctionné",
    trouble_text="La faute est de notre côté, et rien n’a été modifié. Merci de réessayer dans quelques "
    "minutes.",
)

_DUTCH = Words(
    name="Nederlands",
    languages="Taal",
    yes="Ja, dit adres bevestigen",
    not_you="Bent u dit niet?",
    not_me="Dit was ik niet",
    again="Druk nog één keer op de knop. Blijft deze melding staan, sta dan in uw browser cookies toe voor "
    "deze pagina, of voer de code uit de e-mail in {platform} in.",
    thanks="Bedankt, het adres is bevestigd",
    thanks_text=(
        "E-mail van {customer} mag nu {address} als afzender dragen.",
        "U kunt deze pagina sluiten.",
    ),
    no_title="Was u dit niet?",
    no_text=(
        "Beëindig dan het verzoek. {customer} mag {address} dan niet als afzender gebruiken.",
        "We vragen u dan een dag lang niets, en een week lang niets voor {customer}.",
    ),
    no="Verzoek beëindigen",
    back="Terug naar het bevestigen",
    ended="Het verzoek is beëindigd",
    ended_text="{address} wordt niet als afzender gebruikt. U hoeft verder niets te doen.",
    gone="Deze link is niet meer geldig",
    gone_text=(
        "Hij is al gebruikt, is ouder dan {hours} uur, of er is een nieuwere e-mail. Hebt u het adres al "
        "bevestigd, dan is alles in orde.",
        "Vraag anders in {platform} een nieuwe bevestigingsmail aan en open de link in de nieuwste e-mail.",
    ),
    trouble="Dat lukte nu even niet",
    trouble_text="Het ligt aan ons, en er is niets gewijzigd. Probeer het over een paar minuten opnieuw.",
)

WORDS: Mapping[str, Words] = {"de": _GERMAN, "en": _ENGLISH, "fr": _FRENCH, "nl": _DUTCH}

_WANTED = re.compile(r"([a-z]{2})(?:-[a-z0-9-]+)?(?:;q=([01](?:\.[0-9]{1,3})?))?", re.IGNORECASE)


def preferred(accept_language: str) -> str:
    """The language that a browser prefers of those we speak (RFC 9110 section 12.5.4); English for none."""
    wanted = [_WANTED.fullmatch(part.strip()) for part in accept_language[:200].split(",")]
    known = [
        (float(found[2] or 1), found[1].lower()) for found in wanted if found and found[1].lower() in WORDS
    ]
    return max(known, key=lambda one: one[0])[1] if known else "en"
