"""Words and marks that tell hard requests from easy ones, in the languages that callers of most products write.

Lists are short on purpose: whoever wonders why a request counted as hard can read them in a minute. Words are matched whole and
without regard to case; phrases, and words of scripts without spaces, anywhere in the text.
"""

from __future__ import annotations

__all__ = [
    "ASKING",
    "CODE_MARKS",
    "EASY_PHRASES",
    "EASY_WORDS",
    "MATH_MARKS",
    "MATH_WORDS",
    "REASONING_PHRASES",
    "REASONING_UNSPACED",
    "REASONING_WORDS",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


REASONING_WORDS = _words(
    # English
    "analyse analyze argue architecture assess compare contrast critique debug deduce derive design diagnose evaluate explain "
    "hypothesis implications implement infer investigate justify optimal optimise optimize plan proof prove reason reconcile refactor refute "
    "simulate strategy synthesise synthesize tradeoff tradeoffs trade-off trade-offs troubleshoot why "
    # German
    "analysiere begründe beweise bewerte entwirf erkläre herleiten leite optimiere plane vergleiche warum widerlege "
    # French
    "analysez analyse comparez compare concevez démontre démontrez évaluez expliquez justifiez optimisez pourquoi prouve prouvez "
    # Spanish, Portuguese, Italian
    "analiza compara demuestra deduce diseña evalúa explica justifica optimiza porqué analise compare demonstre explique justifique "
    "otimize projete analizza confronta dimostra progetta spiega valuta perché "
    # Russian, Polish, Turkish
    "докажи докажите объясни объясните почему проанализируй проанализируйте сравни сравните udowodnij wyjaśnij porównaj dlaczego açıkla "
    "karşılaştır kanıtla neden"
)
REASONING_PHRASES = (
    "step by step",
    "step-by-step",
    "pros and cons",
    "root cause",
    "edge cases",
    "schritt für schritt",
    "étape par étape",
    "paso a paso",
    "passo a passo",
    "шаг за шагом",
)
REASONING_UNSPACED = (
    *("为什么", "证明", "分析", "比较", "推导", "设计", "優化", "优化", "步骤", "解释"),
    *("なぜ", "証明", "比較", "設計", "説明", "理由"),
    *("왜", "증명", "분석", "비교", "설계", "설명"),
    *("لماذا", "اشرح", "حلل", "قارن", "أثبت", "क्यों", "समझाइए", "तुलना", "ทำไม", "อธิบาย"),
)

EASY_WORDS = _words(
    "hello hi hey thanks thank hallo danke bonjour merci hola gracias ciao grazie olá obrigado привет спасибо classify categorize "
    "label spell capitalise capitalize define translate übersetze traduis traduce traduza traduci переведи lowercase uppercase"
)
EASY_PHRASES = (
    "what is the capital",
    "yes or no",
    "true or false",
    "one word",
    "what time",
    "opening hours",
    "you're welcome",
)

MATH_WORDS = _words(
    "equation integral derivative theorem lemma matrix eigenvalue probability polynomial modulo prime logarithm vector "
    "percent percentage total average remaining altogether "
    "gleichung wahrscheinlichkeit ableitung matriz ecuación probabilidad équation probabilité уравнение вероятность"
)
MATH_MARKS = (
    "\\frac",
    "\\sum",
    "\\int",
    "$$",
    "∑",
    "∫",
    "√",
    "≤",
    "≥",
    "≈",
    "^2",
    "x =",
    "= ?",
    "how many",
    "how much",
)

CODE_MARKS = (
    *(
        "```",
        "def ",
        "class ",
        "function ",
        "();",
        "){",
        ") {",
        "=> ",
        "import ",
        "#include",
        "</",
        "const ",
        "return ",
    ),
    *(
        "Traceback",
        "Exception",
        "SELECT ",
        "select * ",
        "&&",
        "!= ",
        "== ",
        "std::",
        "fn ",
        "public ",
        "self.",
        "npm ",
        "git ",
    ),
)

ASKING = (
    "?",
    "\n1.",
    "\n2.",
    "\n3.",
    "\n- ",
    "\n* ",
    "？",
    "؟",
    " then ",
    " also ",
    "additionally",
    "finally",
)
