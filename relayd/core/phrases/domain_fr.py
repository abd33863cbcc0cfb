"""Reports about a domain in French."""

from relayd.core.phrases.domain_text import DomainTexts
from relayd.core.records.dmarc import Wish
from relayd.core.records.domainnotes import Code

FRENCH = DomainTexts(
    notes={
        Code.KEY_OK: "Notre clé est publiée.",
        Code.KEY_MISSING: "Il n'y a pas d'enregistrement de clé à ce nom.",
        Code.KEY_SEVERAL: (
            "Il y a {count} enregistrements TXT à ce nom ; ne gardez que celui qui contient notre clé."
        ),
        Code.KEY_QUOTES: (
            "L'enregistrement contient des guillemets ou des barres obliques inverses comme texte ; "
            "saisissez-le sans eux."
        ),
        Code.KEY_INVISIBLE: (
            "L'enregistrement contient un caractère invisible ({what}) ; retapez-le, ou copiez-le en "
            "texte brut."
        ),
        Code.KEY_NO_TAGS: (
            "L'enregistrement est illisible ; il doit être fait d'indications comme v=DKIM1; k=rsa; p=CLÉ."
        ),
        Code.KEY_TWICE: "L'indication {tag}= figure deux fois dans l'enregistrement ; supprimez-en une.",
        Code.KEY_VERSION: "L'enregistrement n'est pas une clé DKIM : il doit commencer par v=DKIM1.",
        Code.KEY_NO_P: "L'enregistrement ne contient pas de clé : p= manque.",
        Code.KEY_CAPITALS: (
            "Les noms des indications sont en majuscules ; écrivez-les en minuscules : v=, k=, p=."
        ),
        Code.KEY_CUT_OFF: (
            "La clé dans p= est tronquée ou modifiée ; copiez la nôtre en entier. Certains formulaires la"
            " veulent en morceaux de 255 caractères au plus."
        ),
        Code.KEY_REVOKED: "L'enregistrement dit que cette clé est révoquée (p= est vide) ; publiez la nôtre.",
        Code.KEY_OTHER: "L'enregistrement contient une autre clé que la nôtre ; copiez la nôtre en entier.",
        Code.KEY_OTHER_WEAK: (
            "L'enregistrement contient une autre clé que la nôtre, de {bits} bits seulement, que les "
            "destinataires ignorent ; copiez la nôtre en entier."
        ),
        Code.KEY_TYPE: (
            "L'enregistrement est pour des clés de type {type} ; la nôtre est de type rsa : écrivez k=rsa."
        ),
        Code.KEY_HASH: "L'enregistrement n'autorise pas SHA-256 (h=) ; supprimez h=.",
        Code.KEY_SERVICE: "L'enregistrement n'autorise pas la clé pour le courrier (s=) ; supprimez s=.",
        Code.KEY_TESTING: (
            "L'enregistrement dit que le domaine est en test (t=y), donc les destinataires n'en tiennent "
            "pas compte ; supprimez t=y."
        ),
        Code.KEY_WEAK: (
            "Notre clé est publiée, mais elle n'a que {bits} bits. L'exploitant de la plateforme devrait "
            "passer à 2048 : relayd dkim rotate"
        ),
        Code.KEY_UNPUBLISHED: (
            "L'alias est correct, mais la plateforme n'a pas publié sa clé à {name}. C'est l'affaire de "
            "la plateforme ; il n'y a rien à changer ici."
        ),
        Code.KEY_LATER: "Rien n'est à publier ici avant le changement de la clé.",
        Code.NAME_TWICE: (
            "L'enregistrement se trouve à {there} : le formulaire ajoute lui-même le domaine. Entrez "
            "{short} comme nom."
        ),
        Code.ALIAS_OK: (
            "L'alias mène à notre clé. Quand nous changerons de clé, il n'y aura rien à faire ici."
        ),
        Code.ALIAS_READY: "Prêt pour le jour où nous changerons de clé.",
        Code.ALIAS_MISSING: (
            "Publiez aussi cet alias : un changement de notre clé ne vous demandera alors rien."
        ),
        Code.ALIAS_ELSEWHERE: "L'alias mène à {target} ; il doit mener à {wanted}.",
        Code.ALIAS_TAKEN: "Autre chose est publié à ce nom ; mettez l'alias à sa place.",
        Code.DMARC_OK: "Le domaine demande aux destinataires de {wish} (enregistrement de {where}).",
        Code.DMARC_MISSING: (
            "Il n'y a pas d'enregistrement DMARC. Les grands destinataires en demandent un ; celui-ci ne "
            "change rien au traitement du courrier."
        ),
        Code.DMARC_SEVERAL: "Il y a {count} enregistrements DMARC, donc aucun ne compte ; gardez-en un.",
        Code.DMARC_SYNTAX: "L'enregistrement est illisible, donc il ne compte pas.",
        Code.DMARC_NO_POLICY: (
            "La politique (p=) manque ou est inconnue ; écrivez p=none, p=quarantine ou p=reject."
        ),
        Code.DMARC_BAD_TAG: "Une indication a une valeur sans signification ; sa valeur par défaut compte.",
        Code.DMARC_STRICT_SPF: (
            "Le domaine veut un alignement strict pour SPF (aspf=s) : seul exactement le même domaine compte."
        ),
        Code.DMARC_STRICT_DKIM: (
            "Le domaine veut un alignement strict pour DKIM (adkim=s) : seul exactement le même domaine "
            "compte."
        ),
        Code.RETURN_OK: "Les messages non distribués nous reviennent sous votre propre domaine.",
        Code.RETURN_MISSING: (
            "Avec cet alias, les messages non distribués reviennent sous votre propre domaine, et SPF "
            "compte pour lui. Votre courrier est prouvé sans lui aussi."
        ),
        Code.RETURN_TAKEN: (
            "Ce nom sert à autre chose ({target}). Si personne n'en a besoin, faites-le mener à {wanted}."
        ),
        Code.MX_OK: "Le domaine reçoit du courrier, les réponses arrivent donc.",
        Code.MX_ADDRESS: (
            "Le domaine n'a pas d'enregistrement MX ; le courrier va à l'hôte de ce nom lui-même."
        ),
        Code.MX_MISSING: (
            "Le domaine n'a ni MX ni adresse : personne ne peut répondre, et beaucoup de destinataires "
            "refusent son courrier."
        ),
        Code.MX_NULL: (
            "Le domaine dit qu'il ne reçoit aucun courrier (MX nul) : personne ne peut répondre, et les "
            "destinataires refusent son courrier."
        ),
        Code.BEHIND: (
            "Vos serveurs de noms l'ont ; d'autres voient peut-être encore l'ancienne réponse pendant {time}."
        ),
        Code.OLD_ANSWER: (
            "Après un changement, d'autres voient peut-être encore l'ancienne réponse pendant {time}."
        ),
        Code.NOT_IN_STEP: (
            "Les serveurs de noms du domaine ne disent pas la même chose : {servers}. Si cela dure, leur "
            "exploitant doit vérifier."
        ),
        Code.TROUBLE: "Le DNS ne donne pas de réponse utilisable ; vérifiez plus tard.",
        Code.SHARED: (
            "{domain} appartient à {provider} : seul {provider} peut y publier des enregistrements. "
            "Envoyez par votre propre serveur de messagerie là-bas, ou avec l'adresse par défaut."
        ),
    },
    wishes={
        Wish.NONE: "traiter le courrier qui échoue comme tout autre",
        Wish.QUARANTINE: "traiter le courrier qui échoue comme suspect",
        Wish.REJECT: "refuser le courrier qui échoue",
    },
)
