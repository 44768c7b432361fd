"""Numbers that are somebody's, told from other numbers by the digits that check them."""

from __future__ import annotations

__all__ = ["is_card", "is_dni", "is_iban", "is_tax_id"]

_LETTERS_OF_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"


def is_card(text: str) -> bool:
    """A payment card: 13 to 19 digits, the last one by Luhn's rule. Not all alike: that is a placeholder."""
    digits = [int(one) for one in text if one.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 2:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = 2 * digit if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_iban(text: str) -> bool:
    """A bank account, by ISO 13616: what stands there, turned, is 1 modulo 97."""
    plain = "".join(text.split()).upper()
    if not 15 <= len(plain) <= 34 or not plain.isascii() or not plain.isalnum():
        return False
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(one, 36)) for one in turned)) % 97 == 1


def is_tax_id(text: str) -> bool:
    """Germany's tax number of a person: eleven digits, the last by ISO 7064 (MOD 11, 10)."""
    digits = [int(one) for one in text if one.isdigit()]
    if len(digits) != 11 or digits[0] == 0 or len(set(digits[:10])) not in (8, 9):
        return False
    product = 10
    for digit in digits[:10]:
        product = 2 * (((digit + product) % 10) or 10) % 11
    return (11 - product) % 10 == digits[10]


def is_dni(text: str) -> bool:
    """Spain's number of a person (DNI, or NIE with X, Y or Z in front): its letter follows from its figures."""
    plain = text.replace("-", "").replace(" ", "").upper()
    figures = plain[:-1].replace("X", "0", 1).replace("Y", "1", 1).replace("Z", "2", 1)
    return figures.isdigit() and len(figures) == 8 and _LETTERS_OF_DNI[int(figures) % 23] == plain[-1]
