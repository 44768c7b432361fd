"""Does it name a date, a weekday, or a time of day?

Written with figures or with names of months, in seven languages. A year alone is no date: what was true of 1998 stays so.
Takes for one: fractions and ratios that look like one (`12:30`), a weekday meant in general ("open on Sunday?").
"""

from __future__ import annotations

from headgate.cache.detect.patterns import expression, folded, utf8, whole_words

__all__ = ["names_a_date"]

_MONTHS = (
    r"january|february|march|april|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
    r"|januar|jänner|februar|märz|juni|juli|oktober|dezember|okt|dez|mär"
    r"|janvier|février|mars|avril|juin|juillet|août|aout|septembre|octobre|novembre|décembre"
    r"|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre|diciembre"
    r"|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre"
    r"|januari|februari|maart|mei|augustus"
    r"|janeiro|fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro"
)
_MAY = r"may|mai"
"""Words of their own in English (and as names): they take more than a figure behind them."""
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:1[89]|20|21)\d\d"
_NTH = r"(?:st|nd|rd|th|er|e|º|ª|\.)"
_WEEKDAYS = (
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday"
    r"|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag"
    r"|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche"
    r"|lunes|martes|miércoles|jueves|viernes|sábado|domingo"
    r"|lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica"
    r"|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag"
    r"|segunda-feira|terça-feira|quarta-feira|quinta-feira|sexta-feira"
)
_DATE = whole_words(
    (
        rf"{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}(?:t\d\d:.*)?",
        rf"{_DAY}[/-]{_MONTH}[/-](?:{_YEAR}|\d\d)|{_MONTH}[/-]{_DAY}[/-](?:{_YEAR}|\d\d)",
        rf"{_DAY}\. ?{_MONTH}\. ?{_YEAR}|[0-3]\d\.[01]\d\.\d\d",
        rf"(?:am|vom|bis|zum|den|ab|seit|dem) {_DAY}\. ?{_MONTH}\.?",
        rf"(?:on|by|until|before|since|from|le|el|il|op|em) {_DAY}/{_MONTH}",
        rf"{_DAY}{_NTH}? ?(?:of |de |di |d')?(?:{_MONTHS}|{_MAY})\.?(?:,? (?:de |del )?{_YEAR})?",
        rf"(?:{_MONTHS})\.? (?:the )?{_DAY}{_NTH}?",
        rf"(?:{_MAY}) (?:the )?{_DAY}(?:st|nd|rd|th|,? {_YEAR})",
        rf"(?:{_MONTHS}|{_MAY})\.?,? (?:of |de |del )?{_YEAR}",
        rf"q[1-4][ /]?(?:of )?(?:fy ?)?(?:{_YEAR}|\d\d)|(?:fy|kw) ?\d\d(?:\d\d)?",
        _WEEKDAYS,
        r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?: ?[ap]\.?m\.?)?|\d\d?(?:\.\d\d)? ?(?:am|pm|a\.m\.|p\.m\.|uhr|o'clock)|\d\d?h\d\d",
    )
)


def names_a_date(text: str) -> bool:
    """Is there one in `text`?"""
    return expression(_DATE).search(utf8(folded(text))) is not None
