"""The simulated provider itself: a request in, the script of its reply out. Waits for nothing and opens nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from headgate.core.clock import Clock
from headgate.core.usage import Usage
from headgate.providers.port import Headers
from headgate.providers.simulated import refusals
from headgate.providers.simulated.answers import Mood, planned_choice
from headgate.providers.simulated.anthropic_messages import CountSpeech, MessagesSpeech
from headgate.providers.simulated.chance import Draws, draws
from headgate.providers.simulated.fault_choice import FaultChoice
from headgate.providers.simulated.faults import FAULTS, FaultOrder, parse_faults
from headgate.providers.simulated.openai_chat import ChatSpeech
from headgate.providers.simulated.openai_embeddings import read_embeddings, whole_embeddings
from headgate.providers.simulated.openai_responses import ResponsesSpeech
from headgate.providers.simulated.plan import PlannedReply
from headgate.providers.simulated.profiles import Profile, profiles_of
from headgate.providers.simulated.prompt import BadRequest, Passage, Prompt
from headgate.providers.simulated.prompt_cache import PromptCache, prompt_tokens
from headgate.providers.simulated.script import Pace, Script, streamed, whole
from headgate.providers.simulated.settings import SimulatedSettings
from headgate.providers.simulated.speech import Problem, Speech

__all__ = ["FAULT_HEADER", "PATHS", "Simulation"]

FAULT_HEADER = b"x-headgate-fault"
"""A request may order its own fault with this header."""

PATHS: Mapping[str, str] = {
    "openai.chat": "/v1/chat/completions",
    "openai.responses": "/v1/responses",
    "openai.embeddings": "/v1/embeddings",
    "anthropic.messages": "/v1/messages",
    "anthropic.count_tokens": "/v1/messages/count_tokens",
}
"""Where each wire is spoken."""

_REMEMBERED = 10_000
_JSON_TYPE = (b"content-type", b"application/json")
_SSE_TYPE = (b"content-type", b"text/event-stream; charset=utf-8")


class Simulation:
    """All models of one simulated provider, and what they remember: repeated prompts, ordered faults.

    clock:     outages and prompt caching go by it; `created` of answers is its date."""

    def __init__(self, settings: SimulatedSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._profiles = profiles_of(settings.models, settings.outage)
        small, embed = self._profiles["sim-small"], self._profiles["sim-embed"]
        # A name nobody configured should not fail by surprise.
        self._other = replace(small, error_rate=0.0, faults=(), quality=1.0)
        self._other_embed = embed
        self._started = clock.monotonic()
        self._choice = FaultChoice()
        self._cache = PromptCache(settings.cache_after)
        self._turns: OrderedDict[str, int] = OrderedDict()
        speeches: tuple[Speech, ...] = (ChatSpeech(), ResponsesSpeech(), MessagesSpeech(), CountSpeech())
        self._speeches = {PATHS[speech.wire].encode(): speech for speech in speeches}

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """Every model that has a name of its own."""
        return self._profiles

    def profile(self, model: str) -> Profile:
        """How `model` behaves; unknown names behave as `sim-small` that neither fails nor errs."""
        return self._profiles.get(model, self._other)

    def set_faults(self, faults: Sequence[str], *, rate: float = 1.0, model: str = "*") -> None:
        """Order faults from now on, until ordered otherwise; an empty list ends it.

        faults:  as `name` or `name:argument`; if several, each as likely as the next.
        model:   whose requests; "*": all that have no order of their own.
        Raises ValueError for an unknown fault, a wrong argument or a rate outside 0 to 1."""
        self._choice.order(faults, rate, model)

    def respond(
        self, method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> Script:
        """The reply to one HTTP request. Never raises for what a caller sends."""
        path = target.partition(b"?")[0]
        if path == b"/v1/models" and method == "GET":
            return Script(200, Headers([_JSON_TYPE]), whole=self._models())
        speech = self._speeches.get(path)
        if path == b"/v1/embeddings":
            speech = self._speeches[b"/v1/chat/completions"]
        if speech is None or method != "POST":
            speech = speech or self._speeches[b"/v1/chat/completions"]
            return refusals.refusal(
                speech, Problem("path", f"Unknown request URL: {method} {path.decode('latin-1')}")
            )
        try:
            asked = _asked_faults(headers)
            if path == b"/v1/embeddings":
                return self._embed(speech, asked, body)
            return self._talk(speech, speech.read(body), asked)
        except BadRequest as wrong:
            return refusals.refusal(speech, Problem("invalid", wrong.message, wrong.param))

    def _talk(self, speech: Speech, prompt: Prompt, asked: Sequence[FaultOrder]) -> Script:
        profile = self.profile(prompt.model)
        refusals.check_abilities(prompt, profile)
        luck = self._draws(prompt.model, _content(prompt, prompt.passages))
        if prompt.begun:
            # The words are those of the answer that was begun; how fast they come, and what goes wrong, is new luck.
            first = draws(self._settings.seed, prompt.model, _content(prompt, prompt.asked), 0)
            luck = luck._replace(answer=first.answer, quality=first.quality)
        fault = self._fault(prompt.model, profile, asked, luck)
        pace = self._pace(profile, luck)
        if fault and (refused := refusals.refusal_for(speech, fault, prompt.model, luck.name, pace)):
            return refused
        total = prompt_tokens(prompt)
        if total + (prompt.max_tokens or 0) > profile.context_window:
            return refusals.too_long(speech, prompt, profile, total, luck.name)
        if speech.wire == "anthropic.count_tokens":
            counted = PlannedReply(luck.name, prompt.model, 0, [], Usage(input=total))
            return whole(Headers([_JSON_TYPE]), speech.whole(prompt, counted), 0, pace, fault)
        reply = self._plan(prompt, profile, luck, _mood(profile, fault, luck), total)
        if fault and fault.name == "content_filter":
            for choice in reply.choices:
                choice.text, choice.calls, choice.stop = (
                    choice.text[: len(choice.text) // 3],
                    [],
                    "content_filter",
                )
        tokens = reply.usage.completion
        request = b"req_" + luck.name.encode()
        answer_headers = [(b"x-request-id", request), (b"request-id", request)]
        if prompt.stream:
            event = speech.error_event(
                Problem("overloaded", "The server is overloaded; the answer breaks off here.")
            )
            return streamed(
                Headers([_SSE_TYPE, *answer_headers]), speech.stream(prompt, reply), pace, fault, event
            )
        if fault and fault.name == "error_in_stream":
            return refusals.refusal(
                speech, Problem("server_error", "The server had an error."), luck.name, pace
            )
        return whole(Headers([_JSON_TYPE, *answer_headers]), speech.whole(prompt, reply), tokens, pace, fault)

    def _embed(self, speech: Speech, asked: Sequence[FaultOrder], body: bytes) -> Script:
        prompt = read_embeddings(body)
        profile = self._profiles.get(prompt.model, self._other_embed)
        if "embeddings" not in profile.capabilities:
            raise BadRequest(f"The model `{prompt.model}` makes no embeddings; `sim-embed` does.", "model")
        luck = self._draws(prompt.model, repr(prompt.inputs).encode("utf-8", "surrogatepass"))
        fault = self._fault(prompt.model, profile, asked, luck)
        pace = self._pace(profile, luck)
        if fault and (refused := refusals.refusal_for(speech, fault, prompt.model, luck.name, pace)):
            return refused
        if fault and fault.name == "error_in_stream":
            return refusals.refusal(
                speech, Problem("server_error", "The server had an error."), luck.name, pace
            )
        if prompt.tokens > profile.context_window * len(prompt.inputs):
            problem = Problem(
                "context_length", f"This model's maximum context length is {profile.context_window} tokens."
            )
            return refusals.refusal(speech, problem, luck.name)
        made = whole_embeddings(prompt, profile.dimensions)
        return whole(Headers([_JSON_TYPE]), made, 1, pace, fault)

    def _plan(self, prompt: Prompt, profile: Profile, luck: Draws, mood: Mood, total: int) -> PlannedReply:
        names = (
            [luck.name]
            if prompt.choices == 1
            else [f"{luck.name}c{number}" for number in range(prompt.choices)]
        )
        choices = [planned_choice(prompt, profile, luck.answer, name, mood) for name in names]
        asked = self._cache.usage(prompt, total, self._clock.monotonic())
        usage = Usage(
            input=asked.input,
            cache_read=asked.cache_read,
            cache_write=asked.cache_write,
            output=sum(choice.output_tokens for choice in choices),
            reasoning=sum(len(choice.thinking) for choice in choices),
        )
        return PlannedReply(luck.name, prompt.model, self._clock.wall_ns() // 1_000_000_000, choices, usage)

    def _draws(self, model: str, content: bytes) -> Draws:
        luck = draws(self._settings.seed, model, content, 0)
        if not self._settings.vary:
            return luck
        turn = self._turns.pop(luck.name, -1) + 1
        self._turns[luck.name] = turn
        if len(self._turns) > _REMEMBERED:
            self._turns.popitem(last=False)
        return draws(self._settings.seed, model, content, turn)

    def _fault(
        self, model: str, profile: Profile, asked: Sequence[FaultOrder], luck: Draws
    ) -> FaultOrder | None:
        seconds = self._clock.monotonic() - self._started
        return self._choice.choose(model, profile, asked, seconds, luck.fault)

    def _pace(self, profile: Profile, luck: Draws) -> Pace:
        if not self._settings.speed:
            return _AT_ONCE
        first = luck.latency.lognormal(profile.first_token.median, profile.first_token.p95)
        return Pace(first, 1 / profile.tokens_per_second)

    def _models(self) -> bytes:
        cards = [
            {
                "id": name,
                "object": "model",
                "created": 0,
                "owned_by": "simulated",
                "type": "model",
                "display_name": name,
            }
            for name in self._profiles
        ]
        return msgspec.json.encode({"object": "list", "data": cards, "has_more": False})


_AT_ONCE = Pace(0.0, 0.0)


def _content(prompt: Prompt, passages: Sequence[Passage]) -> bytes:
    content = "\0".join([f"{passage.role}:{passage.text}" for passage in passages])
    if prompt.seed is not None:
        content += f"\0{prompt.seed}"
    return content.encode("utf-8", "surrogatepass")


def _mood(profile: Profile, fault: FaultOrder | None, luck: Draws) -> Mood:
    if fault and FAULTS[fault.name].stage == "words":
        return fault.name
    if profile.quality >= 1.0 or luck.quality.uniform() < profile.quality:
        return "right"
    return luck.quality.pick(("wrong", "garbled"))


def _asked_faults(headers: Sequence[tuple[bytes, bytes]]) -> Sequence[FaultOrder]:
    for name, value in headers:
        if name.lower() == FAULT_HEADER:
            try:
                return parse_faults(value.decode("latin-1"))
            except ValueError as wrong:
                raise BadRequest(f"x-headgate-fault: {wrong}", "x-headgate-fault") from None
    return ()
