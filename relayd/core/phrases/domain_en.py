"""Reports about a domain in English."""

from relayd.core.phrases.domain_text import DomainTexts
from relayd.core.records.dmarc import Wish
from relayd.core.records.domainnotes import Code

ENGLISH = DomainTexts(
    notes={
        Code.KEY_OK: "Our key is published.",
        Code.KEY_MISSING: "There is no key record at this name.",
        Code.KEY_SEVERAL: "There are {count} TXT records at this name; leave the one with our key.",
        Code.KEY_QUOTES: "The record holds quotes or backslashes as text; enter it without them.",
        Code.KEY_INVISIBLE: (
            "The record holds a character that can't be seen ({what}); type the record in, or copy it as "
            "plain text."
        ),
        Code.KEY_NO_TAGS: "The record can't be read; it must be tags such as v=DKIM1; k=rsa; p=KEY.",
        Code.KEY_TWICE: "The record has the tag {tag}= twice; remove one.",
        Code.KEY_VERSION: "The record is no DKIM key: it must begin with v=DKIM1.",
        Code.KEY_NO_P: "The record holds no key: p= is missing.",
        Code.KEY_CAPITALS: "The names of the tags are in capital letters; write them small: v=, k=, p=.",
        Code.KEY_CUT_OFF: (
            "The key in p= is cut off or changed; copy the whole of ours. Some forms want it in pieces of"
            " at most 255 characters."
        ),
        Code.KEY_REVOKED: "The record says that this key is revoked (p= is empty); publish ours.",
        Code.KEY_OTHER: "The record holds another key than ours; copy the whole of ours.",
        Code.KEY_OTHER_WEAK: (
            "The record holds another key than ours, of {bits} bits, which receivers ignore; copy the "
            "whole of ours."
        ),
        Code.KEY_TYPE: "The record is for keys of type {type}; ours is of type rsa: write k=rsa.",
        Code.KEY_HASH: "The record does not allow SHA-256 (h=); remove h=.",
        Code.KEY_SERVICE: "The record does not allow the key for e-mail (s=); remove s=.",
        Code.KEY_TESTING: (
            "The record says that the domain is testing (t=y), so receivers don't count it; remove t=y."
        ),
        Code.KEY_WEAK: (
            "Our key is published, but it has only {bits} bits. The platform's operator should change to "
            "2048 with: relayd dkim rotate"
        ),
        Code.KEY_UNPUBLISHED: (
            "The alias is right, but the platform has not published its key at {name}. That is the "
            "platform's matter; there is nothing to change here."
        ),
        Code.KEY_LATER: "Nothing is to be published here until the key is changed.",
        Code.NAME_TWICE: (
            "The record stands at {there}: the form adds the domain by itself. Enter {short} as the name."
        ),
        Code.ALIAS_OK: "The alias leads to our key. When we change the key, nothing has to be done here.",
        Code.ALIAS_READY: "Ready for the day on which we change the key.",
        Code.ALIAS_MISSING: "Publish this alias too: then a change of our key needs nothing from you.",
        Code.ALIAS_ELSEWHERE: "The alias leads to {target}; it must lead to {wanted}.",
        Code.ALIAS_TAKEN: "Something else is published at this name; put the alias in its place.",
        Code.DMARC_OK: "The domain asks receivers to {wish} (record of {where}).",
        Code.DMARC_MISSING: (
            "There is no DMARC record. Large receivers ask for one; this one changes nothing about how "
            "mail is treated."
        ),
        Code.DMARC_SEVERAL: "There are {count} DMARC records, so none counts; leave one.",
        Code.DMARC_SYNTAX: "The record can't be read, so it doesn't count.",
        Code.DMARC_NO_POLICY: (
            "The policy (p=) is missing or unknown; write p=none, p=quarantine or p=reject."
        ),
        Code.DMARC_BAD_TAG: "A tag has a value that means nothing, so its default counts.",
        Code.DMARC_STRICT_SPF: (
            "The domain wants strict alignment for SPF (aspf=s): only the very same domain counts."
        ),
        Code.DMARC_STRICT_DKIM: (
            "The domain wants strict alignment for DKIM (adkim=s): only the very same domain counts."
        ),
        Code.RETURN_OK: "Bounces come back to us under your own domain.",
        Code.RETURN_MISSING: (
            "If you publish this alias, bounces come back under your own domain, and SPF counts for it. "
            "Mail is proven without it too."
        ),
        Code.RETURN_TAKEN: (
            "This name is used for something else ({target}). If nobody needs that, let it lead to {wanted}."
        ),
        Code.MX_OK: "The domain takes mail, so replies arrive.",
        Code.MX_ADDRESS: "The domain has no MX record; mail goes to the host of that name itself.",
        Code.MX_MISSING: (
            "The domain has no MX and no address record: nobody can reply, and many receivers refuse mail"
            " from it."
        ),
        Code.MX_NULL: (
            "The domain says that it takes no mail at all (null MX): nobody can reply, and receivers "
            "refuse mail from it."
        ),
        Code.BEHIND: "Your nameservers have it; others may see the old answer for {time} more.",
        Code.OLD_ANSWER: "After a change, others may see the old answer for {time}.",
        Code.NOT_IN_STEP: (
            "The domain's nameservers don't say the same: {servers}. If that lasts, their operator must look."
        ),
        Code.TROUBLE: "DNS gives no usable answer; look again later.",
        Code.SHARED: (
            "{domain} belongs to {provider}: only {provider} can publish records there. Send through your"
            " own mail server there, or with the default address."
        ),
    },
    wishes={
        Wish.NONE: "treat mail that fails like any other",
        Wish.QUARANTINE: "treat mail that fails as suspicious",
        Wish.REJECT: "refuse mail that fails",
    },
)
