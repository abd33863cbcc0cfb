"""Findings in French."""

from relayd.core.findings import Kind
from relayd.core.phrases.findings_text import Findings

FRENCH = Findings(
    better="Le bon est : {right}.",
    kinds={
        Kind.ADDRESS_DIFFERS: (
            "Vos paramètres de messagerie se connectent en tant que {username}, mais l'adresse de votre "
            "profil d'entreprise est {address}.",
            "Utilisez la même adresse aux deux endroits, ou autorisez le compte {username} à envoyer en "
            "tant que {address}.",
        ),
        Kind.USERNAME_FORM: (
            "Le nom d'utilisateur « {username} » n'est pas celui que demande {provider}.",
            "Saisissez comme nom d'utilisateur : {expected}.",
        ),
        Kind.SERVER_IS_MX: (
            "{host} ne fait que recevoir des e-mails (c'est le MX) ; il n'en envoie pas pour vous.",
            "Saisissez à la place le serveur d'envoi (SMTP) de votre fournisseur.",
        ),
        Kind.SERVER_NAME: (
            "Aucun serveur ne s'appelle {host}.",
            "Vérifiez le nom du serveur d'envoi (SMTP) : y a-t-il une faute de frappe ?",
        ),
        Kind.SERVER_PORT: (
            "{host} ne répond pas sur le port {port}, mais il répond sur le port {other}.",
            "Choisissez le port {other} avec le chiffrement {tls}.",
        ),
        Kind.SERVER_TLS_MODE: (
            "Le port {port} ne va pas avec le type de chiffrement choisi.",
            "Choisissez le chiffrement {tls}, ou corrigez le port : 587 pour starttls, 465 pour implicit.",
        ),
        Kind.SERVER_NOT_SMTP: (
            "Ce qui répond chez {host} sur le port {port} n'est pas un serveur d'envoi d'e-mails.",
            "Vérifiez le nom du serveur et le port : d'habitude 587 avec starttls, ou 465 avec implicit.",
        ),
        Kind.SERVER_NO_LOGIN: (
            "{host} ne propose pas de connexion avec nom d'utilisateur et mot de passe, comme les serveurs "
            "qui ne font que recevoir.",
            "Saisissez le serveur d'envoi (SMTP) de votre fournisseur et son port pour les clients : 587 ou "
            "465.",
        ),
        Kind.SERVER_OF_ANOTHER: (
            "La boîte {address} est chez {provider}, mais {host} appartient à quelqu'un d'autre.",
            "Vérifiez si ce serveur peut envoyer pour {address}.",
        ),
        Kind.HOST_NOT_PUBLIC: (
            "{host} ne mène à aucun serveur auquel nous pouvons nous connecter : un serveur de messagerie "
            "doit avoir une adresse publique.",
            "Saisissez le nom public du serveur. S'il doit rester dans un réseau privé, l'exploitant de la "
            "plateforme peut autoriser ce réseau.",
        ),
        Kind.HOST_IS_US: (
            "{host} ramène à ce service lui-même.",
            "Saisissez le serveur d'envoi de votre propre fournisseur de messagerie.",
        ),
        Kind.PASSWORD_WRONG: (
            "Votre serveur de messagerie n'accepte pas le nom d'utilisateur ou le mot de passe.",
            "Saisissez les deux à nouveau, à la main : les navigateurs aiment remplir un autre mot de "
            "passe, par exemple celui de cette application.",
        ),
        Kind.PASSWORD_OF_PLATFORM: (
            "Ce sont les identifiants de cette plateforme, pas ceux de votre boîte aux lettres. Le "
            "navigateur les a sans doute remplis.",
            "Effacez le nom d'utilisateur et le mot de passe, puis saisissez à la main ceux de votre compte "
            "e-mail.",
        ),
        Kind.PASSWORD_APP_NEEDED: (
            "{provider} demande ici un mot de passe d'application ; celui qui est saisi n'en est pas un.",
            "Créez un mot de passe d'application dans les paramètres de sécurité de votre compte {provider} "
            "et saisissez-le.",
        ),
        Kind.PASSWORD_MISSING: (
            "Il y a un nom d'utilisateur, mais pas de mot de passe.",
            "Saisissez le mot de passe de la boîte {username}.",
        ),
        Kind.LOGIN_OFF_AT_PROVIDER: (
            "{provider} refuse la connexion. Il le fait pour un mauvais mot de passe, et aussi tant que "
            "l'envoi par des programmes n'est pas activé ; au début, il ne l'est pas.",
            "Activez POP3/IMAP/SMTP dans les paramètres de votre boîte {provider}, puis vérifiez le mot de "
            "passe.",
        ),
        Kind.LOGIN_OFF_FOR_TENANT: (
            "L'administrateur de votre entreprise a désactivé pour tous l'envoi par des programmes "
            "(connexion SMTP).",
            "Demandez-lui de l'autoriser pour cette boîte : centre d'administration Microsoft 365, "
            "Utilisateurs, {username}, Courrier, Gérer les applications de messagerie, SMTP authentifié. Ou "
            "connectez-vous avec Microsoft au lieu d'un mot de passe.",
        ),
        Kind.LOGIN_OFF_FOR_MAILBOX: (
            "L'envoi par des programmes (connexion SMTP) est désactivé pour cette boîte.",
            "Demandez à l'administrateur de l'activer : centre d'administration Microsoft 365, "
            "Utilisateurs, {username}, Courrier, Gérer les applications de messagerie, SMTP authentifié.",
        ),
        Kind.LOGIN_OFF_BY_POLICY: (
            "Une règle de sécurité de votre entreprise interdit cette connexion (paramètres de sécurité par "
            "défaut ou accès conditionnel).",
            "Demandez à l'administrateur d'autoriser la connexion SMTP pour cette boîte, ou connectez-vous "
            "avec Microsoft au lieu d'un mot de passe.",
        ),
        Kind.LOGIN_NEEDS_OAUTH: (
            "{provider} n'accepte plus de mot de passe ici, seulement sa propre fenêtre de connexion.",
            "Reliez votre compte e-mail en vous connectant chez {provider} ; un mot de passe n'est alors "
            "plus nécessaire.",
        ),
        Kind.LOGIN_REFUSED_BEFORE: (
            "Le serveur a déjà refusé exactement cette connexion. Elle n'a pas été réessayée, car trop de "
            "connexions erronées bloquent le compte.",
            "Corrigez les paramètres de messagerie. Si c'est chez votre fournisseur que quelque chose a "
            "changé, demandez expressément un nouvel essai.",
        ),
        Kind.NETWORK_OURS: (
            "Nous ne pouvons pas sortir sur le port {port} : d'autres serveurs n'y répondent pas non plus.",
            "Vous n'avez rien à faire : l'exploitant de la plateforme doit faire ouvrir le port {port}.",
        ),
        Kind.NETWORK_THEIRS: (
            "{host} ne répond pas sur le port {port}, alors que d'autres serveurs y répondent. Il y est "
            "arrêté, ou un pare-feu nous bloque.",
            "Vérifiez le nom du serveur et le port. S'ils sont bons, demandez à votre partenaire "
            "informatique d'autoriser nos connexions.",
        ),
        Kind.NETWORK_UNCLEAR: (
            "{host} ne répond pas sur le port {port}.",
            "Vérifiez le nom du serveur et le port. S'ils sont bons, demandez à votre partenaire "
            "informatique si le serveur fonctionne.",
        ),
        Kind.TLS_MISSING: (
            "{host} ne propose pas de chiffrement sur le port {port} ; sans lui, nous n'envoyons jamais de "
            "mot de passe.",
            "Prenez le port 587 avec starttls ou 465 avec implicit, ou faites-y activer le chiffrement "
            "(TLS).",
        ),
        Kind.TLS_NAME: (
            "Le certificat de ce serveur est au nom d'un autre que {host} ; ce pourrait être n'importe qui.",
            "Saisissez le nom du serveur tel que votre fournisseur l'écrit.",
        ),
        Kind.TLS_EXPIRED: (
            "Le certificat de {host} est expiré (ou pas encore valable) ; ce pourrait être n'importe qui.",
            "Demandez à l'exploitant du serveur de renouveler son certificat.",
        ),
        Kind.TLS_UNTRUSTED: (
            "Le certificat de {host} ne vient de personne que nous connaissons ; ce pourrait être n'importe "
            "qui.",
            "Demandez à l'exploitant du serveur un certificat d'une autorité reconnue ; ceux de Let's "
            "Encrypt sont gratuits.",
        ),
        Kind.TLS_OLD: (
            "{host} ne connaît que des chiffrements qui ne sont plus sûrs (antérieurs à TLS 1.2).",
            "Demandez à l'exploitant du serveur d'activer TLS 1.2 ou 1.3.",
        ),
        Kind.FROM_REWRITTEN: (
            "Vos clients verraient {seen} comme expéditeur au lieu de {address} : {provider} remplace "
            "l'expéditeur sans le dire.",
            "Connectez-vous avec la boîte {address}, ou ajoutez {address} au compte comme adresse "
            "d'expéditeur et confirmez-la.",
        ),
        Kind.FROM_LOOK: (
            "Un e-mail de test est en route vers {address}.",
            "Regardez-le : il doit montrer {address} comme expéditeur. S'il en montre un autre, votre "
            "fournisseur le remplace ; dites-nous alors lequel.",
        ),
    },
)
