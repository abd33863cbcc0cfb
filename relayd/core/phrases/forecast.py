"""A forecast of what receivers will see, as one line in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass

from relayd.core.records.dmarc import Dmarc, Forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    lead: str
    aligned: str
    not_aligned: str
    not_signed: str
    theirs: str  # the customer's server decides
    no_policy: str


_LANGUAGES = {
    "de": _Words(
        lead="Empfänger sehen: {parts}.",
        aligned="passend",
        not_aligned="nicht passend",
        not_signed="DKIM fehlt",
        theirs="{what} bestimmt Ihr eigener Server",
        no_policy="DMARC nicht veröffentlicht",
    ),
    "en": _Words(
        lead="Receivers will see {parts}.",
        aligned="aligned",
        not_aligned="not aligned",
        not_signed="no DKIM",
        theirs="{what} as your own server decides",
        no_policy="DMARC not published",
    ),
    "fr": _Words(
        lead="Les destinataires verront : {parts}.",
        aligned="aligné",
        not_aligned="non aligné",
        not_signed="pas de DKIM",
        theirs="{what} selon votre propre serveur",
        no_policy="DMARC non publié",
    ),
    "nl": _Words(
        lead="Ontvangers zien: {parts}.",
        aligned="passend",
        not_aligned="niet passend",
        not_signed="geen DKIM",
        theirs="{what} zoals uw eigen server beslist",
        no_policy="DMARC niet gepubliceerd",
    ),
}


def sentence(forecast: Forecast, language: str) -> str:
    """ "Receivers will see SPF pass, aligned; DKIM pass, aligned; DMARC pass." The results keep their names
    from the RFCs in every language: they stand so in the headers that the reader may look at. Raises
    KeyError for a language that isn't in `phrases.LANGUAGES`."""
    words = _LANGUAGES[language]
    near = {True: words.aligned, False: words.not_aligned}
    if forecast.spf is None:
        spf = words.theirs.format(what="SPF")
    else:
        spf = f"SPF {forecast.spf.value}, {near[forecast.spf_aligned]}"
    if forecast.dkim is None:
        dkim = words.theirs.format(what="DKIM")
    elif forecast.dkim:
        dkim = f"DKIM pass, {near[forecast.dkim_aligned]}"
    else:
        dkim = words.not_signed
    match forecast.dmarc:
        case Dmarc.NONE:
            dmarc = words.no_policy
        case Dmarc.UNKNOWN:
            dmarc = words.theirs.format(what="DMARC")
        case _:
            dmarc = f"DMARC {forecast.dmarc.value}"
    return words.lead.format(parts=f"{spf}; {dkim}; {dmarc}")
