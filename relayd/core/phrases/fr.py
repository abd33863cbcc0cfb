"""Français."""

from relayd.core.event import EventType
from relayd.core.phrases.language import Language
from relayd.core.reasons import Reason

_REASONS = {
    Reason.RECIPIENT_UNKNOWN: (
        "Le serveur de messagerie du destinataire ne connaît pas cette adresse.",
        "Vérifiez l'adresse ou demandez la bonne à votre client, puis renvoyez le message.",
    ),
    Reason.RECIPIENT_DOMAIN: (
        "La partie de l'adresse après le @ n'existe pas ou ne reçoit pas de courrier.",
        "Vérifiez l'adresse ou demandez la bonne à votre client, puis renvoyez le message.",
    ),
    Reason.RECIPIENT_DISABLED: (
        "La boîte aux lettres du destinataire existe, mais elle est désactivée.",
        "Demandez une autre adresse à votre client.",
    ),
    Reason.RECIPIENT_FULL: (
        "La boîte aux lettres du destinataire est pleine.",
        "Demandez à votre client de faire de la place dans sa boîte ou de vous donner une autre adresse.",
    ),
    Reason.RECIPIENT_MOVED: (
        "Le destinataire a changé d'adresse.",
        "Demandez la nouvelle adresse à votre client, puis renvoyez le message.",
    ),
    Reason.RECIPIENT_REFUSED: (
        "Le serveur de messagerie du destinataire n'accepte pas vos messages pour cette adresse.",
        "Demandez à votre client d'autoriser votre adresse ou de vous en donner une autre.",
    ),
    Reason.RECIPIENT_SUPPRESSED: (
        "Rien n'a été envoyé : de précédents messages à cette adresse ont échoué ou ont été signalés comme "
        "spam.",
        "Si l'adresse est de nouveau valable, faites-la retirer de la liste de blocage et renvoyez le "
        "message.",
    ),
    Reason.MESSAGE_TOO_BIG: (
        "Le message dépasse la taille qu'accepte le serveur de messagerie du destinataire.",
        "Envoyez moins de pièces jointes, des pièces plus petites, ou un lien.",
    ),
    Reason.MESSAGE_CONTENT: (
        "Le serveur de messagerie du destinataire n'accepte pas le contenu ou une pièce jointe de ce "
        "message.",
        "Envoyez le document en simple PDF, sans programmes, archives ni scripts joints.",
    ),
    Reason.MESSAGE_SPAM: (
        "Le serveur de messagerie du destinataire a pris le message pour du spam.",
        "Demandez à votre client d'autoriser votre adresse, et vérifiez le texte et les liens du message.",
    ),
    Reason.MESSAGE_MALFORMED: (
        "Le message n'est pas construit selon les règles du courrier électronique.",
        "L'éditeur de l'application doit corriger la construction de ses messages.",
    ),
    Reason.MESSAGE_LINE_TOO_LONG: (
        "Une ligne du message est plus longue que le courrier électronique ne le permet (998 caractères).",
        "L'éditeur de l'application doit coder le message en quoted-printable ou en base64.",
    ),
    Reason.MESSAGE_SMTPUTF8: (
        "L'adresse contient des lettres que le serveur de messagerie du destinataire ne sait pas traiter.",
        "Demandez à votre client une adresse sans accents ni autres lettres particulières.",
    ),
    Reason.MESSAGE_LOOP: (
        "Le message tourne en rond : les serveurs de messagerie se le renvoient.",
        "L'exploitant de la plateforme doit vérifier où va le courrier pour cette adresse.",
    ),
    Reason.POLICY_SPF: (
        "Selon le serveur de messagerie du destinataire, votre domaine ne nous autorise pas à envoyer (SPF).",
        "Demandez au gestionnaire de votre domaine d'ajouter notre entrée à son enregistrement SPF.",
    ),
    Reason.POLICY_DKIM: (
        "Le serveur de messagerie du destinataire n'a pas reconnu la signature numérique du message (DKIM).",
        "L'exploitant de la plateforme doit vérifier la clé de signature dans le DNS.",
    ),
    Reason.POLICY_DMARC: (
        "Le serveur de messagerie du destinataire n'a pas pu vérifier que le message vient bien de votre "
        "domaine "
        "(DMARC).",
        "Demandez au gestionnaire de votre domaine de publier notre entrée SPF ou DKIM, ou envoyez depuis "
        "l'adresse par défaut.",
    ),
    Reason.POLICY_TLS_REQUIRED: (
        "Une connexion chiffrée est exigée, et elle n'a pas pu être établie.",
        "L'exploitant de la plateforme ou du serveur de messagerie doit activer le chiffrement (TLS).",
    ),
    Reason.POLICY_FROM_MISMATCH: (
        "L'adresse d'expéditeur du message n'est pas celle du profil d'entreprise.",
        "L'application doit utiliser l'adresse du profil d'entreprise comme expéditeur (From).",
    ),
    Reason.POLICY_OTHER: (
        "Le serveur de messagerie du destinataire a refusé le message selon une règle qui lui est propre.",
        "L'exploitant de la plateforme doit demander au fournisseur du destinataire ce que la règle exige.",
    ),
    Reason.REPUTATION_BLOCKLIST: (
        "Notre serveur figure sur une liste de blocage qu'utilise le serveur de messagerie du destinataire.",
        "Vous n'avez rien à faire : l'exploitant de la plateforme doit faire retirer le serveur de la liste.",
    ),
    Reason.REPUTATION_PTR: (
        "Notre serveur n'a pas dans le DNS le nom (PTR) qu'exige le serveur de messagerie du destinataire.",
        "Vous n'avez rien à faire : l'exploitant de la plateforme doit faire inscrire ce nom dans le DNS.",
    ),
    Reason.REPUTATION_LOW: (
        "Le fournisseur de messagerie du destinataire ne fait pas confiance à notre serveur, ou ne le "
        "connaît pas "
        "encore.",
        "Vous n'avez rien à faire : l'exploitant de la plateforme doit contacter ce fournisseur.",
    ),
    Reason.RATE_GREYLISTED: (
        "Le serveur de messagerie du destinataire demande aux nouveaux expéditeurs de réessayer un peu plus "
        "tard. "
        "C'est normal.",
        "Vous n'avez rien à faire : la tentative suivante réussit presque toujours.",
    ),
    Reason.RATE_LIMITED: (
        "Le serveur de messagerie n'accepte qu'un nombre limité de messages à la fois.",
        "Vous n'avez rien à faire : nous ralentissons et réessayons.",
    ),
    Reason.RATE_QUOTA_DAY: (
        "Votre compte de messagerie a atteint le nombre de messages qu'il peut envoyer par jour.",
        "Patientez : nous réessayons plus tard. Si cela arrive souvent, demandez à votre fournisseur une "
        "limite "
        "plus élevée.",
    ),
    Reason.NETWORK_REFUSED: (
        "Le serveur de messagerie n'accepte pas de connexions pour le moment.",
        "Patientez : nous réessayons. S'il s'agit de votre propre serveur, vérifiez son nom et son port "
        "dans les "
        "paramètres.",
    ),
    Reason.NETWORK_TIMEOUT: (
        "Le serveur de messagerie n'a pas répondu à temps.",
        "Patientez : nous réessayons. S'il s'agit de votre propre serveur, vérifiez son nom et son port "
        "dans les "
        "paramètres.",
    ),
    Reason.NETWORK_UNREACHABLE: (
        "Le serveur de messagerie est injoignable pour le moment.",
        "Patientez : nous réessayons. S'il s'agit de votre propre serveur, vérifiez son nom et son port "
        "dans les "
        "paramètres.",
    ),
    Reason.NETWORK_DNS: (
        "Le serveur de messagerie est resté introuvable dans le DNS, l'annuaire d'Internet.",
        "Patientez : nous réessayons. S'il s'agit de votre propre serveur, vérifiez son nom dans les "
        "paramètres.",
    ),
    Reason.NETWORK_TLS: (
        "La connexion chiffrée au serveur de messagerie a échoué ; son certificat est peut-être faux ou "
        "expiré.",
        "Patientez : nous réessayons. S'il s'agit de votre propre serveur, faites vérifier son certificat.",
    ),
    Reason.NETWORK_CLOSED: (
        "Le serveur de messagerie a coupé la connexion.",
        "Patientez : nous réessayons.",
    ),
    Reason.NETWORK_PORT_BLOCKED: (
        "Notre réseau ne laisse pas sortir le courrier : le port 25 semble bloqué.",
        "Vous n'avez rien à faire : l'exploitant de la plateforme doit faire ouvrir le port 25 ou "
        "configurer un "
        "smarthost.",
    ),
    Reason.AUTH_WRONG_PASSWORD: (
        "Votre serveur de messagerie n'accepte pas le nom d'utilisateur ou le mot de passe.",
        "Saisissez de nouveau les deux dans les paramètres de messagerie. Attention : le navigateur remplit "
        "parfois un autre mot de passe.",
    ),
    Reason.AUTH_APP_PASSWORD_NEEDED: (
        "Votre fournisseur de messagerie veut ici un mot de passe d'application, pas votre mot de passe "
        "habituel.",
        "Créez un mot de passe d'application dans les réglages de sécurité de votre compte et saisissez-le "
        "dans "
        "les paramètres.",
    ),
    Reason.AUTH_BROWSER_LOGIN_NEEDED: (
        "Votre fournisseur de messagerie veut que vous vous connectiez d'abord avec un navigateur.",
        "Connectez-vous à votre compte dans le navigateur, confirmez que c'était vous, puis libérez les "
        "messages "
        "retenus.",
    ),
    Reason.AUTH_TOO_MANY_ATTEMPTS: (
        "Votre fournisseur de messagerie a bloqué la connexion un moment après trop de tentatives.",
        "Attendez une heure ou plus. Vérifiez qu'aucun autre programme n'utilise un ancien mot de passe.",
    ),
    Reason.AUTH_SMTP_AUTH_DISABLED: (
        "L'envoi par programme (connexion SMTP) est désactivé pour votre compte de messagerie.",
        "Demandez à votre partenaire informatique d'activer le SMTP authentifié pour cette boîte.",
    ),
    Reason.AUTH_BASIC_DISABLED: (
        "Votre fournisseur de messagerie n'accepte plus de mot de passe pour l'envoi par programme.",
        "Demandez à votre partenaire informatique d'autoriser le SMTP authentifié, ou envoyez depuis "
        "l'adresse "
        "par défaut.",
    ),
    Reason.AUTH_NOT_LOGGED_IN: (
        "Votre serveur de messagerie exige une connexion, et celle-ci n'a pas réussi.",
        "Saisissez le nom d'utilisateur et le mot de passe dans les paramètres de messagerie.",
    ),
    Reason.AUTH_MECHANISM: (
        "Votre serveur de messagerie ne propose aucun mode de connexion que nous puissions utiliser.",
        "Vérifiez le nom du serveur, le port et le chiffrement dans les paramètres, ou demandez à votre "
        "partenaire informatique.",
    ),
    Reason.AUTH_TOKEN_EXPIRED: (
        "L'autorisation d'envoyer par votre compte de messagerie a expiré.",
        "Reliez de nouveau votre compte dans les paramètres de messagerie.",
    ),
    Reason.UPSTREAM_IS_MX: (
        "Le serveur indiqué dans vos paramètres ne fait que recevoir ; il n'envoie rien pour vous.",
        "Indiquez le serveur d'envoi (SMTP) de votre fournisseur, et non le serveur de réception (MX).",
    ),
    Reason.UPSTREAM_RELAY_DENIED: (
        "Votre serveur de messagerie refuse de transmettre du courrier à d'autres domaines.",
        "Vérifiez le nom d'utilisateur et le mot de passe dans les paramètres, ou demandez à votre "
        "fournisseur.",
    ),
    Reason.UPSTREAM_SEALED: (
        "Le mot de passe de votre serveur de messagerie ne peut pas être lu pour le moment.",
        "Vous n'avez rien à faire : l'exploitant de la plateforme doit remettre la clé avec laquelle il est "
        "scellé.",
    ),
    Reason.SENDER_NOT_ALLOWED: (
        "Votre serveur de messagerie ne permet pas à ce compte d'envoyer avec cette adresse d'expéditeur.",
        "L'adresse du profil d'entreprise doit être celle du compte, ou le compte doit avoir le droit "
        "d'envoyer "
        "pour elle.",
    ),
    Reason.SENDER_BLOCKED: (
        "Votre fournisseur de messagerie a bloqué l'envoi depuis votre compte, souvent après un soupçon de "
        "spam.",
        "Demandez à votre fournisseur de lever le blocage ; changez le mot de passe si le compte a été "
        "détourné.",
    ),
    Reason.SENDER_UNCONFIRMED: (
        "L'adresse de votre profil d'entreprise n'est pas encore confirmée.",
        "Ouvrez le message de confirmation envoyé à cette adresse et confirmez-la.",
    ),
    Reason.SENDER_UNPROVEN: (
        "Votre domaine n'indique pas (ou plus) que nous pouvons envoyer avec votre propre adresse.",
        "Demandez au gestionnaire de votre domaine d'ajouter notre entrée DKIM au DNS.",
    ),
    Reason.SENDER_UNKNOWN: (
        "L'application n'a pas dit au nom de qui ce message est envoyé.",
        "L'application doit nommer l'expéditeur (X-Relayd-Sender) ou utiliser sa propre adresse comme From.",
    ),
    Reason.SENDER_AMBIGUOUS: (
        "L'adresse d'expéditeur appartient à plusieurs expéditeurs.",
        "L'application doit nommer l'expéditeur avec l'en-tête X-Relayd-Sender.",
    ),
    Reason.SIGNING_FAILED: (
        "Le message ne peut pas être signé avec une clé que les destinataires trouvent.",
        "Vous n'avez rien à faire : l'exploitant de la plateforme doit publier la clé dans le DNS "
        "(`relayd dkim new` affiche l'entrée) ou la réparer.",
    ),
    Reason.SERVER_BUSY: (
        "Le serveur de messagerie est surchargé pour le moment.",
        "Vous n'avez rien à faire : nous réessayons.",
    ),
    Reason.SERVER_ERROR: (
        "Un serveur de messagerie a rencontré une erreur interne.",
        "Vous n'avez rien à faire : nous réessayons.",
    ),
    Reason.SERVER_PROTOCOL: (
        "Le serveur de messagerie a donné une réponse qui n'a pas de sens.",
        "Patientez : nous réessayons. Si cela persiste, l'exploitant de la plateforme doit s'en occuper.",
    ),
    Reason.EXPIRED: (
        "Le message n'a pas pu être remis dans le délai prévu.",
        "Vérifiez l'adresse ou joignez votre client autrement, puis renvoyez le message.",
    ),
    Reason.CANCELLED: (
        "Quelqu'un a annulé le message avant son envoi.",
        "Renvoyez-le s'il doit finalement partir.",
    ),
    Reason.DUPLICATE: (
        "Le même message avait déjà été remis.",
        "Vous n'avez rien à faire : c'est le premier qui compte.",
    ),
    Reason.UNKNOWN: (
        "Le serveur de messagerie a refusé le message, et nous ne connaissons pas sa raison.",
        "L'exploitant de la plateforme doit lire la réponse du serveur.",
    ),
}

FRENCH = Language(
    reasons=_REASONS,
    events={
        EventType.ACCEPTED: "Accepté, envoi en cours.",
        EventType.RELEASED: "Libéré, envoi en cours.",
        EventType.RETRIED: "Nouvelle tentative en cours.",
        EventType.DEFERRED: "Retardé : {text}",
        EventType.UNCERTAIN: "Peut-être déjà arrivé : le serveur de messagerie a pris le message sans le "
        "confirmer.",
        EventType.DELIVERED: "Remis à {host}{tls}.",
        EventType.RELAYED: "Confié à {host} pour la remise{tls}.",
        EventType.REFUSED: "Non accepté : {text}",
        EventType.FAILED: "Non envoyé : {text}",
        EventType.EXPIRED: "Non envoyé, nous avons cessé d'essayer : {text}",
        EventType.SUPPRESSED: "Non envoyé : {text}",
        EventType.CANCELLED: "Non envoyé : {text}",
        EventType.BOUNCED: "Revenu après l'envoi : {text}",
        EventType.HELD: "Retenu : {text}",
        EventType.WARNED: "Pas encore remis, nous continuons d'essayer : {text}",
        EventType.CONFIRMATION_SENT: "L’e-mail demandant la confirmation de l’adresse a été envoyé.",
        EventType.CONFIRMED: "L’adresse est confirmée.",
        EventType.CONFIRMATION_EXPIRED: "L’adresse reste non confirmée : aucune réponse, ou un refus.",
        EventType.CONSENT_WITHDRAWN: "L'autorisation d'envoi a été retirée : il faut se reconnecter.",
        EventType.PROVEN: "L'adresse propre peut servir à l'envoi.",
        EventType.UNPROVEN: "L'adresse propre ne peut pas servir à l'envoi : {text}",
        EventType.UPSTREAM_FAILED: "L'envoi par le serveur de messagerie propre ne fonctionne pas : {text}",
        EventType.UPSTREAM_OK: "L'envoi par le serveur de messagerie propre fonctionne.",
        EventType.RUNG_CHANGED: "Les messages partent maintenant avec une autre adresse d'expéditeur : "
        "{text}",
        EventType.SENDER_CHANGED: "Les paramètres de l'expéditeur ont été modifiés.",
    },
    platform_proven="La clé de la plateforme est publiée sous {record}.",
    platform_unproven="La clé de la plateforme n'est pas publiée sous {record}.",
    unnamed_server="un serveur de messagerie",
    encrypted=", connexion chiffrée",
    in_clear=", connexion non chiffrée",
    next_attempt="Prochaine tentative : {at}.",
    still_proven="L'une des deux preuves pour l'adresse propre a disparu. L'envoi avec elle continue.",
    late_bounces="S'il revient plus tard, l'avis n'arrivera que dans votre propre boîte.",
    maybe_arrived="Une tentative précédente est peut-être déjà arrivée.",
    test="Test : rien n'a été réellement envoyé.",
)
