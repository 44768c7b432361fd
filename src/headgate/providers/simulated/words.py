"""What the simulated model says when it has nothing to compute: prose in eight languages, and how text is cut into tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "ENGLISH",
    "LANGUAGES",
    "CutLanguage",
    "Language",
    "cut",
    "cut_language",
    "language_of",
    "topic_of",
]

# Up to eight Latin letters, three digits or two of anything else, each with the white space before it.
_TOKEN = re.compile(r"\s*[A-Za-zÀ-ɏ]{1,8}|\s*[0-9]{1,3}|\s*[^\sA-Za-zÀ-ɏ0-9]{1,2}|\s+")


def cut(text: str) -> list[str]:
    """The tokens of `text`; joined they are `text` again."""
    return _TOKEN.findall(text)


@dataclass(frozen=True, slots=True)
class Language:
    """One language's stock of sentences."""

    code: str
    opening: str
    """With `{topic}`."""
    sentences: tuple[str, ...]
    closing: str
    wrong: str
    """Fluent and off the subject."""
    thinking: tuple[str, ...]
    tool_said: str
    """With `{result}`."""
    picture: str
    """With `{count}`."""
    space: str = " "
    """Between sentences."""


@dataclass(frozen=True, slots=True)
class CutLanguage:
    """The parts of a language that never change, as tokens: cut once, said often."""

    before_topic: tuple[str, ...]
    after_topic: tuple[str, ...]
    sentences: tuple[tuple[str, ...], ...]
    closing: tuple[str, ...]
    thinking: tuple[tuple[str, ...], ...]


def cut_language(language: Language) -> CutLanguage:
    """Every sentence with the space that stands before it, thoughts with the space after."""
    before, _, after = language.opening.partition("{topic}")
    return CutLanguage(
        before_topic=tuple(cut(before)),
        after_topic=tuple(cut(after)),
        sentences=tuple(tuple(cut(language.space + sentence)) for sentence in language.sentences),
        closing=tuple(cut(language.space + language.closing)),
        thinking=tuple(tuple(cut(thought + language.space)) for thought in language.thinking),
    )


ENGLISH = Language(
    code="en",
    opening="You asked: “{topic}”. Here is the short version.",
    sentences=(
        "Start with what you already know and write it down before you change anything.",
        "Most of the difference comes from one or two causes, so look for those first.",
        "A small trial on real cases tells more than a long discussion.",
        "Measure before and after with the same yardstick, or you will only remember the good days.",
        "If two options look alike, take the one that is easier to undo.",
        "Ask the people who do the work every day; they know where it hurts.",
        "Keep the first step so small that it can be finished this week.",
        "Watch out for the rare case that costs more than all the common ones together.",
        "What is not written down has to be found out again by the next person.",
        "When the numbers surprise you, check the numbers first.",
        "A clear example at the beginning saves three explanations later.",
        "Decide in advance what result would change your mind.",
    ),
    closing="That should be enough to begin; tell me what you find and I will go into detail.",
    wrong="The harbour was closed that year because of the ice, and the ferry left from the northern pier instead.",
    thinking=(
        "Let me see what is really being asked here.",
        "First I separate the facts that are given from those I would only assume.",
        "One way would be to answer at once, but the second part depends on the first.",
        "Checking this against a simple example gives the same result.",
        "So the answer should be short and name the next step.",
    ),
    tool_said="The tool reports: {result}.",
    picture="I have looked at the {count} picture(s) you sent: shapes and colours are clear, nothing is cut off.",
)

LANGUAGES: dict[str, Language] = {
    "en": ENGLISH,
    "de": Language(
        code="de",
        opening="Sie fragen: „{topic}“. Kurz gesagt:",
        sentences=(
            "Beginnen Sie mit dem, was schon bekannt ist, und schreiben Sie es auf.",
            "Meist liegt es an ein oder zwei Ursachen, die man zuerst prüfen sollte.",
            "Ein kleiner Versuch an echten Fällen sagt mehr als eine lange Besprechung.",
            "Messen Sie vorher und nachher mit demselben Maß.",
            "Von zwei ähnlichen Wegen ist der besser, den man leichter zurückgehen kann.",
            "Fragen Sie die Leute, die täglich damit arbeiten.",
            "Der erste Schritt soll so klein sein, dass er diese Woche fertig wird.",
            "Was nicht aufgeschrieben ist, muss der Nächste wieder herausfinden.",
        ),
        closing="Das genügt für den Anfang; schreiben Sie mir, was Sie dabei sehen.",
        wrong="Der Hafen war in jenem Jahr wegen des Eises geschlossen, und die Fähre legte im Norden ab.",
        thinking=(
            "Was wird hier eigentlich gefragt?",
            "Zuerst trenne ich Bekanntes von Vermutetem.",
            "Also kurz antworten.",
        ),
        tool_said="Das Werkzeug meldet: {result}.",
        picture="Ich habe {count} Bild(er) gesehen; Formen und Farben sind gut zu erkennen.",
    ),
    "fr": Language(
        code="fr",
        opening="Vous demandez : « {topic} ». En bref :",
        sentences=(
            "Commencez par ce que vous savez déjà et notez-le.",
            "Une ou deux causes expliquent presque toujours l'essentiel.",
            "Un petit essai sur des cas réels vaut mieux qu'un long débat.",
            "Mesurez avant et après avec le même instrument.",
            "Entre deux choix proches, prenez celui qu'on peut défaire.",
            "Interrogez les personnes qui font ce travail chaque jour.",
            "La première étape doit tenir dans la semaine.",
        ),
        closing="Cela suffit pour commencer ; dites-moi ce que vous observez.",
        wrong="Cette année-là, le port était fermé par la glace et le bateau partait du quai nord.",
        thinking=(
            "Que demande-t-on vraiment ?",
            "Je sépare d'abord les faits des suppositions.",
            "La réponse sera brève.",
        ),
        tool_said="L'outil répond : {result}.",
        picture="J'ai regardé {count} image(s) ; tout y est bien visible.",
    ),
    "es": Language(
        code="es",
        opening="Usted pregunta: «{topic}». En resumen:",
        sentences=(
            "Empiece por lo que ya sabe y escríbalo.",
            "Casi siempre hay una o dos causas que explican lo principal.",
            "Una prueba pequeña con casos reales dice más que una larga discusión.",
            "Mida antes y después con la misma regla.",
            "Entre dos opciones parecidas, elija la más fácil de deshacer.",
            "Pregunte a quienes hacen el trabajo cada día.",
            "El primer paso debe caber en esta semana.",
        ),
        closing="Con esto basta para empezar; cuénteme qué encuentra.",
        wrong="Aquel año el puerto estaba cerrado por el hielo y el barco salía del muelle norte.",
        thinking=(
            "¿Qué se pregunta en realidad?",
            "Primero separo los hechos de las suposiciones.",
            "Responderé en breve.",
        ),
        tool_said="La herramienta dice: {result}.",
        picture="He mirado {count} imagen(es); se ven con claridad.",
    ),
    "ru": Language(
        code="ru",
        opening="Вы спрашиваете: «{topic}». Если коротко:",
        sentences=(
            "Начните с того, что уже известно, и запишите это.",
            "Обычно всё решают одна или две причины.",
            "Небольшая проба на живых примерах скажет больше долгого спора.",
            "Измеряйте до и после одной и той же мерой.",
            "Из двух похожих путей выбирайте тот, с которого легче вернуться.",
            "Спросите тех, кто делает эту работу каждый день.",
        ),
        closing="Для начала этого хватит; расскажите, что получится.",
        wrong="В тот год порт был закрыт из-за льда, и паром уходил с северного причала.",
        thinking=(
            "О чём здесь на самом деле спрашивают?",
            "Сначала отделю факты от догадок.",
            "Ответ будет коротким.",
        ),
        tool_said="Инструмент сообщает: {result}.",
        picture="Я посмотрел изображения ({count}); всё хорошо видно.",
    ),
    "zh": Language(
        code="zh",
        opening="您问的是:“{topic}”。简单来说:",
        sentences=(
            "先把已经知道的事情写下来,再动手修改。",
            "多数差别只来自一两个原因,先找到它们。",
            "用真实的例子做一次小试验,胜过长时间的讨论。",
            "前后要用同一把尺子来量。",
            "两种办法差不多时,选容易撤回的那一种。",
            "请教每天做这件事的人。",
        ),
        closing="这样就可以开始了,有结果请告诉我。",
        wrong="那一年港口因为结冰而关闭,渡船改从北码头出发。",
        thinking=("先看清楚问题到底是什么。", "把事实和猜测分开。", "所以回答应当简短。"),
        tool_said="工具返回:{result}。",
        picture="我看过这{count}张图片,内容清晰。",
        space="",
    ),
    "ja": Language(
        code="ja",
        opening="ご質問は「{topic}」ですね。手短にお答えします。",
        sentences=(
            "まず分かっていることを書き出してください。",
            "たいていの違いは一つか二つの原因から来ています。",
            "実際の例で小さく試すほうが、長い議論より役に立ちます。",
            "前と後を同じものさしで測りましょう。",
            "似た二つの案なら、元に戻しやすいほうを選びます。",
            "毎日その仕事をしている人に聞いてください。",
        ),
        closing="これで始められます。結果をぜひ教えてください。",
        wrong="その年は氷のため港が閉じられ、船は北の桟橋から出ました。",
        thinking=("本当は何を聞かれているのか考えます。", "事実と推測を分けます。", "答えは短くします。"),
        tool_said="ツールの返答:{result}。",
        picture="画像{count}枚を見ました。はっきり写っています。",
        space="",
    ),
    "ar": Language(
        code="ar",
        opening="سألت: «{topic}». باختصار:",
        sentences=(
            "ابدأ بما تعرفه واكتبه قبل أن تغيّر شيئًا.",
            "غالبًا ما يكون السبب واحدًا أو اثنين فابحث عنهما أولًا.",
            "تجربة صغيرة على حالات حقيقية أنفع من نقاش طويل.",
            "قس قبل وبعد بالمقياس نفسه.",
            "اسأل من يقوم بهذا العمل كل يوم.",
        ),
        closing="هذا يكفي للبداية؛ أخبرني بما تجد.",
        wrong="كان الميناء مغلقًا في تلك السنة بسبب الجليد وغادرت العبّارة من الرصيف الشمالي.",
        thinking=("ما المطلوب هنا حقًا؟", "أفصل الحقائق عن الظنون.", "ستكون الإجابة قصيرة."),
        tool_said="تقول الأداة: {result}.",
        picture="نظرت إلى الصور ({count}) وهي واضحة.",
    ),
}
"""By ISO 639 code."""

_SCRIPTS = (
    ("ja", re.compile("[぀-ヿ]")),
    ("zh", re.compile("[一-鿿]")),
    ("ru", re.compile("[Ѐ-ӿ]")),
    ("ar", re.compile("[؀-ۿ]")),
)
_COMMON = {
    "de": "der die das und ist nicht wie was ich sie für ein eine mit auf wir bitte warum",
    "fr": "le les des est une qui pour dans vous je nous avec comment pourquoi quelle sont où",
    "es": "el los las es que para con cómo qué por usted como cuál está son más",
}
_SPEAKS_FOR = {word: code for code, words in _COMMON.items() for word in words.split()}


def language_of(text: str) -> Language:
    """The language of `text`, guessed from its script or its small words; English if nothing speaks for another."""
    sample = text[:400]
    if not sample.isascii():
        for code, script in _SCRIPTS:
            if script.search(sample):
                return LANGUAGES[code]
    votes: dict[str, int] = {}
    for word in set(sample.lower().split()):
        if spoken := _SPEAKS_FOR.get(word):
            votes[spoken] = votes.get(spoken, 0) + 1
    if not votes:
        return ENGLISH
    best = max(votes, key=votes.__getitem__)
    return LANGUAGES[best] if votes[best] >= 2 else ENGLISH


_SENTENCE_END = re.compile(r"[.!?。!?؟\n]")


def topic_of(text: str) -> str:
    """What `text` is about, in its own words: its last question, else its first sentence, at most 80 characters."""
    lines = [line.strip() for line in text[-2000:].splitlines() if line.strip()]
    asked = next((line for line in reversed(lines) if line[-1] in "??؟"), lines[0] if lines else "")
    if asked and asked[-1] in "??؟":
        asked = _SENTENCE_END.split(asked[:-1])[-1].strip() + asked[-1]
    else:
        asked = _SENTENCE_END.split(asked, maxsplit=1)[0].strip()
    if len(asked) <= 80:
        return asked or "…"
    short = asked[:78]
    return (short.rpartition(" ")[0] or short) + " …"
