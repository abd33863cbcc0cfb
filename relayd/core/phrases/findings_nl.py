"""Findings in Dutch."""

from relayd.core.findings import Kind
from relayd.core.phrases.findings_text import Findings

DUTCH = Findings(
    better="De juiste is: {right}.",
    kinds={
        Kind.ADDRESS_DIFFERS: (
            "Uw e-mailinstellingen melden zich aan als {username}, maar het adres in uw bedrijfsprofiel is "
            "{address}.",
            "Gebruik op beide plaatsen hetzelfde adres, of laat het account {username} verzenden als "
            "{address}.",
        ),
        Kind.USERNAME_FORM: (
            'De gebruikersnaam "{username}" is niet wat {provider} vraagt.',
            "Vul als gebruikersnaam in: {expected}.",
        ),
        Kind.SERVER_IS_MX: (
            "{host} ontvangt alleen e-mail (het is de MX); hij verzendt er geen voor u.",
            "Vul in plaats daarvan de server voor uitgaande e-mail (SMTP) van uw provider in.",
        ),
        Kind.SERVER_NAME: (
            "Er is geen server met de naam {host}.",
            "Controleer de naam van de server voor uitgaande e-mail (SMTP) op typefouten.",
        ),
        Kind.SERVER_PORT: (
            "{host} antwoordt niet op poort {port}, maar wel op poort {other}.",
            "Stel poort {other} in, met de versleuteling {tls}.",
        ),
        Kind.SERVER_TLS_MODE: (
            "Poort {port} past niet bij de ingestelde soort versleuteling.",
            "Stel de versleuteling {tls} in, of verbeter de poort: 587 hoort bij starttls, 465 bij implicit.",
        ),
        Kind.SERVER_NOT_SMTP: (
            "Wat bij {host} op poort {port} antwoordt, is geen server voor uitgaande e-mail.",
            "Controleer servernaam en poort: gebruikelijk zijn 587 met starttls, of 465 met implicit.",
        ),
        Kind.SERVER_NO_LOGIN: (
            "{host} biedt geen aanmelding met gebruikersnaam en wachtwoord, zoals servers die alleen "
            "ontvangen.",
            "Vul de server voor uitgaande e-mail (SMTP) van uw provider in, met zijn poort voor klanten: "
            "587 of 465.",
        ),
        Kind.SERVER_OF_ANOTHER: (
            "De mailbox {address} staat bij {provider}, maar {host} is van iemand anders.",
            "Controleer of deze server voor {address} mag verzenden.",
        ),
        Kind.HOST_NOT_PUBLIC: (
            "{host} leidt niet naar een server waarmee wij verbinding mogen maken: een mailserver moet een "
            "openbaar adres hebben.",
            "Vul de openbare naam van de server in. Moet hij in een privénetwerk staan, dan kan de "
            "beheerder van het platform dat netwerk toestaan.",
        ),
        Kind.HOST_IS_US: (
            "{host} leidt terug naar deze dienst zelf.",
            "Vul de server voor uitgaande e-mail van uw eigen e-mailprovider in.",
        ),
        Kind.PASSWORD_WRONG: (
            "Uw mailserver aanvaardt de gebruikersnaam of het wachtwoord niet.",
            "Vul beide opnieuw met de hand in: browsers vullen graag een ander wachtwoord in, zoals dat van "
            "deze toepassing.",
        ),
        Kind.PASSWORD_OF_PLATFORM: (
            "Dit zijn inloggegevens van dit platform, niet die van uw mailbox. Waarschijnlijk heeft de "
            "browser ze ingevuld.",
            "Wis gebruikersnaam en wachtwoord, en vul die van uw e-mailaccount met de hand in.",
        ),
        Kind.PASSWORD_APP_NEEDED: (
            "{provider} wil hier een app-wachtwoord; wat is ingevuld, is er geen.",
            "Maak een app-wachtwoord in de beveiligingsinstellingen van uw account bij {provider} en vul "
            "dat in.",
        ),
        Kind.PASSWORD_MISSING: (
            "Er is een gebruikersnaam, maar geen wachtwoord.",
            "Vul het wachtwoord van de mailbox {username} in.",
        ),
        Kind.LOGIN_OFF_AT_PROVIDER: (
            "{provider} weigert de aanmelding. Dat gebeurt bij een verkeerd wachtwoord, en ook zolang "
            "verzenden door programma's niet is ingeschakeld; in het begin staat het uit.",
            "Schakel POP3/IMAP/SMTP in bij de instellingen van uw mailbox van {provider}, en controleer dan "
            "het wachtwoord.",
        ),
        Kind.LOGIN_OFF_FOR_TENANT: (
            "De beheerder van uw bedrijf heeft verzenden door programma's (SMTP-aanmelding) voor iedereen "
            "uitgeschakeld.",
            "Vraag de beheerder het voor deze mailbox toe te staan: Microsoft 365-beheercentrum, "
            "Gebruikers, {username}, E-mail, E-mail-apps beheren, Geverifieerde SMTP. Of meld u aan met "
            "Microsoft in plaats van met een wachtwoord.",
        ),
        Kind.LOGIN_OFF_FOR_MAILBOX: (
            "Verzenden door programma's (SMTP-aanmelding) is voor deze mailbox uitgeschakeld.",
            "Vraag de beheerder het in te schakelen: Microsoft 365-beheercentrum, Gebruikers, {username}, "
            "E-mail, E-mail-apps beheren, Geverifieerde SMTP.",
        ),
        Kind.LOGIN_OFF_BY_POLICY: (
            "Een beveiligingsregel van uw bedrijf verbiedt deze aanmelding (standaardinstellingen voor "
            "beveiliging of voorwaardelijke toegang).",
            "Vraag de beheerder SMTP-aanmelding voor deze mailbox toe te staan, of meld u aan met Microsoft "
            "in plaats van met een wachtwoord.",
        ),
        Kind.LOGIN_NEEDS_OAUTH: (
            "{provider} aanvaardt hier geen wachtwoord meer, alleen nog het eigen aanmeldvenster.",
            "Koppel uw e-mailaccount door u bij {provider} aan te melden; een wachtwoord is dan niet nodig.",
        ),
        Kind.LOGIN_REFUSED_BEFORE: (
            "De server heeft precies deze aanmelding al eens geweigerd. Ze is niet opnieuw geprobeerd, want "
            "te veel verkeerde aanmeldingen blokkeren het account.",
            "Verbeter de e-mailinstellingen. Is er in plaats daarvan iets bij uw provider gewijzigd, laat "
            "het dan uitdrukkelijk opnieuw proberen.",
        ),
        Kind.NETWORK_OURS: (
            "Wij komen op poort {port} niet naar buiten: ook andere mailservers antwoorden daar niet.",
            "U hoeft niets te doen: de beheerder van het platform moet poort {port} laten openen.",
        ),
        Kind.NETWORK_THEIRS: (
            "{host} antwoordt niet op poort {port}, andere mailservers wel. Hij staat daar uit, of een "
            "firewall houdt ons tegen.",
            "Controleer servernaam en poort. Kloppen ze, vraag dan uw IT-partner verbindingen van ons door "
            "te laten.",
        ),
        Kind.NETWORK_UNCLEAR: (
            "{host} antwoordt niet op poort {port}.",
            "Controleer servernaam en poort. Kloppen ze, vraag dan uw IT-partner of de server draait.",
        ),
        Kind.TLS_MISSING: (
            "{host} biedt op poort {port} geen versleuteling; zonder versturen wij nooit een wachtwoord.",
            "Gebruik poort 587 met starttls of 465 met implicit, of laat daar versleuteling (TLS) "
            "inschakelen.",
        ),
        Kind.TLS_NAME: (
            "Het certificaat van deze server staat op een andere naam dan {host}; het kan om het even wie "
            "zijn.",
            "Vul de naam van de server in zoals uw provider hem schrijft.",
        ),
        Kind.TLS_EXPIRED: (
            "Het certificaat van {host} is verlopen (of nog niet geldig); het kan om het even wie zijn.",
            "Vraag de beheerder van de server het certificaat te vernieuwen.",
        ),
        Kind.TLS_UNTRUSTED: (
            "Het certificaat van {host} komt van niemand die wij kennen; het kan om het even wie zijn.",
            "Vraag de beheerder van de server om een certificaat van een erkende instantie; die van Let's "
            "Encrypt kosten niets.",
        ),
        Kind.TLS_OLD: (
            "{host} kent alleen versleuteling die niet meer veilig is (ouder dan TLS 1.2).",
            "Vraag de beheerder van de server TLS 1.2 of 1.3 in te schakelen.",
        ),
        Kind.FROM_REWRITTEN: (
            "Uw klanten zouden {seen} als afzender zien in plaats van {address}: {provider} vervangt de "
            "afzender zonder iets te zeggen.",
            "Meld u aan met de mailbox {address}, of voeg {address} aan het account toe als afzenderadres "
            "en bevestig het daar.",
        ),
        Kind.FROM_LOOK: (
            "Er is een testmail onderweg naar {address}.",
            "Bekijk hem: als afzender moet {address} staan. Staat er een andere, dan vervangt uw provider "
            "hem; laat ons dan weten welke.",
        ),
    },
)
