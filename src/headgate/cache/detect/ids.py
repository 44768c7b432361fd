"""Does it name one order, account, ticket or thing by a number?

A number behind a word for what it numbers, `#4711`, a long run of figures, a UUID, capitals and figures as codes have them.
Blind to short numbers without a word. Takes for one: hexadecimal colours, codes of products. Names of standards and ports with
their number (`ISO 27001`) are none.
"""

from __future__ import annotations

import re

from headgate.cache.detect.patterns import expression, folded, utf8, whole_words

__all__ = ["names_a_number"]

_OF_WHAT = (
    r"order|invoice|ticket|case|account|customer|client|booking|reservation|reference|tracking|policy|contract|serial|member|membership"
    r"|employee|patient|claim|transaction|shipment|parcel|delivery|user|device|bestell\pL*|auftrag\pL*|rechnung\pL*|kunden\pL*|vertrags?\pL*"
    r"|sendungs?\pL*|buchungs?\pL*|konto\pL*|vorgangs?\pL*|commande|facture|compte|dossier|contrat|colis|réservation|pedido|factura|cuenta|cliente"
    r"|contrato|reserva|ordine|fattura|conto|prenotazione|contratto|bestelling|factuur|rekening|klant\pL*|fatura|conta|encomenda"
)
_MARK = r"(?:number|num|no|nr|id|code|nummer|numéro|numero|número|n°|nº|ref)\.?:?"
_ID = whole_words(
    (
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        r"[0-9a-f]{24,}",
        rf"(?:{_OF_WHAT})(?:[ -]?{_MARK} ?(?:is |ist |: ?|# ?)*|:? ?# ?)[a-z]{{0,5}}[-_/]?\d[\da-z/_-]+",
        rf"(?:{_OF_WHAT})s? [a-z]{{0,5}}-?\d{{4,}}[\da-z/_-]*",
        rf"{_MARK} ?#?\d{{4,}}",
    )
)
_HASH = r"(?:^|[\s(])#\d{2,}"
_RUN = re.compile(r"(?<![\d.,])\d{6,40}(?![.,]?\d)")
_CODE = re.compile(r"\b(?=[A-Z0-9-]{6,}\b)[A-Z0-9]+(?:-[A-Z0-9]+)*\b")
_STANDARDS = re.compile(
    r"(?:ISO|IEC|RFC|DIN|EN|IEEE|CVE|KB|RTX|GTX|SHA|PEP|ANSI|NIST|CWE|IEC|USB|HTTP|UTF|BASE|WPA|DDR|COVID)-?\d"
)


def names_a_number(text: str) -> bool:
    """Is there one in `text`?"""
    low = utf8(folded(text))
    if expression(_ID).search(low) is not None or expression(_HASH).search(low) is not None:
        return True
    data = utf8(text)
    if expression(r"\d{6}").search(data) is not None and any(
        _is_run(match.group()) for match in _RUN.finditer(text)
    ):
        return True
    return expression(r"[A-Z0-9-]{6}").search(data) is not None and any(
        _is_code(match.group()) for match in _CODE.finditer(text)
    )


def _is_run(figures: str) -> bool:
    # 100000 and 1000000 are amounts.
    return bool(figures[1:].strip("0"))


def _is_code(word: str) -> bool:
    figures = sum(one.isdigit() for one in word)
    if figures < 2 or figures == len(word) - word.count("-") or _STANDARDS.match(word):
        return False
    letters_first = re.fullmatch(r"[A-Z]+-?\d+", word) is not None
    return figures >= (4 if letters_first else 2)
