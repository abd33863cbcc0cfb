"""Nederlands."""

from relayd.core.event import EventType
from relayd.core.phrases.language import Language
from relayd.core.reasons import Reason

_REASONS = {
    Reason.RECIPIENT_UNKNOWN: (
        "De mailserver van de ontvanger kent dit adres niet.",
        "Controleer het adres op tikfouten of vraag uw klant naar het juiste, en verstuur opnieuw.",
    ),
    Reason.RECIPIENT_DOMAIN: (
        "Het deel van het adres na de @ bestaat niet of ontvangt geen e-mail.",
        "Controleer het adres op tikfouten of vraag uw klant naar het juiste, en verstuur opnieuw.",
    ),
    Reason.RECIPIENT_DISABLED: (
        "De mailbox van de ontvanger bestaat, maar is uitgeschakeld.",
        "Vraag uw klant om een ander adres.",
    ),
    Reason.RECIPIENT_FULL: (
        "De mailbox van de ontvanger is vol.",
        "Vraag uw klant om ruimte te maken in de mailbox of u een ander adres te geven.",
    ),
    Reason.RECIPIENT_MOVED: (
        "De ontvanger is naar een ander adres verhuisd.",
        "Vraag uw klant om het nieuwe adres en verstuur opnieuw.",
    ),
    Reason.RECIPIENT_REFUSED: (
        "De mailserver van de ontvanger neemt voor dit adres geen e-mail van u aan.",
        "Vraag uw klant om uw adres toe te staan, of om een ander adres.",
    ),
    Reason.RECIPIENT_SUPPRESSED: (
        "Er is niets verstuurd: eerdere e-mail naar dit adres is definitief mislukt of als spam gemeld.",
        "Klopt het adres weer, laat het dan van de blokkeerlijst halen en verstuur opnieuw.",
    ),
    Reason.MESSAGE_TOO_BIG: (
        "Het bericht is groter dan de mailserver van de ontvanger toestaat.",
        "Verstuur minder of kleinere bijlagen, of in plaats daarvan een link.",
    ),
    Reason.MESSAGE_CONTENT: (
        "De mailserver van de ontvanger neemt de inhoud of een bijlage van dit bericht niet aan.",
        "Verstuur het document als gewone PDF, zonder programma's, archieven of scripts als bijlage.",
    ),
    Reason.MESSAGE_SPAM: (
        "De mailserver van de ontvanger hield het bericht voor spam.",
        "Vraag uw klant om uw adres toe te staan, en controleer de tekst en de links in het bericht.",
    ),
    Reason.MESSAGE_MALFORMED: (
        "Het bericht is niet volgens de regels voor e-mail opgebouwd.",
        "De maker van de toepassing moet de opbouw van haar berichten verbeteren.",
    ),
    Reason.MESSAGE_LINE_TOO_LONG: (
        "Een regel in het bericht is langer dan e-mail toestaat (998 tekens).",
        "De maker van de toepassing moet het bericht als quoted-printable of base64 coderen.",
    ),
    Reason.MESSAGE_SMTPUTF8: (
        "Het adres bevat letters waarmee de mailserver van de ontvanger niet overweg kan.",
        "Vraag uw klant om een adres zonder accenten of andere bijzondere letters.",
    ),
    Reason.MESSAGE_LOOP: (
        "Het bericht gaat in een kringetje rond: mailservers sturen het elkaar steeds terug.",
        "De beheerder van het platform moet nagaan waarheen e-mail voor dit adres wordt geleid.",
    ),
    Reason.POLICY_SPF: (
        "Volgens de mailserver van de ontvanger staat uw domein ons het versturen niet toe (SPF).",
        "Vraag de beheerder van uw domein om onze vermelding aan het SPF-record toe te voegen.",
    ),
    Reason.POLICY_DKIM: (
        "De mailserver van de ontvanger erkende de digitale handtekening van het bericht niet (DKIM).",
        "De beheerder van het platform moet de sleutel van de handtekening in DNS controleren.",
    ),
    Reason.POLICY_DMARC: (
        "De mailserver van de ontvanger kon niet nagaan of het bericht echt van uw domein komt (DMARC).",
        "Vraag de beheerder van uw domein om onze SPF- of DKIM-vermelding te publiceren, of verstuur vanaf "
        "het "
        "standaardadres.",
    ),
    Reason.POLICY_TLS_REQUIRED: (
        "Een versleutelde verbinding is verplicht en kwam niet tot stand.",
        "De beheerder van het platform of van de mailserver moet versleuteling (TLS) inschakelen.",
    ),
    Reason.POLICY_FROM_MISMATCH: (
        "Het afzenderadres van het bericht is niet het adres uit het bedrijfsprofiel.",
        "De toepassing moet het adres uit het bedrijfsprofiel als afzender (From) gebruiken.",
    ),
    Reason.POLICY_OTHER: (
        "De mailserver van de ontvanger weigerde het bericht volgens een eigen regel.",
        "De beheerder van het platform moet bij de mailprovider van de ontvanger navragen wat de regel "
        "vereist.",
    ),
    Reason.REPUTATION_BLOCKLIST: (
        "Onze server staat op een blokkeerlijst die de mailserver van de ontvanger gebruikt.",
        "U hoeft niets te doen: de beheerder van het platform moet de server van de lijst laten halen.",
    ),
    Reason.REPUTATION_PTR: (
        "Onze server mist een goede naam in DNS (PTR), en de mailserver van de ontvanger vraagt daarom.",
        "U hoeft niets te doen: de beheerder van het platform moet die naam in DNS laten zetten.",
    ),
    Reason.REPUTATION_LOW: (
        "De mailprovider van de ontvanger vertrouwt onze server niet of kent hem nog niet.",
        "U hoeft niets te doen: de beheerder van het platform moet contact opnemen met die provider.",
    ),
    Reason.RATE_GREYLISTED: (
        "De mailserver van de ontvanger vraagt nieuwe afzenders om het iets later nog eens te proberen. Dat "
        "is "
        "normaal.",
        "U hoeft niets te doen: de volgende poging lukt meestal.",
    ),
    Reason.RATE_LIMITED: (
        "De mailserver neemt maar een beperkt aantal berichten tegelijk aan.",
        "U hoeft niets te doen: we versturen langzamer en proberen het opnieuw.",
    ),
    Reason.RATE_QUOTA_DAY: (
        "Uw e-mailaccount heeft het aantal berichten bereikt dat het per dag mag versturen.",
        "Wacht even: we proberen het later opnieuw. Gebeurt het vaker, vraag uw mailprovider dan om een "
        "hogere "
        "limiet.",
    ),
    Reason.NETWORK_REFUSED: (
        "De mailserver neemt op dit moment geen verbindingen aan.",
        "Wacht even: we proberen het opnieuw. Is het uw eigen mailserver, controleer dan naam en poort in de "
        "instellingen.",
    ),
    Reason.NETWORK_TIMEOUT: (
        "De mailserver antwoordde niet op tijd.",
        "Wacht even: we proberen het opnieuw. Is het uw eigen mailserver, controleer dan naam en poort in de "
        "instellingen.",
    ),
    Reason.NETWORK_UNREACHABLE: (
        "De mailserver is op dit moment niet bereikbaar.",
        "Wacht even: we proberen het opnieuw. Is het uw eigen mailserver, controleer dan naam en poort in de "
        "instellingen.",
    ),
    Reason.NETWORK_DNS: (
        "De mailserver was niet op te zoeken in DNS, de adresgids van internet.",
        "Wacht even: we proberen het opnieuw. Is het uw eigen mailserver, controleer dan de naam in de "
        "instellingen.",
    ),
    Reason.NETWORK_TLS: (
        "De versleutelde verbinding met de mailserver mislukte; misschien is zijn certificaat fout of "
        "verlopen.",
        "Wacht even: we proberen het opnieuw. Is het uw eigen mailserver, laat dan het certificaat "
        "controleren.",
    ),
    Reason.NETWORK_CLOSED: (
        "De mailserver verbrak de verbinding.",
        "Wacht even: we proberen het opnieuw.",
    ),
    Reason.NETWORK_PORT_BLOCKED: (
        "Ons netwerk laat geen e-mail naar buiten: poort 25 lijkt geblokkeerd.",
        "U hoeft niets te doen: de beheerder van het platform moet poort 25 laten openen of een smarthost "
        "instellen.",
    ),
    Reason.AUTH_WRONG_PASSWORD: (
        "Uw mailserver accepteert de gebruikersnaam of het wachtwoord niet.",
        "Vul beide opnieuw in bij de e-mailinstellingen. Let op dat de browser geen ander wachtwoord invult.",
    ),
    Reason.AUTH_APP_PASSWORD_NEEDED: (
        "Uw mailprovider wil hier een app-wachtwoord, niet uw gewone wachtwoord.",
        "Maak een app-wachtwoord in de beveiligingsinstellingen van uw account en vul het in bij de "
        "e-mailinstellingen.",
    ),
    Reason.AUTH_BROWSER_LOGIN_NEEDED: (
        "Uw mailprovider wil dat u zich eerst met een browser aanmeldt.",
        "Meld u in de browser aan bij uw account, bevestig dat u het was, en geef de vastgehouden e-mail "
        "vrij.",
    ),
    Reason.AUTH_TOO_MANY_ATTEMPTS: (
        "Uw mailprovider heeft het aanmelden na te veel pogingen een tijd geblokkeerd.",
        "Wacht een uur of langer. Ga na of geen ander programma met een oud wachtwoord aanmeldt.",
    ),
    Reason.AUTH_SMTP_AUTH_DISABLED: (
        "Versturen door programma's (SMTP-aanmelding) is voor uw e-mailaccount uitgeschakeld.",
        "Vraag uw IT-partner om geauthenticeerde SMTP voor deze mailbox in te schakelen.",
    ),
    Reason.AUTH_BASIC_DISABLED: (
        "Uw mailprovider accepteert geen wachtwoorden meer voor versturen door programma's.",
        "Vraag uw IT-partner om geauthenticeerde SMTP toe te staan, of verstuur vanaf het standaardadres.",
    ),
    Reason.AUTH_NOT_LOGGED_IN: (
        "Uw mailserver neemt pas na aanmelding e-mail aan, en het aanmelden is niet gelukt.",
        "Vul de gebruikersnaam en het wachtwoord in bij de e-mailinstellingen.",
    ),
    Reason.AUTH_MECHANISM: (
        "Uw mailserver biedt geen manier van aanmelden die wij kunnen gebruiken.",
        "Controleer servernaam, poort en versleuteling in de e-mailinstellingen, of vraag uw IT-partner.",
    ),
    Reason.AUTH_TOKEN_EXPIRED: (
        "De toestemming om via uw e-mailaccount te versturen is verlopen.",
        "Verbind uw e-mailaccount opnieuw in de e-mailinstellingen.",
    ),
    Reason.UPSTREAM_IS_MX: (
        "De server in uw e-mailinstellingen ontvangt alleen; hij verstuurt niets voor u.",
        "Vul de uitgaande server (SMTP) van uw provider in, niet de mail exchanger (MX).",
    ),
    Reason.UPSTREAM_RELAY_DENIED: (
        "Uw mailserver weigert e-mail door te geven aan andere domeinen.",
        "Controleer gebruikersnaam en wachtwoord in de e-mailinstellingen, of vraag uw mailprovider.",
    ),
    Reason.UPSTREAM_SEALED: (
        "Het wachtwoord van uw mailserver kan op dit moment niet worden gelezen.",
        "U hoeft niets te doen: de beheerder van het platform moet de sleutel terugzetten waarmee het is "
        "verzegeld.",
    ),
    Reason.SENDER_NOT_ALLOWED: (
        "Uw mailserver laat dit account niet met dit afzenderadres versturen.",
        "Het adres in het bedrijfsprofiel moet dat van het account zijn, of het account heeft het recht "
        "nodig om "
        "ermee te versturen.",
    ),
    Reason.SENDER_BLOCKED: (
        "Uw mailprovider heeft het versturen vanaf uw account geblokkeerd, vaak na vermoeden van spam.",
        "Vraag uw mailprovider om de blokkering op te heffen; wijzig het wachtwoord als het account "
        "misbruikt is.",
    ),
    Reason.SENDER_UNCONFIRMED: (
        "Het adres in uw bedrijfsprofiel is nog niet bevestigd.",
        "Open de bevestigingsmail die naar dit adres is gestuurd en bevestig het adres.",
    ),
    Reason.SENDER_UNPROVEN: (
        "Uw domein laat niet (of niet meer) zien dat wij met uw eigen adres mogen versturen.",
        "Vraag de beheerder van uw domein om onze DKIM-vermelding aan DNS toe te voegen.",
    ),
    Reason.SENDER_UNKNOWN: (
        "De toepassing heeft niet gezegd in wiens naam dit bericht wordt verstuurd.",
        "De toepassing moet de afzender noemen (X-Relayd-Sender) of diens eigen adres als From gebruiken.",
    ),
    Reason.SENDER_AMBIGUOUS: (
        "Het afzenderadres hoort bij meer dan één afzender.",
        "De toepassing moet de afzender noemen met de kopregel X-Relayd-Sender.",
    ),
    Reason.SIGNING_FAILED: (
        "Het bericht kan niet worden ondertekend met een sleutel die ontvangers vinden.",
        "U hoeft niets te doen: de beheerder van het platform moet de sleutel in DNS publiceren "
        "(`relayd dkim new` toont de vermelding) of herstellen.",
    ),
    Reason.SERVER_BUSY: (
        "De mailserver heeft het op dit moment te druk.",
        "U hoeft niets te doen: we proberen het opnieuw.",
    ),
    Reason.SERVER_ERROR: (
        "Een mailserver had zelf een fout.",
        "U hoeft niets te doen: we proberen het opnieuw.",
    ),
    Reason.SERVER_PROTOCOL: (
        "De mailserver gaf een antwoord waar geen touw aan vast te knopen is.",
        "Wacht even: we proberen het opnieuw. Blijft het zo, dan moet de beheerder van het platform ernaar "
        "kijken.",
    ),
    Reason.EXPIRED: (
        "Het bericht kon niet binnen de gestelde tijd worden bezorgd.",
        "Controleer het adres of bereik uw klant op een andere manier, en verstuur dan opnieuw.",
    ),
    Reason.CANCELLED: (
        "Iemand heeft het bericht ingetrokken voordat het werd verstuurd.",
        "Verstuur het opnieuw als het toch de deur uit moet.",
    ),
    Reason.DUPLICATE: (
        "Hetzelfde bericht was al eerder aangeboden.",
        "U hoeft niets te doen: het eerste telt.",
    ),
    Reason.UNKNOWN: (
        "De mailserver weigerde het bericht, en we kennen de reden niet.",
        "De beheerder van het platform moet het antwoord van de server lezen.",
    ),
}

DUTCH = Language(
    reasons=_REASONS,
    events={
        EventType.ACCEPTED: "Aangenomen, wordt nu verzonden.",
        EventType.RELEASED: "Vrijgegeven, wordt nu verzonden.",
        EventType.RETRIED: "Wordt nu opnieuw geprobeerd.",
        EventType.DEFERRED: "Vertraagd: {text}",
        EventType.UNCERTAIN: "Misschien al aangekomen: de mailserver nam het bericht aan, maar bevestigde "
        "het niet.",
        EventType.DELIVERED: "Bezorgd bij {host}{tls}.",
        EventType.RELAYED: "Voor bezorging overgedragen aan {host}{tls}.",
        EventType.REFUSED: "Niet aangenomen: {text}",
        EventType.FAILED: "Niet verzonden: {text}",
        EventType.EXPIRED: "Niet verzonden, we proberen het niet meer: {text}",
        EventType.SUPPRESSED: "Niet verzonden: {text}",
        EventType.CANCELLED: "Niet verzonden: {text}",
        EventType.BOUNCED: "Na verzending teruggekomen: {text}",
        EventType.HELD: "Vastgehouden: {text}",
        EventType.WARNED: "Nog niet bezorgd, we blijven het proberen: {text}",
        EventType.CONFIRMATION_SENT: "De e-mail met het verzoek om het adres te bevestigen is verzonden.",
        EventType.CONFIRMED: "Het adres is bevestigd.",
        EventType.CONFIRMATION_EXPIRED: "Het adres blijft onbevestigd: er kwam geen antwoord of een nee.",
        EventType.CONSENT_WITHDRAWN: "De toestemming om te verzenden is ingetrokken: log opnieuw in.",
        EventType.PROVEN: "Met het eigen adres mag worden verzonden.",
        EventType.UNPROVEN: "Met het eigen adres mag niet worden verzonden: {text}",
        EventType.UPSTREAM_FAILED: "Verzenden via de eigen mailserver lukt niet: {text}",
        EventType.UPSTREAM_OK: "Verzenden via de eigen mailserver lukt.",
        EventType.RUNG_CHANGED: "E-mail gaat nu met een ander afzenderadres de deur uit: {text}",
        EventType.SENDER_CHANGED: "De instellingen van de afzender zijn gewijzigd.",
    },
    platform_proven="De eigen sleutel van het platform staat op {record}.",
    platform_unproven="De eigen sleutel van het platform staat niet op {record}.",
    unnamed_server="de mailserver",
    encrypted=", versleuteld",
    in_clear=", niet versleuteld",
    next_attempt="Volgende poging om {at}.",
    still_proven="Een van de twee bewijzen voor het eigen adres is weg. Er wordt verder mee verzonden.",
    late_bounces="Komt het later terug, dan gaat de melding alleen naar uw eigen mailbox.",
    maybe_arrived="Een eerdere poging is misschien al aangekomen.",
    test="Test: er is niets echt verzonden.",
)
