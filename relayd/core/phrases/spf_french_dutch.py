"""What is said of SPF records, in French and Dutch."""

from relayd.core.records.spfsurvey import Code

FRENCH_DUTCH = {
    Code.OK: (
        "L'enregistrement SPF de {domain} nous autorise à envoyer en votre nom.",
        "Het SPF-record van {domain} staat toe dat wij namens u verzenden.",
    ),
    Code.NO_RECORD: (
        "{domain} n'a pas d'enregistrement SPF. Ajoutez l'enregistrement TXT indiqué et "
        "nommez-y tout autre serveur qui envoie pour le domaine.",
        "{domain} heeft geen SPF-record. Voeg het getoonde TXT-record toe en noem daarin "
        "elke andere server die voor het domein verzendt.",
    ),
    Code.MEANT: (
        "{domain} n'a pas d'enregistrement SPF, seulement un texte qui devait en être un. Il doit "
        "commencer par v=spf1 et une espace, sans guillemets. Remplacez-le par celui qui est indiqué.",
        "{domain} heeft geen SPF-record, alleen een tekst die er een moest zijn. Het moet beginnen met "
        "v=spf1 en een spatie, zonder aanhalingstekens. Zet het getoonde ervoor in de plaats.",
    ),
    Code.SEVERAL: (
        "{domain} a {value} enregistrements SPF. Un seul est permis, sinon aucun ne "
        "compte : remplacez-les tous par celui qui est indiqué.",
        "{domain} heeft {value} SPF-records. Er mag er één zijn, anders telt er geen: "
        "vervang ze allemaal door het getoonde record.",
    ),
    Code.NOT_INCLUDED: (
        "L'enregistrement SPF de {domain} ne nous nomme pas. Ajoutez include:{value} juste après v=spf1.",
        "Het SPF-record van {domain} noemt ons niet. Voeg include:{value} direct na v=spf1 toe.",
    ),
    Code.BEHIND_ALL: (
        "Dans l'enregistrement SPF de {domain}, {term} se trouve après « all », où plus "
        "personne ne lit. Placez include:{value} juste après v=spf1.",
        'In het SPF-record van {domain} staat {term} achter "all", waar niemand verder '
        "leest. Zet include:{value} direct na v=spf1.",
    ),
    Code.QUALIFIED: (
        "Dans l'enregistrement SPF de {domain}, {term} ne nous autorise à rien. Écrivez "
        "include:{value} sans signe devant.",
        "In het SPF-record van {domain} staat {term} ons niets toe. Schrijf "
        "include:{value} zonder teken ervoor.",
    ),
    Code.EARLIER: (
        "Dans l'enregistrement SPF de {domain}, « {term} » décide avant que ce soit notre"
        " tour. Placez include:{value} juste après v=spf1.",
        'In het SPF-record van {domain} beslist "{term}" voordat wij aan de beurt zijn. '
        "Zet include:{value} direct na v=spf1.",
    ),
    Code.PLATFORM_RECORD: (
        "L'enregistrement SPF de {domain}, que votre domaine inclut, n'autorise pas notre"
        " adresse {value}. C'est à la plateforme de le corriger.",
        "Het SPF-record van {domain}, dat uw domein insluit, staat ons adres {value} niet"
        " toe. Dat moet het platform herstellen.",
    ),
    Code.EGRESS_UNKNOWN: (
        "La plateforme ne sait pas depuis quelles adresses elle envoie, SPF ne peut donc "
        "pas servir de preuve. Son exploitant les indique dans delivery.egress.",
        "Het platform weet niet vanaf welke adressen het verzendt, dus SPF telt niet als "
        "bewijs. De beheerder noemt ze in delivery.egress.",
    ),
    Code.UNKNOWN_MECHANISM: (
        "L'enregistrement SPF de {domain} contient « {term} », que SPF ne connaît pas ; "
        "tout l'enregistrement est donc sans effet. Corrigez-le ou retirez-le.",
        'Het SPF-record van {domain} bevat "{term}", dat SPF niet kent; daardoor telt het'
        " hele record niet. Verbeter het of haal het weg.",
    ),
    Code.SYNTAX: (
        "L'enregistrement SPF de {domain} contient « {term} », qui est illisible ; tout "
        "l'enregistrement est donc sans effet. Corrigez-le ou retirez-le.",
        'Het SPF-record van {domain} bevat "{term}", dat niet te lezen is; daardoor telt '
        "het hele record niet. Verbeter het of haal het weg.",
    ),
    Code.MACRO: (
        "L'enregistrement SPF de {domain} contient dans « {term} » une macro (%) erronée "
        "; tout l'enregistrement est donc sans effet. Corrigez-la.",
        'Het SPF-record van {domain} bevat in "{term}" een macro (%) met een fout; '
        "daardoor telt het hele record niet. Verbeter die.",
    ),
    Code.TWICE: (
        "L'enregistrement SPF de {domain} contient « {term} » en trop, car il ne peut y "
        "en avoir qu'un ; tout l'enregistrement est donc sans effet. Retirez-le.",
        'Het SPF-record van {domain} heeft "{term}" te veel, want daarvan mag er maar één'
        " zijn; daardoor telt het hele record niet. Haal het weg.",
    ),
    Code.TOO_MANY: (
        "L'enregistrement SPF de {domain} demande {term} requêtes, 10 sont permises ; à "
        "la onzième, il est sans effet. Ce qui les coûte : {value}. Retirez ce que vous "
        "n'utilisez plus.",
        "Het SPF-record van {domain} vraagt {term} opzoekingen, 10 zijn toegestaan; bij "
        "de elfde telt het niet. Waar ze heen gaan: {value}. Haal weg wat u niet meer "
        "gebruikt.",
    ),
    Code.TOO_MANY_WITH_US: (
        "Avec nous, l'enregistrement SPF de {domain} demande {term} requêtes, 10 sont permises. Notre "
        "courrier passe quand même, celui des derniers serveurs nommés ne passe plus. Ce qui les coûte :"
        " {value}. Retirez ce que vous n'utilisez plus, ou ne publiez que DKIM et laissez SPF tel quel.",
        "Met ons vraagt het SPF-record van {domain} {term} opzoekingen, 10 zijn toegestaan. Onze e-mail "
        "slaagt dan nog, die van de laatst genoemde servers niet meer. Waar ze heen gaan: {value}. Haal "
        "weg wat u niet meer gebruikt, of publiceer alleen DKIM en laat SPF zoals het is.",
    ),
    Code.VOIDS: (
        "L'enregistrement SPF de {domain} cite plus de deux noms qui n'existent pas, le "
        "dernier dans « {term} » ; il est donc sans effet. Retirez-les.",
        "Het SPF-record van {domain} noemt meer dan twee namen die niet bestaan, de "
        'laatste in "{term}"; daardoor telt het niet. Haal ze weg.',
    ),
    Code.MX_LIMIT: (
        "Dans l'enregistrement SPF de {domain}, « {term} » mène à plus de dix serveurs de"
        " messagerie ; il est donc sans effet. Indiquez plutôt leurs adresses avec ip4 et"
        " ip6.",
        'In het SPF-record van {domain} leidt "{term}" naar meer dan tien mailservers; '
        "daardoor telt het niet. Noem in plaats daarvan hun adressen met ip4 en ip6.",
    ),
    Code.DEAD: (
        "Dans l'enregistrement SPF de {domain}, « {term} » mène à un domaine sans "
        "enregistrement SPF valable ; qui lit jusque-là considère le tout comme une "
        "erreur. Retirez-le ou corrigez-le.",
        'In het SPF-record van {domain} leidt "{term}" naar een domein zonder geldig SPF-'
        "record; wie tot daar leest, ziet alles als fout. Haal het weg of verbeter het.",
    ),
    Code.LOOP: (
        "Dans l'enregistrement SPF de {domain}, « {term} » tourne en rond ; il est donc "
        "sans effet. Retirez-le.",
        'In het SPF-record van {domain} loopt "{term}" in een kring; daardoor telt het niet. Haal het weg.',
    ),
    Code.UNREACHABLE: (
        "Dans l'enregistrement SPF de {domain}, « {term} » se trouve après « all », où "
        "plus personne ne lit. Placez-le avant ou retirez-le.",
        'In het SPF-record van {domain} staat "{term}" achter "all", waar niemand verder '
        "leest. Zet het ervoor of haal het weg.",
    ),
    Code.REDIRECT_IGNORED: (
        "Dans l'enregistrement SPF de {domain}, « {term} » ne compte pas, car il y a "
        "aussi « all ». Retirez l'un des deux.",
        'In het SPF-record van {domain} telt "{term}" niet, omdat er ook "all" staat. '
        "Haal een van beide weg.",
    ),
    Code.PTR: (
        "L'enregistrement SPF de {domain} utilise « {term} », qui est lent et que "
        "beaucoup ignorent désormais. Indiquez plutôt des adresses.",
        'Het SPF-record van {domain} gebruikt "{term}", dat traag is en waar velen niet '
        "meer op letten. Noem in plaats daarvan adressen.",
    ),
    Code.PASS_ALL: (
        "Avec « {term} », l'enregistrement SPF de {domain} autorise le monde entier à "
        "envoyer en votre nom. Écrivez ~all.",
        'Met "{term}" staat het SPF-record van {domain} de hele wereld toe namens u te '
        "verzenden. Schrijf ~all.",
    ),
    Code.TROUBLE: (
        "L'enregistrement SPF de {domain} ne peut pas être consulté pour l'instant : le "
        "DNS ne donne pas de réponse utilisable. Nous redemanderons de nous-mêmes.",
        "Het SPF-record van {domain} is nu niet op te zoeken: DNS geeft geen bruikbaar "
        "antwoord. Wij vragen het vanzelf opnieuw.",
    ),
}
