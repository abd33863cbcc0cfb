"""Reports about a domain in Dutch."""

from relayd.core.phrases.domain_text import DomainTexts
from relayd.core.records.dmarc import Wish
from relayd.core.records.domainnotes import Code

DUTCH = DomainTexts(
    notes={
        Code.KEY_OK: "Onze sleutel is gepubliceerd.",
        Code.KEY_MISSING: "Op deze naam staat geen sleutelrecord.",
        Code.KEY_SEVERAL: (
            "Op deze naam staan {count} TXT-records; laat alleen het record met onze sleutel staan."
        ),
        Code.KEY_QUOTES: "Het record bevat aanhalingstekens of backslashes als tekst; vul het zonder in.",
        Code.KEY_INVISIBLE: (
            "Het record bevat een onzichtbaar teken ({what}); typ het over, of kopieer het als platte tekst."
        ),
        Code.KEY_NO_TAGS: "Het record is niet te lezen; het moet uit gegevens bestaan zoals v=DKIM1; k=rsa; "
        "p=SLEUTEL.",
        Code.KEY_TWICE: "Het gegeven {tag}= staat twee keer in het record; verwijder er een.",
        Code.KEY_VERSION: "Het record is geen DKIM-sleutel: het moet met v=DKIM1 beginnen.",
        Code.KEY_NO_P: "Het record bevat geen sleutel: p= ontbreekt.",
        Code.KEY_CAPITALS: ("De namen van de gegevens staan in hoofdletters; schrijf ze klein: v=, k=, p=."),
        Code.KEY_CUT_OFF: (
            "De sleutel in p= is afgekapt of veranderd; kopieer de onze helemaal. Sommige formulieren "
            "willen hem in stukken van hoogstens 255 tekens."
        ),
        Code.KEY_REVOKED: "Het record zegt dat deze sleutel is ingetrokken (p= is leeg); publiceer de onze.",
        Code.KEY_OTHER: "Het record bevat een andere sleutel dan de onze; kopieer de onze helemaal.",
        Code.KEY_OTHER_WEAK: (
            "Het record bevat een andere sleutel dan de onze, van maar {bits} bits, die ontvangers "
            "negeren; kopieer de onze helemaal."
        ),
        Code.KEY_TYPE: (
            "Het record is voor sleutels van het type {type}; de onze is van het type rsa: schrijf k=rsa."
        ),
        Code.KEY_HASH: "Het record staat SHA-256 niet toe (h=); verwijder h=.",
        Code.KEY_SERVICE: "Het record staat de sleutel niet toe voor e-mail (s=); verwijder s=.",
        Code.KEY_TESTING: (
            "Volgens het record is het domein aan het testen (t=y), dus ontvangers tellen het niet mee; "
            "verwijder t=y."
        ),
        Code.KEY_WEAK: (
            "Onze sleutel is gepubliceerd, maar heeft maar {bits} bits. De beheerder van het platform kan"
            " beter overstappen op 2048: relayd dkim rotate"
        ),
        Code.KEY_UNPUBLISHED: (
            "De alias klopt, maar het platform heeft zijn sleutel niet gepubliceerd op {name}. Dat is "
            "zaak van het platform; hier hoeft niets te veranderen."
        ),
        Code.KEY_LATER: "Hier hoeft niets te worden gepubliceerd tot de sleutel wordt gewisseld.",
        Code.NAME_TWICE: (
            "Het record staat bij {there}: het formulier voegt het domein zelf toe. Vul als naam {short} in."
        ),
        Code.ALIAS_OK: (
            "De alias leidt naar onze sleutel. Als wij de sleutel wisselen, hoeft hier niets te gebeuren."
        ),
        Code.ALIAS_READY: "Klaar voor de dag waarop wij de sleutel wisselen.",
        Code.ALIAS_MISSING: "Publiceer ook deze alias: dan vraagt een nieuwe sleutel van ons niets van u.",
        Code.ALIAS_ELSEWHERE: "De alias leidt naar {target}; hij moet naar {wanted} leiden.",
        Code.ALIAS_TAKEN: "Op deze naam staat iets anders; zet de alias ervoor in de plaats.",
        Code.DMARC_OK: "Het domein vraagt ontvangers om {wish} (record van {where}).",
        Code.DMARC_MISSING: (
            "Er is geen DMARC-record. Grote ontvangers vragen erom; dit record verandert niets aan hoe "
            "e-mail wordt behandeld."
        ),
        Code.DMARC_SEVERAL: "Er zijn {count} DMARC-records, dus er telt geen; laat er een staan.",
        Code.DMARC_SYNTAX: "Het record is niet te lezen en telt daarom niet.",
        Code.DMARC_NO_POLICY: (
            "Het beleid (p=) ontbreekt of is onbekend; schrijf p=none, p=quarantine of p=reject."
        ),
        Code.DMARC_BAD_TAG: "Een gegeven heeft een waarde zonder betekenis, dus de standaardwaarde telt.",
        Code.DMARC_STRICT_SPF: (
            "Het domein wil strikte overeenstemming voor SPF (aspf=s): alleen precies hetzelfde domein telt."
        ),
        Code.DMARC_STRICT_DKIM: (
            "Het domein wil strikte overeenstemming voor DKIM (adkim=s): alleen precies hetzelfde domein "
            "telt."
        ),
        Code.RETURN_OK: "Onbestelbare berichten komen onder uw eigen domein bij ons terug.",
        Code.RETURN_MISSING: (
            "Met deze alias komen onbestelbare berichten onder uw eigen domein terug, en telt SPF ervoor."
            " Uw e-mail is ook zonder bewezen."
        ),
        Code.RETURN_TAKEN: (
            "Deze naam wordt voor iets anders gebruikt ({target}). Heeft niemand dat nodig, laat hem dan "
            "naar {wanted} leiden."
        ),
        Code.MX_OK: "Het domein ontvangt e-mail, dus antwoorden komen aan.",
        Code.MX_ADDRESS: "Het domein heeft geen MX-record; e-mail gaat naar de host met die naam zelf.",
        Code.MX_MISSING: (
            "Het domein heeft geen MX- en geen adresrecord: niemand kan antwoorden, en veel ontvangers "
            "weigeren e-mail ervan."
        ),
        Code.MX_NULL: (
            "Het domein zegt helemaal geen e-mail te ontvangen (null-MX): niemand kan antwoorden, en "
            "ontvangers weigeren e-mail ervan."
        ),
        Code.BEHIND: "Uw nameservers hebben het; anderen zien misschien nog {time} het oude antwoord.",
        Code.OLD_ANSWER: "Na een wijziging zien anderen misschien nog {time} het oude antwoord.",
        Code.NOT_IN_STEP: (
            "De nameservers van het domein zeggen niet hetzelfde: {servers}. Blijft dat zo, dan moet hun "
            "beheerder kijken."
        ),
        Code.TROUBLE: "DNS geeft geen bruikbaar antwoord; kijk later nog eens.",
        Code.SHARED: (
            "{domain} is van {provider}: alleen {provider} kan daar records publiceren. Verstuur via uw "
            "eigen mailserver daar, of met het standaardadres."
        ),
    },
    wishes={
        Wish.NONE: "mislukte e-mail te behandelen als alle andere",
        Wish.QUARANTINE: "mislukte e-mail als verdacht te behandelen",
        Wish.REJECT: "mislukte e-mail te weigeren",
    },
)
