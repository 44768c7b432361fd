"""Does it name a sum of money? Prices change, and sums are somebody's.

A figure beside a sign, code or name of a currency. Blind to "how much is it": that names none. Takes for one: `$1` in a
question about programs.
"""

from __future__ import annotations

from headgate.cache.detect.patterns import expression, folded, utf8, whole_words

__all__ = ["names_a_price"]

_SIGN = r"[$€£¥₹₽₩₺₴₪₫₱฿₿¢]"
_FIGURE = r"\d[\d.,' \x{a0}\x{202f}]*"
_SCALE = r"(?:k|m|mn|bn|mio|mrd|thousand|million|billion|hundred|tausend|millionen|milliarden|mille|millions?|mil|millones|milioni)?"
_CODES = (
    "USD|EUR|GBP|CHF|JPY|CNY|RMB|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|TRY|RUB|UAH|ILS|AED|SAR|ZAR|BRL|MXN|ARS|CLP|COP"
    "|KRW|HKD|SGD|TWD|THB|VND|IDR|MYR|PHP|BTC|ETH"
)
_NAMES = (
    r"dollars?|dólares|dollari|euros?|cents?|quid|bucks|pounds? sterling|yen|yuan|rupees?|rupien|francs?|franken|francos"
    r"|kronen|kroner|kronor|pesos?|reais|zloty|rubles?|roubles?|rubel|liras?|shekels?|dirhams?|rand|bitcoins?"
)
_BY_SIGN = rf"{_SIGN} ?\d|\d ?{_SCALE} ?{_SIGN}|(?:^|[^\pL])(?:rs|kr|zł)\.? ?\d"
_BY_CODE = whole_words((rf"(?:{_CODES}) ?{_FIGURE}", rf"{_FIGURE}{_SCALE} ?(?:{_CODES})"))
_BY_NAME = whole_words((rf"{_FIGURE}{_SCALE} ?(?:us |u\.s\. )?(?:{_NAMES})",))


def names_a_price(text: str) -> bool:
    """Is there one in `text`?"""
    low = utf8(folded(text))
    # Codes in capitals only: `try` and `all` are words.
    return (
        expression(_BY_SIGN).search(low) is not None
        or expression(_BY_NAME).search(low) is not None
        or expression(_BY_CODE).search(utf8(text)) is not None
    )
