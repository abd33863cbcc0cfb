"""What is left to do, said to the person at the invoicing company."""

from __future__ import annotations

from collections.abc import Mapping

from relayd.core import phrases
from relayd.core.todo import Task, Todo

_OR_SPF = "publish.or_spf"

TEXTS: Mapping[str, Mapping[str, str]] = {
    Task.CONFIRM: {
        "de": "Bestätigen Sie {address}: Folgen Sie dem Link in der Bestätigungsmail oder geben Sie ihren "
        "Code ein. Ist keine da, lassen Sie sie (noch einmal) schicken.",
        "en": "Confirm {address}: follow the link in the confirmation mail, or enter its code. If there is "
        "none, have it sent (again).",
        "fr": "Confirmez {address} : suivez le lien de l'e-mail de confirmation ou saisissez son code. S'il "
        "n'est pas là, faites-le (r)envoyer.",
        "nl": "Bevestig {address}: volg de link in de bevestigingsmail of voer de code in. Is er geen, laat "
        "hem dan (opnieuw) sturen.",
    },
    Task.PUBLISH: {
        "de": "Bitten Sie den Verwalter von {domain}, unseren Schlüssel im DNS einzutragen: als "
        "TXT-Record mit dem Namen {name}.",
        "en": "Ask whoever manages {domain} to publish our key in DNS: as a TXT record with the name {name}.",
        "fr": "Demandez à la personne qui gère {domain} de publier notre clé dans le DNS : un "
        "enregistrement TXT nommé {name}.",
        "nl": "Vraag de beheerder van {domain} om onze sleutel in DNS te publiceren: als TXT-record met"
        " de naam {name}.",
    },
    _OR_SPF: {
        "de": "Oder lassen Sie include:{include} in den SPF-Record von {domain} aufnehmen, gleich nach "
        "v=spf1.",
        "en": "Or have include:{include} added to the SPF record of {domain}, right after v=spf1.",
        "fr": "Ou faites ajouter include:{include} dans l'enregistrement SPF de {domain}, juste après "
        "v=spf1.",
        "nl": "Of laat include:{include} opnemen in het SPF-record van {domain}, direct na v=spf1.",
    },
    Task.SHARED_DOMAIN: {
        "de": "{domain} gehört einem Mailanbieter, dort können Sie nichts eintragen. Geben Sie Ihren "
        "eigenen Mailserver bei diesem Anbieter an, oder senden Sie von der Standardadresse.",
        "en": "{domain} belongs to a mail provider, where you can't publish anything. Enter your own "
        "mail server at this provider, or send from the default address.",
        "fr": "{domain} appartient à un fournisseur de messagerie, vous ne pouvez rien y publier. "
        "Indiquez votre propre serveur de messagerie chez ce fournisseur, ou envoyez depuis "
        "l'adresse par défaut.",
        "nl": "{domain} is van een mailprovider, daar kunt u niets publiceren. Geef uw eigen mailserver"
        " bij deze provider op, of verstuur vanaf het standaardadres.",
    },
    Task.GIVE_UPSTREAM: {
        "de": "Geben Sie Ihren Mailserver an: seinen Namen, Ihren Benutzernamen und Ihr Passwort.",
        "en": "Enter your mail server: its name, your user name and your password.",
        "fr": "Indiquez votre serveur de messagerie : son nom, votre nom d'utilisateur et votre mot de "
        "passe.",
        "nl": "Geef uw mailserver op: de naam ervan, uw gebruikersnaam en uw wachtwoord.",
    },
    Task.SIGN_IN: {
        "de": "Melden Sie sich bei {provider} mit dem Konto {account} an, damit Ihre E-Mails von dort "
        "gesendet werden können.",
        "en": "Sign in at {provider} with the account {account}, so that your mail can be sent from there.",
        "fr": "Connectez-vous chez {provider} avec le compte {account}, pour que vos e-mails puissent en "
        "partir.",
        "nl": "Meld u aan bij {provider} met het account {account}, zodat uw e-mails van daaruit kunnen "
        "worden verzonden.",
    },
    Task.LOGIN: {
        "de": "Ihr Mailserver {host} nimmt die Anmeldung nicht an.",
        "en": "Your mail server {host} doesn't take the login.",
        "fr": "Votre serveur de messagerie {host} n'accepte pas la connexion au compte.",
        "nl": "Uw mailserver {host} accepteert de aanmelding niet.",
    },
    Task.UNSEAL: {
        "de": "Sie müssen nichts tun: Das Passwort für {host} ist versiegelt, und der Betreiber der "
        "Plattform muss den Hauptschlüssel zurückbringen, der es öffnet.",
        "en": "You needn't do anything: the password for {host} is sealed, and the platform's operator "
        "must bring back the master key that opens it.",
        "fr": "Vous n'avez rien à faire : le mot de passe pour {host} est scellé, et l'exploitant de la"
        " plateforme doit remettre en place la clé principale qui l'ouvre.",
        "nl": "U hoeft niets te doen: het wachtwoord voor {host} is verzegeld, en de beheerder van het "
        "platform moet de hoofdsleutel terugzetten die het opent.",
    },
    Task.PLATFORM_KEY: {
        "de": "Sie müssen nichts tun: Der Betreiber der Plattform muss ihren Schlüssel im DNS "
        "eintragen, als TXT-Record mit dem Namen {name}.",
        "en": "You needn't do anything: the platform's operator must publish its key in DNS, as a TXT "
        "record with the name {name}.",
        "fr": "Vous n'avez rien à faire : l'exploitant de la plateforme doit publier sa clé dans le "
        "DNS, un enregistrement TXT nommé {name}.",
        "nl": "U hoeft niets te doen: de beheerder van het platform moet de sleutel ervan in DNS "
        "publiceren, als TXT-record met de naam {name}.",
    },
}


def text(todo: Todo, language: str) -> str:
    """The thing to do, as sentences. Raises KeyError for a language that isn't in `phrases.LANGUAGES`."""
    said = [TEXTS[todo.task][language]]
    if "include" in todo.places:
        said.append(TEXTS[_OR_SPF][language])
    # Places are filled in one pass, so that what stands in one is not searched for others.
    filled = " ".join(said).format_map(todo.places)
    if todo.reason is None:
        return filled
    return f"{filled} {phrases.text(todo.reason, language)} {phrases.remedy(todo.reason, language)}"
