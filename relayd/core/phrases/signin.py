"""What became of signing in at a provider, and what to do: for the page, the API and the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from relayd.core.oauth import Problem

PROVIDERS = {"microsoft": "Microsoft", "google": "Google"}

_Words = Mapping[Problem, tuple[str, str]]  # what happened, what to do

_ENGLISH: _Words = {
    Problem.NOT_WANTED: (
        "These mail settings don't use a sign-in at Microsoft or Google.",
        "Set the sender's upstream.oauth to microsoft or google first.",
    ),
    Problem.NO_PAGE: (
        "There is no page yet that you could come back to after signing in.",
        "The platform's operator has to set http.public_listen and http.public_url, or sign in with "
        "--device.",
    ),
    Problem.NO_DEVICE: (
        "{provider} does not offer sign-in with a code for sending mail.",
        "Sign in in a browser instead.",
    ),
    Problem.EXPIRED: (
        "This sign-in has run out, or was used before.",
        "Begin again. A sign-in has to be finished within 15 minutes.",
    ),
    Problem.DENIED: (
        "You did not give the permission to send mail.",
        "Begin again and agree, if your mail is to leave through your own account.",
    ),
    Problem.OTHER_ACCOUNT: (
        "You signed in as {account}, but the mail settings name {username}.",
        "Begin again and sign in as {username}, or change the account in the mail settings first. Nothing "
        "was connected.",
    ),
    Problem.NO_MAIL: (
        "You signed in, but sending mail was not among what you allowed.",
        "Begin again and tick the box for sending mail.",
    ),
    Problem.NOT_LASTING: (
        "{provider} gave a permission that ends within the hour.",
        "The platform's operator has to allow lasting access (offline access) in its registration.",
    ),
    Problem.MIXED_UP: (
        "What came back does not belong to this sign-in.",
        "Begin again from your mail settings, and only follow links that you asked for.",
    ),
    Problem.CHANGED: (
        "The mail settings were changed during the sign-in.",
        "Begin again with the new settings.",
    ),
    Problem.OURS: (
        "{provider} does not accept the platform's registration.",
        "The platform's operator has to correct it; there is nothing for you to do.",
    ),
    Problem.PASSING: (
        "{provider} can't be reached just now, or the sign-in could not be kept.",
        "Begin again in a few minutes.",
    ),
}

_GERMAN: _Words = {
    Problem.NOT_WANTED: (
        "Diese E-Mail-Einstellungen sehen keine Anmeldung bei Microsoft oder Google vor.",
        "Stellen Sie beim Absender zuerst upstream.oauth auf microsoft oder google.",
    ),
    Problem.NO_PAGE: (
        "Es gibt noch keine Seite, zu der Sie nach der Anmeldung zurückkehren könnten.",
        "Der Betreiber der Plattform muss http.public_listen und http.public_url setzen oder sich mit "
        "--device anmelden.",
    ),
    Problem.NO_DEVICE: (
        "{provider} bietet für den E-Mail-Versand keine Anmeldung mit Code an.",
        "Melden Sie sich stattdessen im Browser an.",
    ),
    Problem.EXPIRED: (
        "Diese Anmeldung ist abgelaufen oder wurde schon verwendet.",
        "Beginnen Sie neu. Eine Anmeldung muss innerhalb von 15 Minuten abgeschlossen sein.",
    ),
    Problem.DENIED: (
        "Sie haben die Erlaubnis zum Versenden nicht erteilt.",
        "Beginnen Sie neu und stimmen Sie zu, wenn Ihre E-Mails über Ihr eigenes Konto gehen sollen.",
    ),
    Problem.OTHER_ACCOUNT: (
        "Sie haben sich als {account} angemeldet; in den E-Mail-Einstellungen steht aber {username}.",
        "Beginnen Sie neu und melden Sie sich als {username} an, oder ändern Sie zuerst das Konto in den "
        "E-Mail-Einstellungen. Es wurde nichts verbunden.",
    ),
    Problem.NO_MAIL: (
        "Sie haben sich angemeldet, aber das Versenden von E-Mails nicht erlaubt.",
        "Beginnen Sie neu und setzen Sie das Häkchen für das Versenden von E-Mails.",
    ),
    Problem.NOT_LASTING: (
        "{provider} hat eine Erlaubnis erteilt, die innerhalb einer Stunde endet.",
        "Der Betreiber der Plattform muss in seiner Registrierung dauerhaften Zugriff (Offlinezugriff) "
        "erlauben.",
    ),
    Problem.MIXED_UP: (
        "Was zurückkam, gehört nicht zu dieser Anmeldung.",
        "Beginnen Sie neu in Ihren E-Mail-Einstellungen und folgen Sie nur Links, die Sie selbst angefordert "
        "haben.",
    ),
    Problem.CHANGED: (
        "Die E-Mail-Einstellungen wurden während der Anmeldung geändert.",
        "Beginnen Sie mit den neuen Einstellungen noch einmal.",
    ),
    Problem.OURS: (
        "{provider} nimmt die Registrierung der Plattform nicht an.",
        "Der Betreiber der Plattform muss sie berichtigen; Sie müssen nichts tun.",
    ),
    Problem.PASSING: (
        "{provider} ist gerade nicht erreichbar, oder die Anmeldung konnte nicht gespeichert werden.",
        "Beginnen Sie in einigen Minuten neu.",
    ),
}

_FRENCH: _Words = {
    Problem.NOT_WANTED: (
        "Ces paramètres de messagerie ne prévoient pas de connexion chez Microsoft ou Google.",
        "Réglez d'abord upstream.oauth de l'expéditeur sur microsoft ou google.",
    ),
    Problem.NO_PAGE: (
        "Il n'y a pas encore de page où revenir après la connexion.",
        "L'exploitant de la plateforme doit définir http.public_listen et http.public_url, ou se connecter "
        "avec --device.",
    ),
    Problem.NO_DEVICE: (
        "{provider} ne propose pas de connexion par code pour l'envoi d'e-mails.",
        "Connectez-vous plutôt dans un navigateur.",
    ),
    Problem.EXPIRED: (
        "Cette connexion a expiré ou a déjà servi.",
        "Recommencez. Une connexion doit être terminée en 15 minutes.",
    ),
    Problem.DENIED: (
        "Vous n'avez pas donné l'autorisation d'envoyer des e-mails.",
        "Recommencez et acceptez, si vos e-mails doivent partir de votre propre compte.",
    ),
    Problem.OTHER_ACCOUNT: (
        "Vous vous êtes connecté en tant que {account}, mais les paramètres indiquent {username}.",
        "Recommencez et connectez-vous en tant que {username}, ou changez d'abord le compte dans les "
        "paramètres de messagerie. Rien n'a été relié.",
    ),
    Problem.NO_MAIL: (
        "Vous vous êtes connecté, mais sans autoriser l'envoi d'e-mails.",
        "Recommencez et cochez la case pour l'envoi d'e-mails.",
    ),
    Problem.NOT_LASTING: (
        "{provider} a donné une autorisation qui se termine dans l'heure.",
        "L'exploitant de la plateforme doit permettre l'accès durable (hors connexion) dans son inscription.",
    ),
    Problem.MIXED_UP: (
        "Ce qui est revenu n'appartient pas à cette connexion.",
        "Recommencez depuis vos paramètres de messagerie et ne suivez que des liens que vous avez demandés.",
    ),
    Problem.CHANGED: (
        "Les paramètres de messagerie ont été modifiés pendant la connexion.",
        "Recommencez avec les nouveaux paramètres.",
    ),
    Problem.OURS: (
        "{provider} n'accepte pas l'inscription de la plateforme.",
        "L'exploitant de la plateforme doit la corriger ; vous n'avez rien à faire.",
    ),
    Problem.PASSING: (
        "{provider} est injoignable en ce moment, ou la connexion n'a pas pu être enregistrée.",
        "Recommencez dans quelques minutes.",
    ),
}

_DUTCH: _Words = {
    Problem.NOT_WANTED: (
        "Deze e-mailinstellingen gebruiken geen aanmelding bij Microsoft of Google.",
        "Zet bij de afzender eerst upstream.oauth op microsoft of google.",
    ),
    Problem.NO_PAGE: (
        "Er is nog geen pagina waar u na het aanmelden naar terug kunt.",
        "De beheerder van het platform moet http.public_listen en http.public_url instellen, of zich met "
        "--device aanmelden.",
    ),
    Problem.NO_DEVICE: (
        "{provider} biedt voor het versturen van e-mail geen aanmelding met een code.",
        "Meld u in plaats daarvan in een browser aan.",
    ),
    Problem.EXPIRED: (
        "Deze aanmelding is verlopen of al gebruikt.",
        "Begin opnieuw. Een aanmelding moet binnen 15 minuten klaar zijn.",
    ),
    Problem.DENIED: (
        "U hebt geen toestemming gegeven om e-mail te versturen.",
        "Begin opnieuw en ga akkoord, als uw e-mail via uw eigen account moet gaan.",
    ),
    Problem.OTHER_ACCOUNT: (
        "U hebt zich aangemeld als {account}, maar in de e-mailinstellingen staat {username}.",
        "Begin opnieuw en meld u aan als {username}, of wijzig eerst het account in de e-mailinstellingen. "
        "Er is niets verbonden.",
    ),
    Problem.NO_MAIL: (
        "U hebt zich aangemeld, maar het versturen van e-mail niet toegestaan.",
        "Begin opnieuw en vink het versturen van e-mail aan.",
    ),
    Problem.NOT_LASTING: (
        "{provider} gaf een toestemming die binnen een uur eindigt.",
        "De beheerder van het platform moet in de registratie blijvende toegang (offline) toestaan.",
    ),
    Problem.MIXED_UP: (
        "Wat terugkwam, hoort niet bij deze aanmelding.",
        "Begin opnieuw vanuit uw e-mailinstellingen en volg alleen links waar u zelf om hebt gevraagd.",
    ),
    Problem.CHANGED: (
        "De e-mailinstellingen zijn tijdens het aanmelden gewijzigd.",
        "Begin opnieuw met de nieuwe instellingen.",
    ),
    Problem.OURS: (
        "{provider} accepteert de registratie van het platform niet.",
        "De beheerder van het platform moet die verbeteren; u hoeft niets te doen.",
    ),
    Problem.PASSING: (
        "{provider} is nu niet bereikbaar, of de aanmelding kon niet worden opgeslagen.",
        "Begin over een paar minuten opnieuw.",
    ),
}

_LANGUAGES = {"de": _GERMAN, "en": _ENGLISH, "fr": _FRENCH, "nl": _DUTCH}

_CONNECTED = {
    "de": (
        "Ihr E-Mail-Konto {username} ist verbunden.",
        "Ihre E-Mails gehen jetzt darüber. Sie können diese Seite schließen.",
    ),
    "en": (
        "Your mail account {username} is connected.",
        "Your mail leaves through it now. You can close this page.",
    ),
    "fr": (
        "Votre compte de messagerie {username} est relié.",
        "Vos e-mails partent désormais par lui. Vous pouvez fermer cette page.",
    ),
    "nl": (
        "Uw e-mailaccount {username} is verbonden.",
        "Uw e-mail gaat er nu doorheen. U kunt deze pagina sluiten.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whether an account is to be connected for a customer."""

    title: str
    says: tuple[str, str]
    yes: str


_QUESTIONS = {
    "de": Question(
        title="E-Mail-Konto verbinden?",
        says=(
            "{customer} möchte E-Mails über {username} bei {provider} versenden.",
            "Stimmen Sie nur zu, wenn Sie das selbst begonnen haben. Sonst schließen Sie diese Seite; dann "
            "wird nichts verbunden.",
        ),
        yes="Ja, verbinden",
    ),
    "en": Question(
        title="Connect this mail account?",
        says=(
            "{customer} wants to send mail through {username} at {provider}.",
            "Agree only if you began this yourself. Otherwise close this page, and nothing is connected.",
        ),
        yes="Yes, connect it",
    ),
    "fr": Question(
        title="Relier ce compte de messagerie ?",
        says=(
            "{customer} souhaite envoyer des e-mails par {username} chez {provider}.",
            "N'acceptez que si vous avez commencé cela vous-même. Sinon, fermez cette page : rien ne sera "
            "relié.",
        ),
        yes="Oui, relier",
    ),
    "nl": Question(
        title="Dit e-mailaccount verbinden?",
        says=(
            "{customer} wil e-mail versturen via {username} bij {provider}.",
            "Ga alleen akkoord als u hier zelf mee bent begonnen. Sluit anders deze pagina; dan wordt er "
            "niets verbonden.",
        ),
        yes="Ja, verbinden",
    ),
}


def question(language: str, *, customer: str, username: str, provider: str) -> Question:
    """What is asked of whoever comes back from a provider. Raises KeyError for an unknown language."""
    found = _QUESTIONS[language]
    places = {"customer": customer, "username": username, "provider": PROVIDERS.get(provider, provider)}
    first, second = found.says
    return replace(found, says=(first.format_map(places), second))


_TITLES = {
    "de": ("Verbunden", "Nicht verbunden"),
    "en": ("Connected", "Not connected"),
    "fr": ("Compte relié", "Compte non relié"),
    "nl": ("Verbonden", "Niet verbonden"),
}


def title(problem: Problem | None, language: str) -> str:
    """In a word. Raises KeyError for a language that isn't known."""
    return _TITLES[language][problem is not None]


def said(
    problem: Problem | None,
    language: str,
    *,
    provider: str = "",
    username: str = "",
    account: str | None = None,
) -> tuple[str, str]:
    """What happened, and what to do. None: all went well. Raises KeyError for a language that isn't known."""
    known = {
        "provider": PROVIDERS.get(provider, provider),
        "username": username,
        "account": account or "?",
    }
    text, remedy = _CONNECTED[language] if problem is None else _LANGUAGES[language][problem]
    return text.format_map(known), remedy.format_map(known)
