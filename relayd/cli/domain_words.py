"""Words around a domain's records at the terminal, in the language that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """`titles` by purpose, `states` by name. Places: {when} {servers} {command} {proofs} {needed}."""

    titles: Mapping[str, str]
    states: Mapping[str, str]
    looked: str
    servers: str
    no_servers: str
    never: str
    proven: str
    conjunction: str
    not_proven: str
    optional: str
    found: str
    publish: str
    instead: str
    labels: tuple[str, str, str]  # type, name, value
    lookups: str
    forecast: str


WORDS: Mapping[str, Words] = {
    "en": Words(
        titles={
            "dkim": "DKIM: our key signs mail in the domain's name",
            "spf": "SPF: the domain lets our servers send",
            "dmarc": "DMARC: what receivers do with mail that fails",
            "return_path": "Return path: bounces come back under the domain's own name",
            "mx": "MX: replies arrive",
        },
        states={name: name for name in ("ok", "missing", "wrong", "duplicate", "warning", "unknown")},
        looked="looked at {when}",
        servers="its nameservers {servers}",
        no_servers="its nameservers can't be asked themselves",
        never="nobody has looked yet: {command}",
        proven="mail in its name is proven by {proofs}",
        conjunction="and",
        not_proven="mail in its name is not proven: publish DKIM (better) or SPF",
        optional="(optional)",
        found="found:",
        publish="publish:",
        instead="or:",
        labels=("type", "name", "value"),
        lookups="needs {needed} of the 10 look-ups that receivers make",
        forecast="Forecast",
    ),
    "de": Words(
        titles={
            "dkim": "DKIM: unser Schlüssel unterschreibt E-Mails im Namen der Domain",
            "spf": "SPF: die Domain lässt unsere Server senden",
            "dmarc": "DMARC: was Empfänger mit durchgefallenen E-Mails tun",
            "return_path": "Rückweg: Rückläufer kommen unter dem Namen der Domain zurück",
            "mx": "MX: Antworten kommen an",
        },
        states={
            "ok": "in Ordnung",
            "missing": "fehlt",
            "wrong": "falsch",
            "duplicate": "doppelt",
            "warning": "Hinweis",
            "unknown": "unbekannt",
        },
        looked="nachgesehen {when}",
        servers="ihre Nameserver {servers}",
        no_servers="ihre Nameserver lassen sich nicht selbst fragen",
        never="noch niemand hat nachgesehen: {command}",
        proven="E-Mails in ihrem Namen sind nachgewiesen durch {proofs}",
        conjunction="und",
        not_proven="E-Mails in ihrem Namen sind nicht nachgewiesen: DKIM (besser) oder SPF veröffentlichen",
        optional="(freiwillig)",
        found="gefunden:",
        publish="eintragen:",
        instead="oder:",
        labels=("Typ", "Name", "Wert"),
        lookups="braucht {needed} der 10 Abfragen, die Empfänger machen",
        forecast="Vorhersage",
    ),
    "fr": Words(
        titles={
            "dkim": "DKIM : notre clé signe le courrier au nom du domaine",
            "spf": "SPF : le domaine autorise nos serveurs à envoyer",
            "dmarc": "DMARC : ce que les destinataires font du courrier qui échoue",
            "return_path": "Retours : les messages non distribués reviennent sous le nom du domaine",
            "mx": "MX : les réponses arrivent",
        },
        states={
            "ok": "en ordre",
            "missing": "manque",
            "wrong": "faux",
            "duplicate": "en double",
            "warning": "remarque",
            "unknown": "inconnu",
        },
        looked="vérifié {when}",
        servers="ses serveurs de noms {servers}",
        no_servers="ses serveurs de noms ne peuvent pas être interrogés eux-mêmes",
        never="personne n'a encore vérifié : {command}",
        proven="le courrier en son nom est prouvé par {proofs}",
        conjunction="et",
        not_proven="le courrier en son nom n'est pas prouvé : publiez DKIM (mieux) ou SPF",
        optional="(facultatif)",
        found="trouvé :",
        publish="publier :",
        instead="ou :",
        labels=("type", "nom", "valeur"),
        lookups="demande {needed} des 10 requêtes que font les destinataires",
        forecast="Prévision",
    ),
    "nl": Words(
        titles={
            "dkim": "DKIM: onze sleutel ondertekent e-mail namens het domein",
            "spf": "SPF: het domein laat onze servers verzenden",
            "dmarc": "DMARC: wat ontvangers met mislukte e-mail doen",
            "return_path": "Terugweg: onbestelbare berichten komen onder de naam van het domein terug",
            "mx": "MX: antwoorden komen aan",
        },
        states={
            "ok": "in orde",
            "missing": "ontbreekt",
            "wrong": "fout",
            "duplicate": "dubbel",
            "warning": "let op",
            "unknown": "onbekend",
        },
        looked="bekeken {when}",
        servers="zijn nameservers {servers}",
        no_servers="zijn nameservers kunnen niet zelf worden gevraagd",
        never="nog niemand heeft gekeken: {command}",
        proven="e-mail uit zijn naam is bewezen door {proofs}",
        conjunction="en",
        not_proven="e-mail uit zijn naam is niet bewezen: publiceer DKIM (beter) of SPF",
        optional="(vrijwillig)",
        found="gevonden:",
        publish="publiceren:",
        instead="of:",
        labels=("type", "naam", "waarde"),
        lookups="heeft {needed} van de 10 vragen nodig die ontvangers stellen",
        forecast="Voorspelling",
    ),
}
