"""Reports about a domain in German."""

from relayd.core.phrases.domain_text import DomainTexts
from relayd.core.records.dmarc import Wish
from relayd.core.records.domainnotes import Code

GERMAN = DomainTexts(
    notes={
        Code.KEY_OK: "Unser Schlüssel ist veröffentlicht.",
        Code.KEY_MISSING: "Unter diesem Namen gibt es keinen Schlüssel-Eintrag.",
        Code.KEY_SEVERAL: (
            "Unter diesem Namen gibt es {count} TXT-Einträge; lassen Sie nur den mit unserem Schlüssel "
            "stehen."
        ),
        Code.KEY_QUOTES: (
            "Der Eintrag enthält Anführungszeichen oder Backslashs als Text; tragen Sie ihn ohne diese ein."
        ),
        Code.KEY_INVISIBLE: (
            "Der Eintrag enthält ein unsichtbares Zeichen ({what}); tippen Sie ihn ab, oder kopieren Sie "
            "ihn als reinen Text."
        ),
        Code.KEY_NO_TAGS: "Der Eintrag ist nicht lesbar; er muss aus Angaben wie v=DKIM1; k=rsa; p=SCHLÜSSEL "
        "bestehen.",
        Code.KEY_TWICE: "Die Angabe {tag}= steht zweimal im Eintrag; entfernen Sie eine.",
        Code.KEY_VERSION: "Der Eintrag ist kein DKIM-Schlüssel: Er muss mit v=DKIM1 beginnen.",
        Code.KEY_NO_P: "Der Eintrag enthält keinen Schlüssel: p= fehlt.",
        Code.KEY_CAPITALS: (
            "Die Namen der Angaben sind großgeschrieben; schreiben Sie sie klein: v=, k=, p=."
        ),
        Code.KEY_CUT_OFF: (
            "Der Schlüssel in p= ist abgeschnitten oder verändert; kopieren Sie unseren vollständig. "
            "Manche Formulare wollen ihn in Stücken von höchstens 255 Zeichen."
        ),
        Code.KEY_REVOKED: (
            "Der Eintrag erklärt den Schlüssel für zurückgezogen (p= ist leer); tragen Sie unseren ein."
        ),
        Code.KEY_OTHER: (
            "Der Eintrag enthält einen anderen Schlüssel als unseren; kopieren Sie unseren vollständig."
        ),
        Code.KEY_OTHER_WEAK: (
            "Der Eintrag enthält einen anderen Schlüssel als unseren, mit nur {bits} Bit, den Empfänger "
            "nicht beachten; kopieren Sie unseren vollständig."
        ),
        Code.KEY_TYPE: (
            "Der Eintrag ist für Schlüssel der Art {type}; unserer ist von der Art rsa: Schreiben Sie k=rsa."
        ),
        Code.KEY_HASH: "Der Eintrag erlaubt SHA-256 nicht (h=); entfernen Sie h=.",
        Code.KEY_SERVICE: "Der Eintrag erlaubt den Schlüssel nicht für E-Mail (s=); entfernen Sie s=.",
        Code.KEY_TESTING: (
            "Laut Eintrag ist die Domain im Test (t=y), deshalb beachten Empfänger ihn nicht; entfernen "
            "Sie t=y."
        ),
        Code.KEY_WEAK: (
            "Unser Schlüssel ist veröffentlicht, hat aber nur {bits} Bit. Der Betreiber der Plattform "
            "sollte zu 2048 wechseln: relayd dkim rotate"
        ),
        Code.KEY_UNPUBLISHED: "Der Alias stimmt, aber die Plattform hat ihren Schlüssel unter {name} nicht "
        "veröffentlicht. Das ist Sache der Plattform; hier ist nichts zu ändern.",
        Code.KEY_LATER: "Hier ist nichts einzutragen, bis der Schlüssel gewechselt wird.",
        Code.NAME_TWICE: (
            "Der Eintrag steht bei {there}: Das Formular hängt die Domain selbst an. Geben Sie als Namen "
            "{short} ein."
        ),
        Code.ALIAS_OK: (
            "Der Alias führt zu unserem Schlüssel. Wechseln wir den Schlüssel, ist hier nichts zu tun."
        ),
        Code.ALIAS_READY: "Bereit für den Tag, an dem wir den Schlüssel wechseln.",
        Code.ALIAS_MISSING: "Veröffentlichen Sie auch diesen Alias: Dann haben Sie mit einem Wechsel unseres "
        "Schlüssels nichts zu tun.",
        Code.ALIAS_ELSEWHERE: "Der Alias führt zu {target}; er muss zu {wanted} führen.",
        Code.ALIAS_TAKEN: "Unter diesem Namen steht etwas anderes; ersetzen Sie es durch den Alias.",
        Code.DMARC_OK: "Die Domain bittet Empfänger, {wish} (Eintrag von {where}).",
        Code.DMARC_MISSING: (
            "Es gibt keinen DMARC-Eintrag. Große Empfänger verlangen einen; dieser ändert nichts daran, "
            "wie E-Mails behandelt werden."
        ),
        Code.DMARC_SEVERAL: "Es gibt {count} DMARC-Einträge, deshalb gilt keiner; lassen Sie einen stehen.",
        Code.DMARC_SYNTAX: "Der Eintrag ist nicht lesbar und gilt deshalb nicht.",
        Code.DMARC_NO_POLICY: (
            "Die Richtlinie (p=) fehlt oder ist unbekannt; schreiben Sie p=none, p=quarantine oder p=reject."
        ),
        Code.DMARC_BAD_TAG: "Eine Angabe hat einen Wert ohne Bedeutung, deshalb gilt ihre Vorgabe.",
        Code.DMARC_STRICT_SPF: (
            "Die Domain verlangt für SPF strenge Übereinstimmung (aspf=s): Nur genau dieselbe Domain zählt."
        ),
        Code.DMARC_STRICT_DKIM: (
            "Die Domain verlangt für DKIM strenge Übereinstimmung (adkim=s): Nur genau dieselbe Domain zählt."
        ),
        Code.RETURN_OK: "Rückläufer kommen unter Ihrer eigenen Domain zu uns zurück.",
        Code.RETURN_MISSING: (
            "Mit diesem Alias kommen Rückläufer unter Ihrer eigenen Domain zurück, und SPF zählt für sie."
            " Nachgewiesen ist Ihre E-Mail auch ohne ihn."
        ),
        Code.RETURN_TAKEN: (
            "Dieser Name wird für etwas anderes benutzt ({target}). Braucht das niemand, lassen Sie ihn "
            "zu {wanted} führen."
        ),
        Code.MX_OK: "Die Domain nimmt E-Mails an, Antworten kommen also an.",
        Code.MX_ADDRESS: (
            "Die Domain hat keinen MX-Eintrag; E-Mails gehen an den Rechner dieses Namens selbst."
        ),
        Code.MX_MISSING: (
            "Die Domain hat weder MX- noch Adress-Eintrag: Niemand kann antworten, und viele Empfänger "
            "lehnen E-Mails von ihr ab."
        ),
        Code.MX_NULL: (
            "Die Domain erklärt, keinerlei E-Mail anzunehmen (Null-MX): Niemand kann antworten, und "
            "Empfänger lehnen E-Mails von ihr ab."
        ),
        Code.BEHIND: (
            "Ihre Nameserver haben den neuen Stand; andere sehen die alte Antwort vielleicht noch {time}."
        ),
        Code.OLD_ANSWER: "Nach einer Änderung sehen andere die alte Antwort vielleicht noch {time}.",
        Code.NOT_IN_STEP: (
            "Die Nameserver der Domain sagen nicht dasselbe: {servers}. Bleibt das so, muss deren "
            "Betreiber nachsehen."
        ),
        Code.TROUBLE: "DNS gibt keine brauchbare Antwort; sehen Sie später noch einmal nach.",
        Code.SHARED: (
            "{domain} gehört {provider}: Nur {provider} kann dort Einträge veröffentlichen. Senden Sie "
            "über Ihren eigenen Mailserver dort, oder mit der Standardadresse."
        ),
    },
    wishes={
        Wish.NONE: "durchgefallene E-Mails wie jede andere zu behandeln",
        Wish.QUARANTINE: "durchgefallene E-Mails als verdächtig zu behandeln",
        Wish.REJECT: "durchgefallene E-Mails abzulehnen",
    },
)
