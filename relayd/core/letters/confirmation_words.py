"""The sentences of the confirmation letter. Places: {platform}, {customer}, {address}, {hours}, {app}."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    subject: str
    title: str
    greeting: str
    opening: str
    meaning: str  # what a yes allows
    button: str
    code: str  # the other way, beside the button
    code_alone: str  # the only way
    good_for: str
    row_company: str
    row_address: str
    row_asked: str
    row_time: str
    by_message: str
    by_operator: str
    by_app: str
    not_you: str
    tell_us: str
    not_me: str
    foot: str


_GERMAN = Words(
    subject="Bitte bestätigen Sie Ihre Adresse {address}",
    title="Gehört diese Adresse Ihnen?",
    greeting="Guten Tag,",
    opening="{customer} versendet E-Mails mit {platform} und hat dafür die Adresse {address} "
    "angegeben. Bitte bestätigen Sie, dass das stimmt.",
    meaning="Wenn Sie bestätigen, dürfen E-Mails von {customer}, zum Beispiel Rechnungen, diese Adresse als "
    "Absender tragen, und Antworten kommen zu Ihnen.",
    button="Ansehen und bestätigen",
    code="Sie können stattdessen auch diesen Code in {platform} eingeben:",
    code_alone="Geben Sie dazu in {platform} diesen Code ein:",
    good_for="Das gilt {hours} Stunden lang. Nennen Sie den Code niemandem per E-Mail oder am Telefon.",
    row_company="Unternehmen",
    row_address="Adresse",
    row_asked="Angefragt",
    row_time="Zeitpunkt",
    by_message="durch die erste E-Mail in diesem Namen",
    by_operator="vom Betreiber von {platform}",
    by_app="von der Anwendung {app}",
    not_you="Sie kennen {customer} nicht oder möchten das nicht? Dann bestätigen Sie nichts: Ohne Ihre "
    "Bestätigung wird Ihre Adresse nicht als Absender verwendet.",
    tell_us="Sie können die Anfrage auch gleich beenden:",
    not_me="Das war ich nicht",
    foot="Diese E-Mail hat {platform} automatisch verschickt; Antworten darauf liest niemand.",
)

_ENGLISH = Words(
    subject="Please confirm your address {address}",
    title="Is this your address?",
    greeting="Hello,",
    opening="{customer} sends e-mail with {platform} and gave {address} as its address. Please "
    "confirm that this is right.",
    meaning="If you confirm, e-mail from {customer}, such as invoices, may carry this address as its sender, "
    "and replies come to you.",
    button="Review and confirm",
    code="Or enter this code in {platform} instead:",
    code_alone="To do so, enter this code in {platform}:",
    good_for="This is good for {hours} hours. Don't tell anybody the code by e-mail or telephone.",
    row_company="Company",
    row_address="Address",
    row_asked="Requested",
    row_time="Time",
    by_message="by the first e-mail sent in this name",
    by_operator="by the operator of {platform}",
    by_app="by the application {app}",
    not_you="You don't know {customer}, or don't want this? Then don't confirm anything: without your yes, "
    "your address isn't used as a sender.",
    tell_us="You can also end this request at once:",
    not_me="This wasn't me",
    foot="{platform} sent this e-mail automatically; nobody reads replies to it.",
)

_FRENCH = Words(
    subject="Merci de confirmer votre adresse {address}",
    title="Cette adresse est-elle la vôtre ?",
    greeting="Bonjour,",
    opening="{customer} envoie ses e-mails avec {platform} et a indiqué l’adresse {address}. Merci "
    "de confirmer que c’est exact.",
    meaning="Si vous confirmez, les e-mails de {customer}, par exemple ses factures, pourront porter cette "
    "adresse comme expéditeur, et les réponses vous parviendront.",
    button="Voir et confirmer",
    code="Vous pouvez aussi saisir ce code dans {platform} :",
    code_alone="Pour cela, saisissez ce code dans {platform} :",
    good_for="C’est valable {hours} heures. Ne donnez ce code à personne par e-mail ou au téléphone.",
    row_company="Entreprise",
    row_address="Adresse",
    row_asked="Demandé",
    row_time="Date",
    by_message="par le premier e-mail envoyé sous ce nom",
    by_operator="par l’exploitant de {platform}",
    by_app="par l’application {app}",
    not_you="Vous ne connaissez pas {customer}, ou vous ne le souhaitez pas ? Alors ne confirmez rien : sans "
    "votre accord, votre adresse ne sert pas d’expéditeur.",
    tell_us="Vous pouvez aussi mettre fin à cette demande :",
    not_me="Ce n’était pas moi",
    foot="{platform} a envoyé cet e-mail automatiquement ; personne ne lit les réponses.",
)

_DUTCH = Words(
    subject="Bevestig uw adres {address}",
    title="Is dit uw adres?",
    greeting="Goedendag,",
    opening="{customer} verstuurt e-mail met {platform} en heeft daarvoor het adres {address} "
    "opgegeven. Wilt u bevestigen dat dit klopt?",
    meaning="Als u bevestigt, mag e-mail van {customer}, zoals facturen, dit adres als afzender dragen, en "
    "antwoorden komen bij u terecht.",
    button="Bekijken en bevestigen",
    code="U kunt in plaats daarvan ook deze code in {platform} invoeren:",
    code_alone="Voer daarvoor deze code in {platform} in:",
    good_for="Dit is {hours} uur geldig. Geef de code aan niemand door per e-mail of telefoon.",
    row_company="Bedrijf",
    row_address="Adres",
    row_asked="Aangevraagd",
    row_time="Tijdstip",
    by_message="door de eerste e-mail in deze naam",
    by_operator="door de beheerder van {platform}",
    by_app="door de toepassing {app}",
    not_you="Kent u {customer} niet, of wilt u dit niet? Bevestig dan niets: zonder uw akkoord wordt uw "
    "adres niet als afzender gebruikt.",
    tell_us="U kunt dit verzoek ook meteen beëindigen:",
    not_me="Dit was ik niet",
    foot="{platform} heeft deze e-mail automatisch verstuurd; antwoorden worden niet gelezen.",
)

WORDS: Mapping[str, Words] = {"de": _GERMAN, "en": _ENGLISH, "fr": _FRENCH, "nl": _DUTCH}
