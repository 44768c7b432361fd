"""Does it ask about now? Then the answer of yesterday is a wrong one.

Words for now, today and the like, and for what changes by the hour (weather, rates, news), in seven languages. Blind to
questions that only somebody who knows the world sees to be about now: "Who is the president?"
"""

from __future__ import annotations

from headgate.cache.detect.patterns import expression, folded, utf8, whole_words

__all__ = ["about_now"]

_ENGLISH = (
    r"now|today(?:'s)?|tonight(?:'s)?|tomorrow(?:'s)?|yesterday(?:'s)?|current|currently|latest|newest|recent|recently|upcoming",
    r"nowadays|these days|at the moment|at present|so far|just (?:released|announced|happened)",
    r"this (?:very )?(?:week|weekend|month|quarter|year|season|morning|afternoon|evening|minute)(?:'s)?",
    r"(?:last|next|past|previous|coming) (?:few |\d+ |couple of )?(?:night|minute|hour|day|week|weekend|month|quarter|year|season)(?:s|'s)?",
    r"(?:\d+|a|an|one|two|three|few) (?:second|minute|hour|day|week|month|year)s? ago",
    r"what(?:'s| is) the (?:time|date|day)|what (?:time|day) is it|weather|forecasts?|headlines|news",
    r"(?:stock|share) prices?|exchange rates?|live (?:score|scores|results)",
)
_GERMAN = (
    r"jetzt|jetzige\pL*|heute|heutige\pL*|gestern|gestrige\pL*|morgen|vorgestern|übermorgen|derzeit\pL*|aktuell\pL*|momentan|zurzeit|zur zeit",
    r"gegenwärtig\pL*|neueste\pL*|neuste\pL*|kürzlich|neulich|im moment|augenblicklich",
    r"(?:diese|letzte|nächste|kommende|vergangene|vorige)\pL* (?:nacht|stunden?|tagen?|woche\pL*|wochenende|monat\pL*|quartal|jahr\pL*)",
    r"vor \pL*\d* ?(?:minuten?|stunden?|tage?n?|wochen?|monate?n?|jahre?n?)|wie spät ist es|wie viel uhr",
    r"wetter|wetterbericht|wettervorhersage|aktienkurse?|wechselkurse?|schlagzeilen",
)
# `hier` is "here" to Germans and Dutch, so it takes company to be yesterday.
_FRENCH = (
    r"maintenant|aujourd'hui|demain|avant-hier|hier (?:soir|matin)|d'hier|actuel|actuelle|actuels|actuelles|actuellement|en ce moment",
    r"récent|récente|récents|récentes|récemment|ce (?:jour|matin|soir|mois|week-end)|cette (?:semaine|année|nuit)",
    r"derni(?:er|ère|ers|ères) (?:semaines?|mois|années?|jours?|heures?|nouvelles|version)|(?:semaine|année) (?:prochaine|dernière)",
    r"mois (?:prochain|dernier)|il y a \d+|quelle heure|météo|cours de (?:la )?bourse|taux de change",
)
# `actual` alone is an English word for something else.
_SPANISH = (
    r"ahora|hoy|ayer|anteayer|mañana|actualmente|(?:situación|precio|versión|presidente|estado|fecha|tasa) actual|en este momento",
    r"reciente|recientes|recientemente|últim[oa]s? (?:semanas?|mes|meses|años?|días?|horas?|noticias|versión)|esta (?:semana|noche|tarde)",
    r"este (?:mes|año|fin de semana)|próxim[oa]s? (?:semana|mes|año)|(?:semana|mes|año) (?:que viene|pasad[oa])|hace \d+",
    r"qué hora|qué tiempo|cotización|tipo de cambio|noticias",
)
_ITALIAN = (
    r"adesso|oggi|ieri|domani|attualmente|attuale|attuali|in questo momento|recente|recenti|recentemente|quest[ao] (?:settimana|sera|mattina|notte|mese|anno)",
    r"(?:settimana|mese|anno) (?:prossim|scors)[oa]|prossim[oa] (?:settimana|mese|anno)|ultim[eio] (?:notizie|giorni|settimane|versione)",
    r"\d+ \pL+ fa|che or[ae] (?:è|sono)|meteo|tasso di cambio|notizie",
)
_DUTCH = (
    r"nu|vandaag|gisteren|eergisteren|vanavond|vannacht|vanochtend|momenteel|op dit moment|tegenwoordig|huidige?|actuele?|recente?|onlangs",
    r"(?:deze|vorige|volgende|afgelopen|komende) (?:week|maand|nacht|ochtend|avond|weken|maanden|dagen)|dit (?:jaar|weekend|kwartaal)",
    r"(?:vorig|volgend|afgelopen|komend) (?:jaar|weekend|kwartaal)|\d+ \pL+ geleden|hoe laat is het|weerbericht|wisselkoers|laatste nieuws|nieuwste",
)
_PORTUGUESE = (
    r"agora|hoje|ontem|anteontem|amanhã|atualmente|atual|atuais|neste momento|no momento|recentes?|recentemente",
    r"últim[oa]s? (?:semanas?|mês|meses|anos?|dias?|horas?|notícias|versão)|est[ae] (?:semana|noite|mês|ano)",
    r"próxim[oa]s? (?:semana|mês|ano)|(?:semana|mês|ano) (?:que vem|passad[oa])|há \d+|que horas|previsão do tempo|cotação|taxa de câmbio|notícias",
)
_NOW = whole_words((*_ENGLISH, *_GERMAN, *_FRENCH, *_SPANISH, *_ITALIAN, *_DUTCH, *_PORTUGUESE))


def about_now(text: str) -> bool:
    """Is there such a word in `text`?"""
    return expression(_NOW).search(utf8(folded(text))) is not None
