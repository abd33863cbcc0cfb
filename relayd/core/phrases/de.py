"""Deutsch."""

from relayd.core.event import EventType
from relayd.core.phrases.language import Language
from relayd.core.reasons import Reason

_REASONS = {
    Reason.RECIPIENT_UNKNOWN: (
        "Der Mailserver des Empfängers kennt diese Adresse nicht.",
        "Prüfen Sie die Adresse auf Tippfehler oder fragen Sie Ihren Kunden nach der richtigen, und senden "
        "Sie "
        "erneut.",
    ),
    Reason.RECIPIENT_DOMAIN: (
        "Der Teil der Adresse nach dem @ existiert nicht oder nimmt keine E-Mails an.",
        "Prüfen Sie die Adresse auf Tippfehler oder fragen Sie Ihren Kunden nach der richtigen, und senden "
        "Sie "
        "erneut.",
    ),
    Reason.RECIPIENT_DISABLED: (
        "Das Postfach des Empfängers gibt es, es ist aber abgeschaltet.",
        "Fragen Sie Ihren Kunden nach einer anderen Adresse.",
    ),
    Reason.RECIPIENT_FULL: (
        "Das Postfach des Empfängers ist voll.",
        "Bitten Sie Ihren Kunden, im Postfach Platz zu schaffen oder Ihnen eine andere Adresse zu nennen.",
    ),
    Reason.RECIPIENT_MOVED: (
        "Der Empfänger ist zu einer anderen Adresse umgezogen.",
        "Fragen Sie Ihren Kunden nach der neuen Adresse und senden Sie erneut.",
    ),
    Reason.RECIPIENT_REFUSED: (
        "Der Mailserver des Empfängers nimmt für diese Adresse keine E-Mails von Ihnen an.",
        "Bitten Sie Ihren Kunden, Ihre Adresse zuzulassen, oder um eine andere Adresse.",
    ),
    Reason.RECIPIENT_SUPPRESSED: (
        "Es wurde nichts gesendet: Frühere E-Mails an diese Adresse scheiterten endgültig oder wurden als "
        "Spam "
        "gemeldet.",
        "Wenn die Adresse wieder stimmt, lassen Sie sie von der Sperrliste nehmen und senden Sie erneut.",
    ),
    Reason.MESSAGE_TOO_BIG: (
        "Die Nachricht ist größer, als der Mailserver des Empfängers erlaubt.",
        "Senden Sie weniger oder kleinere Anhänge, oder stattdessen einen Link.",
    ),
    Reason.MESSAGE_CONTENT: (
        "Der Mailserver des Empfängers nimmt den Inhalt oder einen Anhang dieser Nachricht nicht an.",
        "Senden Sie das Dokument als einfaches PDF, ohne angehängte Programme, Archive oder Skripte.",
    ),
    Reason.MESSAGE_SPAM: (
        "Der Mailserver des Empfängers hat die Nachricht für Spam gehalten.",
        "Bitten Sie Ihren Kunden, Ihre Adresse zuzulassen, und prüfen Sie Text und Links der Nachricht.",
    ),
    Reason.MESSAGE_MALFORMED: (
        "Die Nachricht ist nicht nach den Regeln für E-Mails aufgebaut.",
        "Der Hersteller der Anwendung muss den Aufbau ihrer Nachrichten korrigieren.",
    ),
    Reason.MESSAGE_LINE_TOO_LONG: (
        "Eine Zeile der Nachricht ist länger, als E-Mail erlaubt (998 Zeichen).",
        "Der Hersteller der Anwendung muss die Nachricht als quoted-printable oder base64 kodieren.",
    ),
    Reason.MESSAGE_SMTPUTF8: (
        "Die Adresse enthält Buchstaben, mit denen der Mailserver des Empfängers nicht umgehen kann.",
        "Fragen Sie Ihren Kunden nach einer Adresse ohne Umlaute oder andere besondere Buchstaben.",
    ),
    Reason.MESSAGE_LOOP: (
        "Die Nachricht läuft im Kreis: Mailserver schicken sie sich gegenseitig zurück.",
        "Der Betreiber der Plattform muss prüfen, wohin E-Mails an diese Adresse geleitet werden.",
    ),
    Reason.POLICY_SPF: (
        "Laut dem Mailserver des Empfängers erlaubt Ihre Domain uns das Senden nicht (SPF).",
        "Bitten Sie den Verwalter Ihrer Domain, unseren Eintrag in den SPF-Record aufzunehmen.",
    ),
    Reason.POLICY_DKIM: (
        "Der Mailserver des Empfängers hat die digitale Unterschrift der Nachricht nicht anerkannt (DKIM).",
        "Der Betreiber der Plattform muss den Schlüssel der Unterschrift im DNS prüfen.",
    ),
    Reason.POLICY_DMARC: (
        "Der Mailserver des Empfängers konnte nicht prüfen, dass die Nachricht wirklich von Ihrer Domain "
        "kommt "
        "(DMARC).",
        "Bitten Sie den Verwalter Ihrer Domain, unseren SPF- oder DKIM-Eintrag zu veröffentlichen, oder "
        "senden "
        "Sie von der Standardadresse.",
    ),
    Reason.POLICY_TLS_REQUIRED: (
        "Eine verschlüsselte Verbindung ist vorgeschrieben und kam nicht zustande.",
        "Der Betreiber der Plattform oder des Mailservers muss die Verschlüsselung (TLS) einschalten.",
    ),
    Reason.POLICY_FROM_MISMATCH: (
        "Die Absenderadresse der Nachricht ist nicht die Adresse des Absenders im Unternehmensprofil.",
        "Die Anwendung muss die Adresse aus dem Unternehmensprofil als Absender (From) verwenden.",
    ),
    Reason.POLICY_OTHER: (
        "Der Mailserver des Empfängers hat die Nachricht nach einer eigenen Regel abgelehnt.",
        "Der Betreiber der Plattform muss beim Mailanbieter des Empfängers nachfragen, was die Regel "
        "verlangt.",
    ),
    Reason.REPUTATION_BLOCKLIST: (
        "Unser Server steht auf einer Sperrliste, die der Mailserver des Empfängers verwendet.",
        "Sie müssen nichts tun: Der Betreiber der Plattform muss den Server von der Liste nehmen lassen.",
    ),
    Reason.REPUTATION_PTR: (
        "Unserem Server fehlt ein richtiger Name im DNS (PTR), den der Mailserver des Empfängers verlangt.",
        "Sie müssen nichts tun: Der Betreiber der Plattform muss den Namen des Servers im DNS eintragen "
        "lassen.",
    ),
    Reason.REPUTATION_LOW: (
        "Der Mailanbieter des Empfängers traut unserem Server nicht oder kennt ihn noch nicht.",
        "Sie müssen nichts tun: Der Betreiber der Plattform muss sich an diesen Anbieter wenden.",
    ),
    Reason.RATE_GREYLISTED: (
        "Der Mailserver des Empfängers bittet neue Absender, es etwas später noch einmal zu versuchen. Das "
        "ist "
        "normal.",
        "Sie müssen nichts tun: Der nächste Versuch gelingt meistens.",
    ),
    Reason.RATE_LIMITED: (
        "Der Mailserver nimmt nur eine begrenzte Zahl von Nachrichten auf einmal an.",
        "Sie müssen nichts tun: Wir senden langsamer und versuchen es erneut.",
    ),
    Reason.RATE_QUOTA_DAY: (
        "Ihr E-Mail-Konto hat die Zahl der Nachrichten erreicht, die es am Tag senden darf.",
        "Warten Sie: Wir versuchen es später erneut. Kommt es öfter vor, bitten Sie Ihren Mailanbieter um "
        "ein "
        "höheres Limit.",
    ),
    Reason.NETWORK_REFUSED: (
        "Der Mailserver nimmt zurzeit keine Verbindungen an.",
        "Warten Sie: Wir versuchen es erneut. Ist es Ihr eigener Mailserver, prüfen Sie Name und Port in den "
        "Einstellungen.",
    ),
    Reason.NETWORK_TIMEOUT: (
        "Der Mailserver hat nicht rechtzeitig geantwortet.",
        "Warten Sie: Wir versuchen es erneut. Ist es Ihr eigener Mailserver, prüfen Sie Name und Port in den "
        "Einstellungen.",
    ),
    Reason.NETWORK_UNREACHABLE: (
        "Der Mailserver ist zurzeit nicht erreichbar.",
        "Warten Sie: Wir versuchen es erneut. Ist es Ihr eigener Mailserver, prüfen Sie Name und Port in den "
        "Einstellungen.",
    ),
    Reason.NETWORK_DNS: (
        "Der Mailserver ließ sich im DNS, dem Verzeichnis des Internets, nicht nachschlagen.",
        "Warten Sie: Wir versuchen es erneut. Ist es Ihr eigener Mailserver, prüfen Sie seinen Namen in den "
        "Einstellungen.",
    ),
    Reason.NETWORK_TLS: (
        "Die verschlüsselte Verbindung zum Mailserver kam nicht zustande; vielleicht ist sein Zertifikat "
        "falsch "
        "oder abgelaufen.",
        "Warten Sie: Wir versuchen es erneut. Ist es Ihr eigener Mailserver, lassen Sie sein Zertifikat "
        "prüfen.",
    ),
    Reason.NETWORK_CLOSED: (
        "Der Mailserver hat die Verbindung abgebrochen.",
        "Warten Sie: Wir versuchen es erneut.",
    ),
    Reason.NETWORK_PORT_BLOCKED: (
        "Unser Netz lässt keine E-Mails hinaus: Port 25 scheint gesperrt zu sein.",
        "Sie müssen nichts tun: Der Betreiber der Plattform muss Port 25 öffnen lassen oder einen Smarthost "
        "einrichten.",
    ),
    Reason.AUTH_WRONG_PASSWORD: (
        "Ihr Mailserver nimmt Benutzernamen oder Passwort nicht an.",
        "Geben Sie beides in den E-Mail-Einstellungen neu ein. Achten Sie darauf, dass der Browser kein "
        "anderes "
        "Passwort einfüllt.",
    ),
    Reason.AUTH_APP_PASSWORD_NEEDED: (
        "Ihr Mailanbieter verlangt hier ein App-Passwort statt Ihres üblichen Passworts.",
        "Erstellen Sie in den Sicherheitseinstellungen Ihres E-Mail-Kontos ein App-Passwort und tragen Sie "
        "es in "
        "den E-Mail-Einstellungen ein.",
    ),
    Reason.AUTH_BROWSER_LOGIN_NEEDED: (
        "Ihr Mailanbieter möchte, dass Sie sich zuerst im Browser anmelden.",
        "Melden Sie sich im Browser an Ihrem E-Mail-Konto an, bestätigen Sie, dass Sie es waren, und geben "
        "Sie "
        "die E-Mails dann frei.",
    ),
    Reason.AUTH_TOO_MANY_ATTEMPTS: (
        "Ihr Mailanbieter hat die Anmeldung nach zu vielen Versuchen für eine Weile gesperrt.",
        "Warten Sie eine Stunde oder länger. Prüfen Sie, ob sich ein anderes Programm mit einem alten "
        "Passwort "
        "anmeldet.",
    ),
    Reason.AUTH_SMTP_AUTH_DISABLED: (
        "Das Senden durch Programme (SMTP-Anmeldung) ist für Ihr E-Mail-Konto abgeschaltet.",
        "Bitten Sie Ihren IT-Partner, authentifiziertes SMTP für dieses Postfach einzuschalten.",
    ),
    Reason.AUTH_BASIC_DISABLED: (
        "Ihr Mailanbieter nimmt für das Senden durch Programme keine Passwörter mehr an.",
        "Bitten Sie Ihren IT-Partner, authentifiziertes SMTP zu erlauben, oder senden Sie von der "
        "Standardadresse.",
    ),
    Reason.AUTH_NOT_LOGGED_IN: (
        "Ihr Mailserver nimmt E-Mails erst nach einer Anmeldung an, und die ist nicht gelungen.",
        "Tragen Sie Benutzernamen und Passwort in den E-Mail-Einstellungen ein.",
    ),
    Reason.AUTH_MECHANISM: (
        "Ihr Mailserver bietet keine Art der Anmeldung an, die wir verwenden können.",
        "Prüfen Sie Servername, Port und Verschlüsselung in den E-Mail-Einstellungen oder fragen Sie Ihren "
        "IT-Partner.",
    ),
    Reason.AUTH_TOKEN_EXPIRED: (
        "Die Erlaubnis, über Ihr E-Mail-Konto zu senden, ist abgelaufen.",
        "Verbinden Sie Ihr E-Mail-Konto in den E-Mail-Einstellungen neu.",
    ),
    Reason.UPSTREAM_IS_MX: (
        "Der Server in Ihren E-Mail-Einstellungen empfängt nur; er versendet nichts für Sie.",
        "Tragen Sie den Postausgangsserver (SMTP) Ihres Anbieters ein, nicht den Mail Exchanger (MX).",
    ),
    Reason.UPSTREAM_RELAY_DENIED: (
        "Ihr Mailserver weigert sich, E-Mails an andere Domains weiterzugeben.",
        "Prüfen Sie Benutzernamen und Passwort in den E-Mail-Einstellungen oder fragen Sie Ihren "
        "Mailanbieter.",
    ),
    Reason.UPSTREAM_SEALED: (
        "Das Passwort Ihres Mailservers kann zurzeit nicht gelesen werden.",
        "Sie müssen nichts tun: Der Betreiber der Plattform muss den Schlüssel zurücklegen, mit dem es "
        "versiegelt ist.",
    ),
    Reason.SENDER_NOT_ALLOWED: (
        "Ihr Mailserver erlaubt diesem Konto nicht, mit dieser Absenderadresse zu senden.",
        "Die Adresse im Unternehmensprofil muss die des E-Mail-Kontos sein, oder das Konto braucht das "
        "Recht, "
        "für sie zu senden.",
    ),
    Reason.SENDER_BLOCKED: (
        "Ihr Mailanbieter hat Ihr Konto für das Senden gesperrt, oft nach einem Verdacht auf Spam.",
        "Bitten Sie Ihren Mailanbieter, die Sperre aufzuheben; ändern Sie das Passwort, falls das Konto "
        "missbraucht wurde.",
    ),
    Reason.SENDER_UNCONFIRMED: (
        "Die Adresse in Ihrem Unternehmensprofil ist noch nicht bestätigt.",
        "Öffnen Sie die Bestätigungsmail, die an diese Adresse ging, und bestätigen Sie die Adresse.",
    ),
    Reason.SENDER_UNPROVEN: (
        "Ihre Domain zeigt nicht (oder nicht mehr), dass wir mit Ihrer eigenen Adresse senden dürfen.",
        "Bitten Sie den Verwalter Ihrer Domain, unseren DKIM-Eintrag ins DNS aufzunehmen.",
    ),
    Reason.SENDER_UNKNOWN: (
        "Die Anwendung hat nicht gesagt, in wessen Namen diese Nachricht gesendet wird.",
        "Die Anwendung muss den Absender nennen (X-Relayd-Sender) oder dessen eigene Adresse als From "
        "verwenden.",
    ),
    Reason.SENDER_AMBIGUOUS: (
        "Die Absenderadresse gehört zu mehr als einem Absender.",
        "Die Anwendung muss den Absender mit der Kopfzeile X-Relayd-Sender nennen.",
    ),
    Reason.SIGNING_FAILED: (
        "Die Nachricht kann nicht mit einem Schlüssel unterschrieben werden, den Empfänger finden.",
        "Sie müssen nichts tun: Der Betreiber der Plattform muss den Schlüssel im DNS veröffentlichen "
        "(`relayd dkim new` zeigt den Eintrag) oder in Ordnung bringen.",
    ),
    Reason.SERVER_BUSY: (
        "Der Mailserver ist zurzeit überlastet.",
        "Sie müssen nichts tun: Wir versuchen es erneut.",
    ),
    Reason.SERVER_ERROR: (
        "Ein Mailserver hatte selbst einen Fehler.",
        "Sie müssen nichts tun: Wir versuchen es erneut.",
    ),
    Reason.SERVER_PROTOCOL: (
        "Der Mailserver hat auf eine Weise geantwortet, die keinen Sinn ergibt.",
        "Warten Sie: Wir versuchen es erneut. Bleibt es so, muss der Betreiber der Plattform nachsehen.",
    ),
    Reason.EXPIRED: (
        "Die Nachricht konnte in der vorgesehenen Zeit nicht zugestellt werden.",
        "Prüfen Sie die Adresse oder erreichen Sie Ihren Kunden auf anderem Weg, und senden Sie dann erneut.",
    ),
    Reason.CANCELLED: (
        "Jemand hat die Nachricht zurückgezogen, bevor sie gesendet wurde.",
        "Senden Sie sie erneut, falls sie doch hinausgehen soll.",
    ),
    Reason.DUPLICATE: (
        "Dieselbe Nachricht war schon einmal übergeben worden.",
        "Sie müssen nichts tun: Es gilt die erste.",
    ),
    Reason.UNKNOWN: (
        "Der Mailserver hat die Nachricht abgelehnt, und wir kennen seinen Grund nicht.",
        "Der Betreiber der Plattform muss die Antwort des Servers lesen.",
    ),
}

GERMAN = Language(
    reasons=_REASONS,
    events={
        EventType.ACCEPTED: "Angenommen, wird jetzt gesendet.",
        EventType.RELEASED: "Freigegeben, wird jetzt gesendet.",
        EventType.RETRIED: "Wird jetzt erneut versucht.",
        EventType.DEFERRED: "Verzögert: {text}",
        EventType.UNCERTAIN: "Vielleicht schon angekommen: Der Mailserver hat die Nachricht genommen, aber "
        "nicht "
        "bestätigt.",
        EventType.DELIVERED: "Zugestellt an {host}{tls}.",
        EventType.RELAYED: "Zur Zustellung an {host} übergeben{tls}.",
        EventType.REFUSED: "Nicht angenommen: {text}",
        EventType.FAILED: "Nicht gesendet: {text}",
        EventType.EXPIRED: "Nicht gesendet, wir haben es aufgegeben: {text}",
        EventType.SUPPRESSED: "Nicht gesendet: {text}",
        EventType.CANCELLED: "Nicht gesendet: {text}",
        EventType.BOUNCED: "Nach dem Versand zurückgekommen: {text}",
        EventType.HELD: "Angehalten: {text}",
        EventType.WARNED: "Noch nicht zugestellt, wir versuchen es weiter: {text}",
        EventType.CONFIRMATION_SENT: "Die E-Mail mit der Bitte um Bestätigung der Adresse wurde gesendet.",
        EventType.CONFIRMED: "Die Adresse ist bestätigt.",
        EventType.CONFIRMATION_EXPIRED: "Die Adresse bleibt unbestätigt: Es kam keine Antwort oder ein Nein.",
        EventType.CONSENT_WITHDRAWN: "Die Erlaubnis zu senden wurde entzogen: Jemand muss sich neu anmelden.",
        EventType.PROVEN: "Mit der eigenen Adresse darf gesendet werden.",
        EventType.UNPROVEN: "Mit der eigenen Adresse darf nicht gesendet werden: {text}",
        EventType.UPSTREAM_FAILED: "Das Senden über den eigenen Mailserver gelingt nicht: {text}",
        EventType.UPSTREAM_OK: "Das Senden über den eigenen Mailserver gelingt.",
        EventType.RUNG_CHANGED: "E-Mails gehen jetzt mit einer anderen Absenderadresse hinaus: {text}",
        EventType.SENDER_CHANGED: "Die Einstellungen des Absenders wurden geändert.",
    },
    platform_proven="Der eigene Schlüssel der Plattform ist unter {record} veröffentlicht.",
    platform_unproven="Der eigene Schlüssel der Plattform ist nicht unter {record} veröffentlicht.",
    unnamed_server="den Mailserver",
    encrypted=", verschlüsselt",
    in_clear=", nicht verschlüsselt",
    next_attempt="Nächster Versuch um {at}.",
    still_proven="Einer von zwei Nachweisen für die eigene Adresse fehlt nun. Sie wird weiter benutzt.",
    late_bounces="Kommt sie später zurück, geht die Meldung nur an Ihr eigenes Postfach.",
    maybe_arrived="Ein früherer Versuch ist vielleicht schon angekommen.",
    test="Test: Es wurde nichts wirklich gesendet.",
)
