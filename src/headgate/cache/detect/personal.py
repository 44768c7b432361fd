"""Is it about somebody's personal data?

`data_in` finds data itself, in questions and answers: addresses of mail, phone numbers, bank accounts, cards and numbers of persons
(told by the digits that check them), streets with a number. `asks_of_own` finds questions about what is the asker's: "where is
my order", "my salary is". How to do something with what one has ("how do I change my password?") is nobody's secret.

Blind to data in words ("I live behind the church"). Mailboxes of offices and free phone numbers are not personal, nor are the
addresses that are reserved for examples.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from headgate.cache.detect.checksums import is_card, is_dni, is_iban, is_tax_id
from headgate.cache.detect.patterns import expression, folded, utf8, whole_words

__all__ = ["asks_of_own", "data_in"]

_MAIL = re.compile(r"[A-Za-z0-9_%+-][A-Za-z0-9._%+-]{0,63}@([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})")
_OFFICES = re.compile(
    r"(?:support|info|help|helpdesk|contact|sales|service|services|customerservice|customer\.service|customercare|care|no-?reply|hello|hi"
    r"|privacy|billing|office|admin|team|press|jobs|careers|hr|legal|security|abuse|postmaster|webmaster|feedback|orders?|returns?|refunds?"
    r"|accounts?|kundenservice|kontakt|hilfe|datenschutz|bewerbung|service-?client|soporte|ayuda|contacto|supporto|assistenza|suporte)@",
    re.IGNORECASE,
)
_EXAMPLES = re.compile(r"(?:^|\.)(?:example\.(?:com|org|net)|example|invalid|test|localhost)$", re.IGNORECASE)

_PHONE = re.compile(
    r"(?<![\w.,/-])(?:\+|00)[1-9]\d{0,2}[ ./-]?(?:\(0?\d{1,5}\)[ ./-]?)?\d(?:[ ./-]?\d){5,13}(?![\w-])"
    r"|(?<![\w.,/-])\(?0[1-9]\d{1,4}\)?[ /-]\d{2,12}(?:[ /-]\d{2,12}){0,5}(?![\w-])"
    r"|(?<![\w.,/-])\(0?\d{1,4}\) ?\d{3,4}[ .-]?\d{3,4}(?:[ -]\d{2,4})?(?![\w-])"
    r"|(?<![\w.,/-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}(?![\w-])"
)
_TOLD_PHONE = whole_words(
    [
        (
            r"(?:phone|telephone|tel|mobile|cell|call|text|fax|whatsapp|telefon|handy|téléphone|teléfono|móvil|telefono|cellulare|telefoon|telefone|celular)"
            r"(?: me| us| him| her| them)?(?: number| no| nummer| numéro| número)?(?: is| ist| est| es| è| at| on|[.:])* ?\+?[(\d][\d ()./-]{6,20}\d"
        ),
    ]
)
_FREE = re.compile(
    r"(?:\+|00)?1?[ .(-]*8(?:00|88|77|66|55|44|33)\D|0?800\D|0080\d|(?:\+|00)\d{2} ?\(?0?\)?800"
)
_NUMBERS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    (
        "a bank account",
        re.compile(r"\b[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,3})?\b"),
        is_iban,
    ),
    ("a card", re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])"), is_card),
    ("a social security number", re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"), lambda _text: True),
    ("a tax number", re.compile(r"(?<![\w.-])\d{2} ?\d{3} ?\d{3} ?\d{3}(?![\w-])"), is_tax_id),
    ("a number of identity", re.compile(r"\b[XYZxyz]?\d{7,8}[- ]?[A-Za-z]\b"), is_dni),
    (
        "a number of identity",
        re.compile(r"\b[A-Za-z]{6}\d{2}[A-EHLMPR-Ta-ehlmpr-t]\d{2}[A-Za-z]\d{3}[A-Za-z]\b"),
        lambda _text: True,
    ),
    (
        "a national insurance number",
        re.compile(r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"),
        lambda _text: True,
    ),
)
_FIGURES = r"\d(?:[ ./()-]{0,3}\d){5}|[a-z]{2}\d{2} ?[a-z0-9]{4}|[a-z]{6}\d{2}[a-z]\d{2}[a-z]\d{3}"
"""Any of those numbers holds this. It is found in no time, and most texts hold none."""

_STREET = whole_words(
    (
        r"\pL{3,}(?:strasse|straße|str\.|gasse|allee|platz|weg|straat|laan|plein|gracht) \d{1,4} ?[a-z]?",
        r"\d{1,4}(?: ?bis|ter)?,? (?:rue|avenue|boulevard|chemin|impasse|allée) (?:d[eu] |des |de la |de l')?\pL+",
        r"(?:p\.? ?o\.? ?box|postfach|apt\.?|apartment|case postale|apartado) \d{1,6}",
        r"(?:calle|avenida|avda\.|plaza|via|viale|piazza|corso|rua|travessa) (?:de |del |della |da |do )?\pL+(?: \pL+){0,2},? (?:n[º°.] ?)?\d{1,4}",
    )
)
_STREET_AS_WRITTEN = whole_words(
    (
        r"\d{1,5}[a-zA-Z]? (?:\p{Lu}[\pL'.-]* ){1,3}(?:[Ss]treet|St|[Rr]oad|Rd|[Aa]venue|Ave|[Ll]ane|Ln|[Dd]rive|Dr|[Bb]oulevard|Blvd|[Cc]ourt|[Tt]errace|[Cc]rescent|[Cc]lose)",
    )
)
"""With capitals: "5 miles down the road" is no address."""
_BORN = whole_words(
    (
        r"(?:i was |i'm |i am )?born (?:on|in) \d|date of birth|birth ?date|geboren am|geburtsdatum|né(?:e)? le|nacid[oa] el|nat[oa] il|geboren op",
    )
)

_MINE = (
    r"account|balance|order|orders|invoice|invoices|bill|bills|subscription|payment|payments|refund|transaction|transactions|booking|reservation"
    r"|appointment|appointments|parcel|package|shipment|delivery|password|salary|payslip|pay|wage|bonus|pension|loan|mortgage|debt|tax|taxes"
    r"|insurance|claim|policy|card|credit score|application|visa|passport|address|phone number|email|birthday|name|age|diagnosis|results|test results"
    r"|blood pressure|blood sugar|prescription|medication|symptoms?|doctor|therapist|pregnancy|weight|husband|wife|son|daughter|boss|manager|contract"
    r"|grade|grades|exam|case|ticket|usage|data|plan|points|limit|flight|seat|manuscript|cv|resume"
)
_HEALTH = r"diabetes|cancer|depression|anxiety|asthma|hiv|epilepsy|adhd|migraines?|arthritis|covid|a fever|an allergy|high blood pressure"
_OWN = whole_words(
    (
        rf"(?:where|what|when|why|who|which|how much|how many|how old|how long)(?:'s| is| are| was| were| has| have| will| did| does| am| left on| owed on)+ (?:\pL+ ){{0,3}}?(?:my|our) (?:\pL+ ){{0,2}}?(?:{_MINE})",
        rf"(?:is|are|was|were|has|have|did|does|will) (?:my|our) (?:\pL+ ){{0,2}}?(?:{_MINE})",
        rf"(?:check|show|tell me|look up|track|find|list|give me|summari[sz]e|read|explain|review) (?:me )?(?:all )?(?:my|our) (?:\pL+ ){{0,2}}?(?:{_MINE})",
        rf"my (?:\pL+ ){{0,2}}?(?:{_MINE}) (?:is|are|was|were|has|have|hasn't|haven't|isn't|wasn't|did|didn't|still|says|shows|expires|came|arrived|got)",
        rf"i (?:have|had|suffer from|was diagnosed with|am taking|take|got) (?:\pL+ ){{0,2}}?(?:{_HEALTH})|i (?:was|am|'m|got) (?:diagnosed|pregnant|divorced|fired|laid off)",
        r"i(?:'m| am) \d{1,3} years old|i (?:earn|make|owe|weigh) (?:\pL+ )?[$€£]?\d|i live (?:in|at|on)|i work (?:at|for)",
        r"(?:wo|wann|warum|wie viel|wie hoch|was) (?:ist|sind|war|wird|kommt|steht|wurde) (?:\pL+ )?(?:mein|unser)\pL* \pL+|mein\pL* (?:gehalt|konto|bestellung|rechnung|diagnose|arzt|vertrag|lieferung|paket|rente) (?:ist|sind|war|hat|wurde|kommt)",
        r"(?:où|quand|pourquoi|quel(?:le)?s?|combien) (?:est|sont|était|a|arrive) (?:\pL+ )?(?:mon|ma|mes|notre) \pL+|(?:mon|ma|mes) (?:salaire|compte|commande|facture|diagnostic|médecin|contrat|colis) (?:est|sont|a|n'est|n'a)",
        r"(?:dónde|cuándo|por qué|cuál|cuánto) (?:está|es|son|fue|llega|hay en) (?:\pL+ )?(?:mi|mis|nuestro) \pL+|mi (?:sueldo|cuenta|pedido|factura|diagnóstico|médico|contrato) (?:es|está|ha|no)",
        r"(?:dove|dov'è|quando|perché|qual|quanto) (?:è|sono|arriva|c'è sul) (?:il |la |i )?(?:mio|mia|miei|mie|nostro) \pL+|(?:dov'è|qual è) (?:il |la )?(?:mio|mia) \pL+",
        r"(?:waar|wanneer|waarom|wat|hoeveel) (?:is|zijn|was|komt|staat) (?:er op )?(?:mijn|onze?) \pL+",
        r"(?:onde|quando|por que|qual|quanto) (?:está|é|são|chega) (?:o |a |os |as )?(?:meus?|minhas?|nosso) \pL+",
    )
)


def asks_of_own(text: str) -> bool:
    """Is `text` about something of the asker's own?"""
    return expression(_OWN).search(utf8(folded(text))) is not None


def data_in(text: str) -> str:
    """What personal data stands in `text`, in words and without it; "" if none was found."""
    for mail in _MAIL.finditer(text) if "@" in text else ():
        if not _EXAMPLES.search(mail.group(1)) and not _OFFICES.match(mail.group()):
            return "an address of mail"
    low = utf8(folded(text))
    if expression(_FIGURES).search(low) is not None and (number := _number_in(text)):
        return number
    if (
        expression(_STREET).search(low) is not None
        or expression(_STREET_AS_WRITTEN).search(utf8(text)) is not None
    ):
        return "a street address"
    # With a word that says so, a number of any form; but one that is free to call is an office's.
    told = expression(_TOLD_PHONE).search(low)
    if told is not None and not re.search(rb"\D0?80[0-9]\D", told.group()):
        return "a phone number"
    return "a date of birth" if expression(_BORN).search(low) is not None else ""


def _number_in(text: str) -> str:
    for what, pattern, check in _NUMBERS:
        if any(check(found.group()) for found in pattern.finditer(text)):
            return what
    for phone in _PHONE.finditer(text):
        if not _FREE.match(phone.group().lstrip("(")) and not _is_date(phone.group()):
            return "a phone number"
    return ""


def _is_date(text: str) -> bool:
    return re.fullmatch(r"0\d[/ -]\d\d[/ -]\d{2,4}", text) is not None
