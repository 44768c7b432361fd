"""The people in the demonstration: who asks what in which conversation, and what they say of the answers."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec

from headgate.cli.demo_scenarios import QUESTIONS, SCENARIOS, Scenario

__all__ = ["LIKED", "PROMPTS", "Call", "Callers", "Judgement", "choice", "text_of"]

USERS = ("ada", "bo", "chen", "dora", "emil", "fatima", "gus", "hana")
PROMPTS: Mapping[str, str] = {
    "greeting@6": "You help customers of a small shop.",
    "greeting@7": "You help customers of a small shop. Be brief and kind.",
    "greeting@8": "You help customers of a small shop. Answer in one sentence, and mention our offers.",
}
"""Versions of the prompt that the shop's assistant is given."""
LIKED: Mapping[str, float] = {"greeting@6": 0.8, "greeting@7": 0.9, "greeting@8": 0.9}
"""The part of users who like the answers."""
_TRIED = "greeting@8"
_TRIED_SHARE = 0.1
_MOST_TURNS = 4
_AT_ONCE = 12
"""Conversations that go on at the same time."""
_DECK = 10
_PRAISE = ("Thank you, that was quick!", "Exactly what I needed.", "¡Muchas gracias!", "Nice and short.")
_BLAME = ("That is not what I asked.", "Too long, I only wanted the date.", "Wrong order number.", "No help.")
_REASONS = ("wrong", "too_long", "off_topic", "unfriendly")


@dataclass(slots=True)
class Conversation:
    """Turns between a user and the assistant."""

    name: str
    user: str
    prompt: str
    messages: list[dict[str, str]]
    waiting: bool = False
    """For an answer."""
    turns: int = 0


@dataclass(slots=True)
class Call:
    """A call that is ready to be sent."""

    scenario: Scenario
    key: str
    headers: dict[str, str]
    body: bytes
    user: str
    prompt: str = ""
    conversation: Conversation | None = None


class Judgement(NamedTuple):
    """What was said of an answer, and by whom."""

    by: Literal["user", "code"]
    item: dict[str, Any]
    """As `/api/feedback` or `/api/scores` takes it."""


@dataclass(slots=True)
class Callers:
    """Users and applications of a small shop. The same seed makes the same calls."""

    keys: Mapping[str, str]
    """`first`, `shop` and `office`, as scenarios name them."""
    seed: int = 7
    begun: int = 0
    """Conversations that there were before, so that none has the name of another."""
    prompt: str = "greeting@7"
    """The version that is in use; every tenth conversation tries the next one."""
    liked: dict[str, float] = field(default_factory=lambda: dict(LIKED))
    trying: bool = True
    dice: random.Random = field(init=False)
    _open: list[Conversation] = field(default_factory=list)
    _decks: dict[str, list[bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311 - traffic, not secrets

    def call(self, scenario: Scenario) -> Call:
        """Somebody makes such a call."""
        body = scenario.body(self.dice)
        conversation = self._turn(body) if scenario.talk and not isinstance(body, bytes) else None
        if conversation is not None:
            body = {**body, "messages": conversation.messages}  # type: ignore[dict-item]
        user = conversation.user if conversation else self.dice.choice(USERS)
        prompt = conversation.prompt if conversation else ""
        key = self.keys.get(scenario.key, scenario.key)
        tags = ["demo", f"app={scenario.key}"] + ([f"prompt={prompt}"] if prompt else [])
        headers = {
            "authorization": f"Bearer {key}",
            "x-headgate-user": user,
            "x-headgate-tags": ",".join(tags),
        }
        if conversation is not None:
            headers["x-headgate-session"] = conversation.name
        if scenario.fault:
            headers["x-headgate-fault"] = scenario.fault
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return Call(scenario, key, headers, data, user, prompt, conversation)

    def heard(self, call: Call, answer: bytes) -> None:
        """The answer came, or none: the conversation goes on, or is over."""
        talk = call.conversation
        if talk is None:
            return
        text = text_of(answer)
        talk.waiting = False
        if text:
            talk.messages.append({"role": "assistant", "content": text})
        if (not text or talk.turns >= _MOST_TURNS) and talk in self._open:
            self._open.remove(talk)

    def judged(self, call: Call, request: str, answer: bytes) -> Iterator[Judgement]:
        """What is said of an answer. request: its id."""
        opinion = self._opinion(call)
        if opinion:
            yield Judgement("user", {"request": request, **opinion})
        if call.scenario.checked:
            kept = _is_ticket(text_of(answer))
            yield Judgement("code", {"request": request, "name": "schema_kept", "boolean": kept})

    def _opinion(self, call: Call) -> dict[str, Any]:
        """What the user says of it, as `/api/feedback` takes it, without the request; often: nothing."""
        dice = self.dice
        if not call.prompt or dice.random() > 0.7:
            return {}
        liked = self._likes(call.prompt)
        said: dict[str, Any] = {"thumbs": "up" if liked else "down", "user": call.user}
        kind = dice.random()
        if kind < 0.25:
            said["rating"] = dice.choice((4, 5, 5) if liked else (1, 2, 2, 3))
        elif kind < 0.40:
            said["task_completed"] = liked
        elif kind < 0.55:
            said["comment"] = dice.choice(_PRAISE if liked else _BLAME)
        elif kind < 0.65 and not liked:
            said |= {"name": "reason", "label": dice.choice(_REASONS)}
        return said

    def _turn(self, body: Mapping[str, Any]) -> Conversation:
        free = [each for each in self._open if not each.waiting]
        if free and (len(self._open) >= _AT_ONCE or self.dice.random() < 0.6):
            talk = self.dice.choice(free)
            talk.messages.append({"role": "user", "content": self.dice.choice(QUESTIONS)})
        else:
            self.begun += 1
            user = self.dice.choice(USERS)
            tried = self.trying and self.dice.random() < _TRIED_SHARE
            prompt = _TRIED if tried else self.prompt
            said = [{"role": "system", "content": PROMPTS[prompt]}, dict(body["messages"][-1])]
            talk = Conversation(f"{user}-{self.begun}", user, prompt, said)
            self._open.append(talk)
        talk.waiting, talk.turns = True, talk.turns + 1
        return talk

    def switch(self, prompt: str, liked: float) -> None:
        """From now on this version of the prompt is in use, also where people are talking already."""
        self.prompt, self.trying = prompt, False
        self.liked[prompt] = liked
        self._decks.pop(prompt, None)
        for talk in self._open:
            talk.prompt = prompt
            talk.messages[0]["content"] = PROMPTS[prompt]

    def _likes(self, prompt: str) -> bool:
        # Dealt, not thrown: nine of ten are nine of ten in any stretch of time, and no alarm is false by bad luck.
        deck = self._decks.get(prompt)
        if not deck:
            good = round(_DECK * self.liked[prompt])
            deck = self._decks[prompt] = [True] * good + [False] * (_DECK - good)
            self.dice.shuffle(deck)
        return deck.pop()


def choice(dice: random.Random, total: int, *, each_once: bool = True) -> Iterator[Scenario]:
    """So many calls, by weight. each_once: one of each kind comes first."""
    if each_once:
        yield from SCENARIOS
        total -= len(SCENARIOS)
    yield from dice.choices(SCENARIOS, [each.weight for each in SCENARIOS], k=max(total, 0))


def text_of(answer: bytes) -> str:
    """The words of an answer in OpenAI's dialect, whole or streamed; "" if there are none."""
    lines = answer.split(b"\n") if answer.startswith(b"data:") else [answer]
    return "".join(words for line in lines for words in _words(line))


def _words(line: bytes) -> Iterator[str]:
    try:
        choices = _read(line.removeprefix(b"data: ")).choices
    except msgspec.DecodeError:
        return
    for one in choices:
        yield (one.message or one.delta or _Words()).content or ""


def _is_ticket(text: str) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and set(found) == {"topic", "urgent"}


class _Words(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Words | None = None
    delta: _Words | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] = []


_read = msgspec.json.Decoder(_Answer).decode
