"""Sentences about mail providers, for the customer who has to do something there, in four languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relayd.core.mailproviders.provider import FromRule, MailProvider, Step, Username

Texts = Mapping[str, str]
"""By language. `{name}` is the provider."""

STEPS: Mapping[Step, Texts] = {
    Step.APP_PASSWORD: {
        "de": "{name} nimmt von Programmen nicht Ihr gewöhnliches Passwort: Schalten Sie die Anmeldung in "
        "zwei Schritten ein, erzeugen Sie ein App-Passwort und tragen Sie dieses ein.",
        "en": "{name} doesn't take your usual password from programs: switch on sign-in in two steps, make "
        "an app password, and enter that one.",
        "fr": "{name} n'accepte pas votre mot de passe habituel venant d'un programme : activez la "
        "connexion en deux étapes, créez un mot de passe d'application et saisissez celui-ci.",
        "nl": "{name} neemt van programma's niet uw gewone wachtwoord aan: zet aanmelden in twee stappen "
        "aan, maak een app-wachtwoord en vul dat in.",
    },
    Step.APP_PASSWORD_IF_TWO_STEP: {
        "de": "Ist bei {name} die Anmeldung in zwei Schritten eingeschaltet, erzeugen Sie ein App-Passwort "
        "und tragen Sie dieses ein statt Ihres gewöhnlichen Passworts.",
        "en": "If sign-in in two steps is on at {name}, make an app password and enter that one instead of "
        "your usual password.",
        "fr": "Si la connexion en deux étapes est activée chez {name}, créez un mot de passe d'application "
        "et saisissez celui-ci au lieu de votre mot de passe habituel.",
        "nl": "Staat bij {name} aanmelden in twee stappen aan, maak dan een app-wachtwoord en vul dat in in "
        "plaats van uw gewone wachtwoord.",
    },
    Step.SEPARATE_PASSWORD: {
        "de": "{name} hat für E-Mail-Programme ein eigenes Passwort; das der Website gilt dort nicht. "
        "Richten Sie es ein und tragen Sie es ein.",
        "en": "{name} has a password of its own for mail programs; the one of the website doesn't work "
        "there. Set it up and enter it.",
        "fr": "{name} a un mot de passe distinct pour les programmes de messagerie ; celui du site web n'y "
        "est pas valable. Créez-le et saisissez-le.",
        "nl": "{name} heeft voor e-mailprogramma's een eigen wachtwoord; dat van de website werkt daar "
        "niet. Stel het in en vul het in.",
    },
    Step.MAILBOX_PASSWORD: {
        "de": "Tragen Sie das Passwort des Postfachs ein, nicht das des Kundenkontos bei {name}.",
        "en": "Enter the password of the mailbox, not the one of the customer account at {name}.",
        "fr": "Saisissez le mot de passe de la boîte aux lettres, et non celui du compte client chez {name}.",
        "nl": "Vul het wachtwoord van de mailbox in, niet dat van het klantaccount bij {name}.",
    },
    Step.PROGRAM_ACCESS: {
        "de": "Erlauben Sie bei {name} einmalig den Zugriff durch E-Mail-Programme (POP3, IMAP, SMTP); er "
        "ist anfangs ausgeschaltet.",
        "en": "Allow access by mail programs (POP3, IMAP, SMTP) once at {name}; it is switched off at first.",
        "fr": "Autorisez une fois, chez {name}, l'accès par les programmes de messagerie (POP3, IMAP, SMTP) "
        "; il est désactivé au départ.",
        "nl": "Sta bij {name} eenmalig toegang door e-mailprogramma's (POP3, IMAP, SMTP) toe; die staat "
        "eerst uit.",
    },
    Step.SMTP_AUTH_ADMIN: {
        "de": "Ein Administrator muss bei {name} für dieses Postfach „Authentifiziertes SMTP“ erlauben: "
        "Admin Center, Aktive Benutzer, E-Mail, E-Mail-Apps verwalten. Melden Sie sich danach am besten im "
        "Browser an; Passwörter nimmt Microsoft bald nicht mehr.",
        "en": "An administrator has to allow “Authenticated SMTP” for this mailbox at {name}: admin center, "
        "active users, mail, manage email apps. Then best sign in through the browser; Microsoft soon takes "
        "no passwords any more.",
        "fr": "Un administrateur doit autoriser « SMTP authentifié » pour cette boîte chez {name} : centre "
        "d'administration, utilisateurs actifs, courrier, gérer les applications de messagerie. "
        "Connectez-vous ensuite de préférence par le navigateur ; Microsoft n'acceptera bientôt plus de "
        "mots de passe.",
        "nl": "Een beheerder moet bij {name} voor deze mailbox ‘Geverifieerde SMTP’ toestaan: "
        "beheercentrum, actieve gebruikers, e-mail, e-mail-apps beheren. Meld u daarna het liefst aan via "
        "de browser; Microsoft neemt binnenkort geen wachtwoorden meer aan.",
    },
    Step.BROWSER_LOGIN: {
        "de": "{name} nimmt von Programmen kein Passwort mehr: Melden Sie sich einmal im Browser an.",
        "en": "{name} takes no password from programs any more: sign in once through the browser.",
        "fr": "{name} n'accepte plus de mot de passe venant d'un programme : connectez-vous une fois par le "
        "navigateur.",
        "nl": "{name} neemt van programma's geen wachtwoord meer aan: meld u eenmalig aan via de browser.",
    },
    Step.API_KEY: {
        "de": "Erzeugen Sie bei {name} einen API-Schlüssel, der versenden darf, und tragen Sie ihn als "
        "Passwort ein.",
        "en": "Make an API key that may send mail at {name}, and enter it as the password.",
        "fr": "Créez chez {name} une clé API qui peut envoyer des messages et saisissez-la comme mot de "
        "passe.",
        "nl": "Maak bij {name} een API-sleutel die mag verzenden, en vul die in als wachtwoord.",
    },
    Step.SMTP_CREDENTIALS: {
        "de": "Erzeugen Sie bei {name} Zugangsdaten für SMTP; es sind andere als die der Website.",
        "en": "Make credentials for SMTP at {name}; they are not those of the website.",
        "fr": "Créez chez {name} des identifiants SMTP ; ce ne sont pas ceux du site web.",
        "nl": "Maak bij {name} inloggegevens voor SMTP; het zijn niet die van de website.",
    },
    Step.TOKEN: {
        "de": "Erzeugen Sie bei {name} ein SMTP-Token für diese Adresse und tragen Sie es als Passwort ein.",
        "en": "Make an SMTP token for this address at {name}, and enter it as the password.",
        "fr": "Créez chez {name} un jeton SMTP pour cette adresse et saisissez-le comme mot de passe.",
        "nl": "Maak bij {name} een SMTP-token voor dit adres, en vul het in als wachtwoord.",
    },
    Step.TOKEN_AS_BOTH: {
        "de": "Tragen Sie das Server-Token von {name} als Benutzernamen und als Passwort ein.",
        "en": "Enter the server token of {name} both as the username and as the password.",
        "fr": "Saisissez le jeton de serveur de {name} comme nom d'utilisateur et comme mot de passe.",
        "nl": "Vul het servertoken van {name} in als gebruikersnaam én als wachtwoord.",
    },
    Step.VERIFY_SENDER: {
        "de": "Lassen Sie Ihre Adresse oder Domain bei {name} bestätigen; für andere wird nichts verschickt.",
        "en": "Have your address or domain verified at {name}; for others nothing is sent.",
        "fr": "Faites vérifier votre adresse ou votre domaine par {name} ; rien n'est envoyé pour les "
        "autres.",
        "nl": "Laat uw adres of domein bij {name} verifiëren; voor andere wordt niets verzonden.",
    },
    Step.ALLOW_NETWORK: {
        "de": "Erlauben Sie in den Sicherheitseinstellungen von {name} die IP-Adresse, von der wir senden.",
        "en": "Allow the IP address that we send from in the security settings of {name}.",
        "fr": "Autorisez, dans les paramètres de sécurité de {name}, l'adresse IP depuis laquelle nous "
        "envoyons.",
        "nl": "Sta in de beveiligingsinstellingen van {name} het IP-adres toe waarvandaan wij verzenden.",
    },
    Step.PAID_PLAN: {
        "de": "Das Versenden durch Programme gehört bei {name} nur zu den bezahlten Tarifen.",
        "en": "Sending by programs is part of the paid plans of {name} only.",
        "fr": "L'envoi par des programmes fait seulement partie des offres payantes de {name}.",
        "nl": "Verzenden door programma's hoort bij {name} alleen bij de betaalde abonnementen.",
    },
    Step.NO_PROGRAMS: {
        "de": "{name} lässt keine anderen Programme versenden. Nehmen Sie die Standardadresse, oder eine "
        "Adresse bei einem anderen Anbieter.",
        "en": "{name} lets no other programs send. Use the default address, or an address at another "
        "provider.",
        "fr": "{name} ne permet à aucun autre programme d'envoyer. Utilisez l'adresse par défaut, ou une "
        "adresse chez un autre fournisseur.",
        "nl": "{name} laat geen andere programma's verzenden. Gebruik het standaardadres, of een adres bij "
        "een andere provider.",
    },
}

USERNAMES: Mapping[Username, Texts] = {
    Username.ADDRESS: {
        "de": "die ganze E-Mail-Adresse",
        "en": "the whole e-mail address",
        "fr": "l'adresse e-mail complète",
        "nl": "het hele e-mailadres",
    },
    Username.LOCAL_PART: {
        "de": "der Teil der Adresse vor dem @",
        "en": "the part of the address before the @",
        "fr": "la partie de l'adresse avant le @",
        "nl": "het deel van het adres vóór de @",
    },
    Username.OWN: {
        "de": "ein eigener Name, den {name} vergibt",
        "en": "a name of its own that {name} gives you",
        "fr": "un nom particulier que {name} vous donne",
        "nl": "een eigen naam die {name} u geeft",
    },
    Username.FIXED: {
        "de": "für alle gleich",
        "en": "the same for everybody",
        "fr": "le même pour tout le monde",
        "nl": "voor iedereen gelijk",
    },
}

FROM_RULES: Mapping[FromRule, Texts] = {
    FromRule.MUST_MATCH: {
        "de": "Der Absender muss genau die Adresse sein, mit der Sie sich anmelden.",
        "en": "The sender must be exactly the address that you log in with.",
        "fr": "L'expéditeur doit être exactement l'adresse avec laquelle vous vous connectez.",
        "nl": "De afzender moet precies het adres zijn waarmee u zich aanmeldt.",
    },
    FromRule.REWRITTEN: {
        "de": "Passt der Absender nicht zum Konto, ersetzt {name} ihn, ohne es zu sagen.",
        "en": "Where the sender doesn't fit the account, {name} replaces it without saying so.",
        "fr": "Si l'expéditeur ne correspond pas au compte, {name} le remplace sans le dire.",
        "nl": "Past de afzender niet bij het account, dan vervangt {name} hem zonder dat te zeggen.",
    },
    FromRule.VERIFIED_ONLY: {
        "de": "Der Absender muss bei {name} bestätigt sein.",
        "en": "The sender must be verified at {name}.",
        "fr": "L'expéditeur doit être vérifié par {name}.",
        "nl": "De afzender moet bij {name} geverifieerd zijn.",
    },
    FromRule.ALIAS_ALLOWED: {
        "de": "Der Absender muss die Adresse des Kontos oder eine seiner Aliasadressen sein.",
        "en": "The sender must be the account's address or one of its aliases.",
        "fr": "L'expéditeur doit être l'adresse du compte ou l'un de ses alias.",
        "nl": "De afzender moet het adres van het account zijn, of een alias ervan.",
    },
}
"""What happens to another sender; nothing is said where nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A sentence in one language, and the page it leads to."""

    text: str
    link: str


def steps(provider: MailProvider, language: str) -> list[Said]:
    """What to do first, in order."""
    return [
        Said(text=STEPS[need.step][language].format(name=provider.name), link=need.link)
        for need in provider.needs
    ]


def username(provider: MailProvider, language: str) -> str:
    """What to enter as the name."""
    if provider.fixed_username is not None:
        return provider.fixed_username
    return USERNAMES[provider.username][language].format(name=provider.name)


def from_rule(provider: MailProvider, language: str) -> str | None:
    texts = FROM_RULES.get(provider.from_rule)
    return None if texts is None else texts[language].format(name=provider.name)
