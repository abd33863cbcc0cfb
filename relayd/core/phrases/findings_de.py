"""Findings in German."""

from relayd.core.findings import Kind
from relayd.core.phrases.findings_text import Findings

GERMAN = Findings(
    better="Richtig ist: {right}.",
    kinds={
        Kind.ADDRESS_DIFFERS: (
            "Ihre E-Mail-Einstellungen melden sich als {username} an, in Ihrem Unternehmensprofil steht "
            "aber die Adresse {address}.",
            "Verwenden Sie an beiden Stellen dieselbe Adresse, oder erlauben Sie dem Konto {username}, als "
            "{address} zu senden.",
        ),
        Kind.USERNAME_FORM: (
            "Der Benutzername „{username}“ ist nicht der, den {provider} verlangt.",
            "Geben Sie als Benutzernamen ein: {expected}.",
        ),
        Kind.SERVER_IS_MX: (
            "{host} empfängt nur E-Mails (der MX); er versendet keine für Sie.",
            "Geben Sie stattdessen den Postausgangsserver (SMTP) Ihres Anbieters ein.",
        ),
        Kind.SERVER_NAME: (
            "Es gibt keinen Server mit dem Namen {host}.",
            "Prüfen Sie den Namen des Postausgangsservers (SMTP) auf Tippfehler.",
        ),
        Kind.SERVER_PORT: (
            "{host} antwortet nicht auf Port {port}, wohl aber auf Port {other}.",
            "Stellen Sie den Port {other} mit der Verschlüsselung {tls} ein.",
        ),
        Kind.SERVER_TLS_MODE: (
            "Port {port} passt nicht zur eingestellten Art der Verschlüsselung.",
            "Stellen Sie die Verschlüsselung {tls} ein oder berichtigen Sie den Port: 587 gehört zu "
            "starttls, 465 zu implicit.",
        ),
        Kind.SERVER_NOT_SMTP: (
            "Was bei {host} auf Port {port} antwortet, ist kein Postausgangsserver.",
            "Prüfen Sie Servername und Port: üblich sind Port 587 mit starttls oder 465 mit implicit.",
        ),
        Kind.SERVER_NO_LOGIN: (
            "{host} bietet keine Anmeldung mit Benutzername und Passwort an, wie Server, die nur empfangen.",
            "Geben Sie den Postausgangsserver (SMTP) Ihres Anbieters und dessen Port für Kunden ein: 587 "
            "oder 465.",
        ),
        Kind.SERVER_OF_ANOTHER: (
            "Das Postfach {address} liegt bei {provider}, {host} gehört aber jemand anderem.",
            "Prüfen Sie, ob dieser Server für {address} senden darf.",
        ),
        Kind.HOST_NOT_PUBLIC: (
            "{host} führt zu keinem Server, zu dem wir uns verbinden dürfen: Ein Mailserver braucht eine "
            "öffentliche Adresse.",
            "Geben Sie den öffentlichen Namen des Servers ein. Muss er in einem privaten Netz stehen, kann "
            "der Betreiber der Plattform dieses Netz erlauben.",
        ),
        Kind.HOST_IS_US: (
            "{host} führt zu diesem Dienst selbst zurück.",
            "Geben Sie den Postausgangsserver Ihres eigenen E-Mail-Anbieters ein.",
        ),
        Kind.PASSWORD_WRONG: (
            "Ihr Mailserver nimmt Benutzername oder Passwort nicht an.",
            "Geben Sie beides noch einmal von Hand ein: Browser füllen gern ein anderes Passwort ein, etwa "
            "das dieser Anwendung.",
        ),
        Kind.PASSWORD_OF_PLATFORM: (
            "Das sind Zugangsdaten dieser Plattform, nicht die Ihres Postfachs. Wahrscheinlich hat der "
            "Browser sie eingefüllt.",
            "Löschen Sie Benutzername und Passwort und geben Sie die Ihres E-Mail-Kontos von Hand ein.",
        ),
        Kind.PASSWORD_APP_NEEDED: (
            "{provider} verlangt hier ein App-Passwort; was eingegeben ist, ist keines.",
            "Erstellen Sie in den Sicherheitseinstellungen Ihres Kontos bei {provider} ein App-Passwort und "
            "geben Sie dieses ein.",
        ),
        Kind.PASSWORD_MISSING: (
            "Es gibt einen Benutzernamen, aber kein Passwort.",
            "Geben Sie das Passwort des Postfachs {username} ein.",
        ),
        Kind.LOGIN_OFF_AT_PROVIDER: (
            "{provider} lehnt die Anmeldung ab. So antwortet der Anbieter bei einem falschen Passwort, und "
            "auch, solange das Senden durch Programme nicht eingeschaltet ist; anfangs ist es aus.",
            "Schalten Sie in den Einstellungen Ihres Postfachs bei {provider} POP3/IMAP/SMTP ein und prüfen "
            "Sie dann das Passwort.",
        ),
        Kind.LOGIN_OFF_FOR_TENANT: (
            "Der Administrator Ihres Unternehmens hat das Senden durch Programme (SMTP-Anmeldung) für alle "
            "abgeschaltet.",
            "Bitten Sie den Administrator, es für dieses Postfach zu erlauben: Microsoft 365 Admin Center, "
            "Benutzer, {username}, E-Mail, E-Mail-Apps verwalten, Authentifiziertes SMTP. Oder melden Sie "
            "sich statt mit einem Passwort über Microsoft an.",
        ),
        Kind.LOGIN_OFF_FOR_MAILBOX: (
            "Das Senden durch Programme (SMTP-Anmeldung) ist für dieses Postfach abgeschaltet.",
            "Bitten Sie den Administrator, es einzuschalten: Microsoft 365 Admin Center, Benutzer, "
            "{username}, E-Mail, E-Mail-Apps verwalten, Authentifiziertes SMTP.",
        ),
        Kind.LOGIN_OFF_BY_POLICY: (
            "Eine Sicherheitsregel Ihres Unternehmens verbietet diese Anmeldung (Sicherheitsstandards oder "
            "bedingter Zugriff).",
            "Bitten Sie den Administrator, die SMTP-Anmeldung für dieses Postfach zu erlauben, oder melden "
            "Sie sich statt mit einem Passwort über Microsoft an.",
        ),
        Kind.LOGIN_NEEDS_OAUTH: (
            "{provider} nimmt hier kein Passwort mehr an, nur noch das eigene Anmeldefenster.",
            "Verbinden Sie Ihr E-Mail-Konto, indem Sie sich bei {provider} anmelden; ein Passwort ist dann "
            "nicht nötig.",
        ),
        Kind.LOGIN_REFUSED_BEFORE: (
            "Der Server hat genau diese Anmeldung schon einmal abgelehnt. Sie wurde nicht noch einmal "
            "versucht, denn zu viele falsche Anmeldungen sperren das Konto.",
            "Berichtigen Sie die E-Mail-Einstellungen. Wurde stattdessen beim Anbieter etwas geändert, "
            "lassen Sie es ausdrücklich noch einmal versuchen.",
        ),
        Kind.NETWORK_OURS: (
            "Wir kommen auf Port {port} nicht hinaus: Auch andere Mailserver antworten dort nicht.",
            "Sie müssen nichts tun: Der Betreiber der Plattform muss Port {port} öffnen lassen.",
        ),
        Kind.NETWORK_THEIRS: (
            "{host} antwortet nicht auf Port {port}, andere Mailserver schon. Er ist dort abgeschaltet, "
            "oder eine Firewall lässt uns nicht durch.",
            "Prüfen Sie Servername und Port. Stimmen beide, bitten Sie Ihren IT-Partner, Verbindungen von "
            "uns zuzulassen.",
        ),
        Kind.NETWORK_UNCLEAR: (
            "{host} antwortet nicht auf Port {port}.",
            "Prüfen Sie Servername und Port. Stimmen beide, fragen Sie Ihren IT-Partner, ob der Server "
            "läuft.",
        ),
        Kind.TLS_MISSING: (
            "{host} bietet auf Port {port} keine Verschlüsselung an; ohne sie senden wir nie ein Passwort.",
            "Nehmen Sie Port 587 mit starttls oder 465 mit implicit, oder lassen Sie dort die "
            "Verschlüsselung (TLS) einschalten.",
        ),
        Kind.TLS_NAME: (
            "Das Zertifikat dieses Servers gilt für einen anderen Namen als {host}; es könnte irgendwer "
            "sein.",
            "Geben Sie den Namen des Servers so ein, wie Ihr Anbieter ihn schreibt.",
        ),
        Kind.TLS_EXPIRED: (
            "Das Zertifikat von {host} ist abgelaufen (oder noch nicht gültig); es könnte irgendwer sein.",
            "Bitten Sie den Betreiber des Servers, das Zertifikat zu erneuern.",
        ),
        Kind.TLS_UNTRUSTED: (
            "Das Zertifikat von {host} stammt von niemandem, den wir kennen; es könnte irgendwer sein.",
            "Bitten Sie den Betreiber des Servers um ein Zertifikat einer anerkannten Stelle; die von Let's "
            "Encrypt kosten nichts.",
        ),
        Kind.TLS_OLD: (
            "{host} kennt nur Verschlüsselungen, die nicht mehr sicher sind (älter als TLS 1.2).",
            "Bitten Sie den Betreiber des Servers, TLS 1.2 oder 1.3 einzuschalten.",
        ),
        Kind.FROM_REWRITTEN: (
            "Ihre Kunden sähen {seen} als Absender statt {address}: {provider} ersetzt den Absender "
            "stillschweigend.",
            "Melden Sie sich mit dem Postfach {address} an, oder tragen Sie {address} im Konto als "
            "Absenderadresse ein und bestätigen Sie sie dort.",
        ),
        Kind.FROM_LOOK: (
            "Eine Testmail ist unterwegs an {address}.",
            "Sehen Sie nach: Als Absender muss {address} erscheinen. Steht dort ein anderer, ersetzt ihn "
            "Ihr Anbieter; sagen Sie uns dann, welcher.",
        ),
    },
)
