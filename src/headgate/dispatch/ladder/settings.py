"""The rungs of a degrade ladder as an operator writes them, and the sections `[rules.NAME]` and `[callbacks.NAME]`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from headgate.core.section import Duration, Section
from headgate.dispatch.ladder.rules import Pattern, compiled, folded
from headgate.dispatch.ladder.template import FEATURE, gaps
from headgate.providers.port import Url

__all__ = [
    "CallbackRung",
    "CallbackSettings",
    "ModelRung",
    "PythonRung",
    "RuleSettings",
    "RulesRung",
    "RulesSettings",
    "Rung",
    "SayRung",
    "StaleRung",
    "in_words",
    "model_names",
    "parse_rung",
    "problems",
    "rungs_of",
    "wrong_url",
]

STALE_SECONDS = 24 * 3600.0


class RuleSettings(Section, frozen=True):
    """One rule: when it holds for what the user wrote, its answer is given. With `any` and `regex`, both must hold."""

    answer: str
    """The words to answer with. `{name}` stands for the group `(?P<name>...)` of `regex`, `{feature}` for the feature."""
    any: list[Annotated[str, msgspec.Meta(max_length=200)]] = msgspec.field(default_factory=list)
    """Keywords: one of them stands in the user's last message as a word or words of its own, in upper or lower case."""
    regex: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    """An expression (RE2 syntax) found anywhere in the user's last message; upper and lower case are alike."""

    def __post_init__(self) -> None:
        if not self.regex and not self.any:
            raise ValueError(
                "a rule needs `any` (keywords) or `regex`; what fits always belongs into `otherwise`"
            )
        if not all(folded(word) for word in self.any):
            raise ValueError("`any` has an empty keyword")
        pattern = self.pattern
        known = {FEATURE, *(pattern.groups if pattern is not None else ())}
        _refuse_unknown_gaps("answer", self.answer, known)

    @property
    def pattern(self) -> Pattern | None:
        """`regex`, compiled; None if there is none. Raises ValueError."""
        return compiled(self.regex) if self.regex else None


class RulesSettings(Section, frozen=True):
    """Answers without a model, by keywords and expressions: the rung `rules:NAME` of a feature's degrade ladder."""

    match: list[RuleSettings]
    """Rules in order; the first that holds answers. Empty, if `otherwise` says it all."""
    otherwise: str = ""
    """The answer when no rule holds. Empty: the next rung of the ladder is tried."""

    def __post_init__(self) -> None:
        if not self.match and not self.otherwise:
            raise ValueError("no rules: add to `match`, or say something `otherwise`")
        _refuse_unknown_gaps("otherwise", self.otherwise, {FEATURE})


class CallbackSettings(Section, frozen=True):
    """A service of yours that answers when no model does: the rung `http:NAME` of a feature's degrade ladder."""

    url: str
    """Where the request is posted as JSON. Redirects are not followed."""
    token: str = ""
    """Sent as `authorization: Bearer TOKEN`, if there is one."""
    timeout: Duration = Duration(2)
    """The longest it may take; then the next rung is tried."""
    self_hosted: bool = False
    """It is a machine of yours: requests that rules keep to certain places may be told to it."""

    def __post_init__(self) -> None:
        if wrong := wrong_url(self.url):
            raise ValueError(wrong)
        if self.timeout <= 0:
            raise ValueError("`timeout` must be more than 0")
        if not (self.token.isascii() and self.token.isprintable()):
            raise ValueError("`token` has characters that cannot be sent in a header")


@dataclass(frozen=True, slots=True)
class StaleRung:
    """The last good answer to the same request."""

    seconds: float
    """How old it may be."""

    mark = "stale"

    def words(self) -> str:
        return f"the last good answer (up to {_age(self.seconds)} old)"


@dataclass(frozen=True, slots=True)
class ModelRung:
    """Another model: a cheaper one, or one in the house."""

    name: str

    @property
    def mark(self) -> str:
        return f"model:{self.name}"

    def words(self) -> str:
        return f"the model `{self.name}`"


@dataclass(frozen=True, slots=True)
class RulesRung:
    """Keywords and expressions."""

    name: str

    @property
    def mark(self) -> str:
        return f"rules:{self.name}"

    def words(self) -> str:
        return f"rules `{self.name}`"


@dataclass(frozen=True, slots=True)
class CallbackRung:
    """A service of the operator's: a URL, or the name of a `[callbacks.NAME]` section."""

    target: str

    @property
    def is_url(self) -> bool:
        return self.target.startswith(("http://", "https://"))

    @property
    def mark(self) -> str:
        # An address is nobody's business outside the house.
        return "http" if self.is_url else f"http:{self.target}"

    def words(self) -> str:
        if self.is_url:
            return f"a callback to {urlsplit(self.target).netloc}"
        return f"the callback `{self.target}`"


@dataclass(frozen=True, slots=True)
class PythonRung:
    """A function of the operator's, as `package.module:function`."""

    target: str

    mark = "python"

    def words(self) -> str:
        return f"the function {self.target}"


@dataclass(frozen=True, slots=True)
class SayRung:
    """Fixed words."""

    text: str

    mark = "say"

    def words(self) -> str:
        return "fixed words"


Rung = StaleRung | ModelRung | RulesRung | CallbackRung | PythonRung | SayRung
"""`mark` is what the header, the record and the notes call it; `words()` says it to people."""


def parse_rung(text: str) -> Rung:
    """A rung from its text. Raises ValueError with what would be right."""
    kind, _, rest = text.partition(":")
    reader = _READERS.get(kind.strip())
    if reader is None:
        near = difflib.get_close_matches(kind.strip().lower(), _READERS, n=1, cutoff=0.6)
        hint = f"did you mean `{near[0]}`?" if near else "for fixed words write `say:...`;"
        raise ValueError(f"no rung `{kind[:60]}`; {hint} rungs are {_FORMS}")
    return reader(rest.strip())


def rungs_of(degrade: Sequence[str]) -> tuple[Rung, ...]:
    """A feature's whole ladder. Raises ValueError."""
    return tuple(parse_rung(text) for text in degrade)


def model_names(degrade: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(position, model) of the rungs that name a model; rungs that are wrong are passed over."""
    for position, text in enumerate(degrade):
        try:
            rung = parse_rung(text)
        except ValueError:
            continue
        if isinstance(rung, ModelRung):
            yield position, rung.name


def problems(
    degrade: Sequence[str], *, rules: Collection[str], callbacks: Collection[str]
) -> Iterator[tuple[int, str]]:
    """(position, what is wrong and what would be right) for each rung that cannot work; models are not looked at.

    rules, callbacks: the names that the configuration has."""
    for position, text in enumerate(degrade):
        try:
            rung = parse_rung(text)
        except ValueError as wrong:
            yield position, str(wrong)
            continue
        if isinstance(rung, RulesRung) and rung.name not in rules:
            yield position, f"no rules `{rung.name}`; {_near(rung.name, rules, 'rules')}"
        elif isinstance(rung, CallbackRung) and not rung.is_url and rung.target not in callbacks:
            yield position, f"no callback `{rung.target}`; {_near(rung.target, callbacks, 'callbacks')}"


def in_words(degrade: Sequence[str]) -> str:
    """The ladder as a sentence for people: `if every model fails: ..., then ..., then fixed words`. Raises ValueError."""
    return "if every model fails: " + ", then ".join(rung.words() for rung in rungs_of(degrade))


def wrong_url(text: str) -> str:
    """Why nothing can be posted there; "" if it can."""
    try:
        Url.parse(text)
        credentials = "@" in urlsplit(text).netloc
    except ValueError:
        return "must be an address such as https://example.com/answer"
    return "has a name or password in it; use [callbacks.NAME] with `token`" if credentials else ""


def _near(name: str, known: Collection[str], section: str) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else f"add a [{section}.NAME] section"


def _refuse_unknown_gaps(where: str, words: str, known: set[str]) -> None:
    for gap in gaps(words):
        if gap not in known:
            names = ", ".join(f"`{{{name}}}`" for name in sorted(known))
            raise ValueError(f"`{where}` has a gap `{{{gap}}}` that nothing fills; known are {names}")


def _stale(rest: str) -> StaleRung:
    seconds = float(Duration.parse(rest)) if rest else STALE_SECONDS
    if seconds <= 0:
        raise ValueError("a stale answer must be allowed some age, such as `stale:24h`")
    return StaleRung(seconds)


def _model(rest: str) -> ModelRung:
    if not rest:
        raise ValueError("which model? write `model:NAME`")
    return ModelRung(rest)


def _rules(rest: str) -> RulesRung:
    if not rest:
        raise ValueError("which rules? write `rules:NAME`, and a [rules.NAME] section")
    return RulesRung(rest)


def _callback(rest: str) -> CallbackRung:
    if not rest:
        raise ValueError(
            "which address? write `http:https://...`, or `http:NAME` and a [callbacks.NAME] section"
        )
    rung = CallbackRung(rest)
    if rung.is_url and (wrong := wrong_url(rest)):
        raise ValueError(f"the address {wrong}")
    if rest.startswith("//"):
        raise ValueError(f"write the whole address after `http:`, such as `http:https:{rest}`")
    return rung


def _python(rest: str) -> PythonRung:
    module, _, function = rest.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), *function.split(".")]):
        raise ValueError(f"`{rest[:100]}` is no function; write `python:package.module:function`")
    return PythonRung(rest)


def _say(rest: str) -> SayRung:
    if not rest:
        raise ValueError("which words? write `say:Our assistant is resting.`")
    _refuse_unknown_gaps("say", rest, {FEATURE})
    return SayRung(rest)


_READERS: Mapping[str, Callable[[str], Rung]] = {
    "stale": _stale,
    "model": _model,
    "own": _model,
    "rules": _rules,
    "http": _callback,
    "python": _python,
    "say": _say,
}
_FORMS = (
    "`stale:24h`, `model:NAME`, `own:NAME`, `rules:NAME`, `http:URL`, `python:MODULE:FUNCTION`, `say:WORDS`"
)


def _age(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
