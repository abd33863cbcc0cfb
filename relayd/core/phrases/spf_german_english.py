"""What is said of SPF records, in German and English."""

from relayd.core.records.spfsurvey import Code

GERMAN_ENGLISH = {
    Code.OK: (
        "Der SPF-Eintrag von {domain} erlaubt, dass wir in Ihrem Namen senden.",
        "The SPF record of {domain} allows us to send in your name.",
    ),
    Code.NO_RECORD: (
        "{domain} hat keinen SPF-Eintrag. Legen Sie den gezeigten TXT-Eintrag an und "
        "nehmen Sie jeden weiteren Server auf, der für die Domain sendet.",
        "{domain} has no SPF record. Add the TXT record shown, and name in it every other"
        " server that sends for the domain.",
    ),
    Code.MEANT: (
        "{domain} hat keinen SPF-Eintrag, nur einen Text, der einer sein soll. Er muss mit v=spf1 und "
        "einem Leerzeichen beginnen, ohne Anführungszeichen. Ersetzen Sie ihn durch den gezeigten.",
        "{domain} has no SPF record, only a text that was meant as one. It must begin with v=spf1 and a "
        "blank, without quotation marks. Put the one shown in its place.",
    ),
    Code.SEVERAL: (
        "{domain} hat {value} SPF-Einträge. Erlaubt ist einer, sonst gilt keiner: "
        "ersetzen Sie alle durch den gezeigten.",
        "{domain} has {value} SPF records. There may be one, else none counts: replace "
        "them all by the one shown.",
    ),
    Code.NOT_INCLUDED: (
        "Der SPF-Eintrag von {domain} nennt uns nicht. Fügen Sie include:{value} direkt nach v=spf1 ein.",
        "The SPF record of {domain} doesn't name us. Add include:{value} directly after v=spf1.",
    ),
    Code.BEHIND_ALL: (
        "Im SPF-Eintrag von {domain} steht {term} hinter „all“, wo niemand mehr liest. "
        "Setzen Sie include:{value} direkt nach v=spf1.",
        'In the SPF record of {domain}, {term} stands behind "all", where nobody reads '
        "on. Put include:{value} directly after v=spf1.",
    ),
    Code.QUALIFIED: (
        "Im SPF-Eintrag von {domain} erlaubt {term} uns nichts. Schreiben Sie "
        "include:{value} ohne Zeichen davor.",
        "In the SPF record of {domain}, {term} allows us nothing. Write include:{value} "
        "without a sign before it.",
    ),
    Code.EARLIER: (
        "Im SPF-Eintrag von {domain} entscheidet „{term}“, bevor wir an der Reihe sind. "
        "Setzen Sie include:{value} direkt nach v=spf1.",
        'In the SPF record of {domain}, "{term}" decides before it is our turn. Put '
        "include:{value} directly after v=spf1.",
    ),
    Code.PLATFORM_RECORD: (
        "Der SPF-Eintrag von {domain}, den Ihre Domain einbindet, erlaubt unsere Adresse "
        "{value} nicht. Das muss die Plattform richten.",
        "The SPF record of {domain}, which your domain includes, doesn't allow our "
        "address {value}. The platform has to mend this.",
    ),
    Code.EGRESS_UNKNOWN: (
        "Die Plattform weiß nicht, von welchen Adressen sie sendet, darum zählt SPF nicht"
        " als Nachweis. Der Betreiber nennt sie in delivery.egress.",
        "The platform doesn't know from which addresses it sends, so SPF can't count as "
        "proof. Its operator names them in delivery.egress.",
    ),
    Code.UNKNOWN_MECHANISM: (
        "Der SPF-Eintrag von {domain} enthält „{term}“, das es in SPF nicht gibt; damit "
        "gilt der ganze Eintrag nicht. Berichtigen oder entfernen Sie es.",
        'The SPF record of {domain} holds "{term}", which SPF doesn\'t know; so the whole '
        "record doesn't count. Correct it or take it out.",
    ),
    Code.SYNTAX: (
        "Der SPF-Eintrag von {domain} enthält „{term}“, das sich nicht lesen lässt; damit"
        " gilt der ganze Eintrag nicht. Berichtigen oder entfernen Sie es.",
        'The SPF record of {domain} holds "{term}", which can\'t be read; so the whole '
        "record doesn't count. Correct it or take it out.",
    ),
    Code.MACRO: (
        "Der SPF-Eintrag von {domain} enthält in „{term}“ ein Makro (%) mit einem Fehler;"
        " damit gilt der ganze Eintrag nicht. Berichtigen Sie es.",
        'The SPF record of {domain} holds a macro (%) with an error in "{term}"; so the '
        "whole record doesn't count. Correct it.",
    ),
    Code.TWICE: (
        "Der SPF-Eintrag von {domain} hat „{term}“ zu viel, denn davon darf es nur eines "
        "geben; damit gilt der ganze Eintrag nicht. Entfernen Sie es.",
        'The SPF record of {domain} has "{term}" once too often, as there may be only '
        "one; so the whole record doesn't count. Take it out.",
    ),
    Code.TOO_MANY: (
        "Der SPF-Eintrag von {domain} braucht {term} Abfragen, erlaubt sind 10; bei der "
        "elften gilt er nicht. Was sie kostet: {value}. Entfernen Sie, was Sie nicht mehr"
        " nutzen.",
        "The SPF record of {domain} needs {term} look-ups and may need 10; at the "
        "eleventh it doesn't count. What they go to: {value}. Take out what you no longer"
        " use.",
    ),
    Code.TOO_MANY_WITH_US: (
        "Mit uns braucht der SPF-Eintrag von {domain} {term} Abfragen, erlaubt sind 10. Unsere E-Mails "
        "bestehen auch dann, die der zuletzt genannten Server nicht mehr. Was sie kostet: {value}. "
        "Entfernen Sie, was Sie nicht mehr nutzen, oder veröffentlichen Sie nur DKIM und lassen SPF, wie"
        " es ist.",
        "With us, the SPF record of {domain} needs {term} look-ups and may need 10. Our mail passes even"
        " then, that of the servers named last no longer does. What they go to: {value}. Take out what "
        "you no longer use, or publish only DKIM and leave SPF as it is.",
    ),
    Code.VOIDS: (
        "Der SPF-Eintrag von {domain} nennt mehr als zwei Namen, die es nicht gibt, "
        "zuletzt „{term}“; damit gilt er nicht. Entfernen Sie sie.",
        "The SPF record of {domain} names more than two names that don't exist, the last "
        'in "{term}"; so it doesn\'t count. Take them out.',
    ),
    Code.MX_LIMIT: (
        "Im SPF-Eintrag von {domain} führt „{term}“ zu mehr als zehn Mailservern; damit "
        "gilt er nicht. Nennen Sie stattdessen ihre Adressen mit ip4 und ip6.",
        'In the SPF record of {domain}, "{term}" leads to more than ten mail servers; so '
        "it doesn't count. Name their addresses with ip4 and ip6 instead.",
    ),
    Code.DEAD: (
        "Im SPF-Eintrag von {domain} führt „{term}“ zu einer Domain ohne gültigen SPF-"
        "Eintrag; wer bis dorthin liest, wertet alles als Fehler. Entfernen oder "
        "berichtigen Sie es.",
        'In the SPF record of {domain}, "{term}" leads to a domain without a valid SPF '
        "record; who reads that far takes it all for an error. Take it out or correct it.",
    ),
    Code.LOOP: (
        "Im SPF-Eintrag von {domain} führt „{term}“ im Kreis; damit gilt er nicht. Entfernen Sie es.",
        'In the SPF record of {domain}, "{term}" leads round in a circle; so it doesn\'t count. Take it out.',
    ),
    Code.UNREACHABLE: (
        "Im SPF-Eintrag von {domain} steht „{term}“ hinter „all“, wo niemand mehr liest. "
        "Setzen Sie es davor oder entfernen Sie es.",
        'In the SPF record of {domain}, "{term}" stands behind "all", where nobody reads '
        "on. Put it before, or take it out.",
    ),
    Code.REDIRECT_IGNORED: (
        "Im SPF-Eintrag von {domain} zählt „{term}“ nicht, weil er auch „all“ enthält. "
        "Entfernen Sie eines von beiden.",
        'In the SPF record of {domain}, "{term}" doesn\'t count because there is an "all" '
        "as well. Take one of them out.",
    ),
    Code.PTR: (
        "Der SPF-Eintrag von {domain} nutzt „{term}“, das langsam ist und von vielen "
        "nicht mehr beachtet wird. Nennen Sie stattdessen Adressen.",
        'The SPF record of {domain} uses "{term}", which is slow and which many no longer'
        " heed. Name addresses instead.",
    ),
    Code.PASS_ALL: (
        "Der SPF-Eintrag von {domain} erlaubt mit „{term}“ der ganzen Welt, in Ihrem "
        "Namen zu senden. Schreiben Sie ~all.",
        'With "{term}", the SPF record of {domain} allows the whole world to send in your name. Write ~all.',
    ),
    Code.TROUBLE: (
        "Der SPF-Eintrag von {domain} lässt sich gerade nicht nachsehen: DNS antwortet "
        "nicht brauchbar. Wir fragen von selbst wieder.",
        "The SPF record of {domain} can't be looked up just now: DNS gives no usable "
        "answer. We ask again by ourselves.",
    ),
}
