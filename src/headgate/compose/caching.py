"""What is answered from memory, put together: the stage `recall`, where answers are kept, and what each feature's configuration says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import blake2b

import msgspec

from headgate.cache.detect.reasons import personal_in, prepare
from headgate.cache.freshness import Asides
from headgate.cache.ground import Ground
from headgate.cache.identity import Identities
from headgate.cache.policy import CachePolicy
from headgate.cache.schemas import Schemas
from headgate.cache.schemas import prepare as prepare_schemas
from headgate.cache.stage import NothingKept, Recall
from headgate.compose.cache_watching import CacheWatch
from headgate.compose.policies import Policies
from headgate.compose.similar import Similarity
from headgate.config.model import Settings
from headgate.core.clock import Clock
from headgate.core.ids import IdSource
from headgate.dispatch.ladder.stale import Kept
from headgate.exchange.exchange import Exchange
from headgate.exchange.stage import Proceed, Stage
from headgate.records.pricing import Pricer
from headgate.routing.building import models_asked
from headgate.routing.deciding import decide
from headgate.routing.stage import Router
from headgate.stores.answer_tiers import TieredAnswers
from headgate.stores.answers import AnswerStore
from headgate.stores.backends.memory.answers import MemoryAnswers
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.names import CACHE_JOINED

__all__ = ["Caching", "policies_of"]


class Caching:
    """The stage `recall` of a gateway, with all it needs."""

    def __init__(
        self,
        settings: Settings,
        store: AnswerStore,
        *,
        router: Router,
        pricer: Pricer,
        send: Proceed,
        ids: IdSource,
        clock: Clock,
        metrics: Metrics,
        environ: Mapping[str, str],
        total_of: Callable[[str], float] | None = None,
        removed: Callable[[], None] | None = None,
    ) -> None:
        """router: knows the names that may be asked for. send: the journey of requests that were let in already. total_of: feature -> seconds that its requests have.
        removed: lets go of answers that are kept elsewhere, when somebody has answers removed."""
        self.store = store
        if isinstance(store, TieredAnswers | MemoryAnswers):
            store.on_removed = removed
        self.asides = Asides(send, ids, clock)
        self._router = router
        self._pricer = pricer
        self._total_of = total_of
        self._identities = Identities()
        self._schemas = Schemas()
        self._settings = settings
        self._policies = Policies(router, self._narrowed)
        self.similarity = Similarity(store, send=send, ids=ids, clock=clock, environ=environ)
        similar = self.similarity.similar
        self.recall = Recall(store, self._ground(), self.asides, clock, semantic=similar, metrics=metrics)
        self._nothing_kept = NothingKept(self._policies.of)
        self._started = False
        self.watching = CacheWatch(
            store, clock, metrics, any_feature=lambda: self.policies, semantic=self.semantic_features
        )
        metrics.read(CACHE_JOINED, lambda: [((), self.recall.beside)])
        self.use(settings)

    def stages(self) -> Mapping[str, Stage]:
        """Without a feature that has a cache there is one that only looks whether nothing but a kept answer is wanted."""
        return {"recall": self.recall if self.policies else self._nothing_kept}

    def use(self, settings: Settings) -> None:
        """From the next request on."""
        self._settings = settings
        self._policies.use(policies_of(settings))
        if self.policies:
            prepare()
            prepare_schemas()
        self._identities.clear()
        self.recall.asking.slow = float(settings.cache.slow)
        self.recall.ground = self._ground()
        if self._started:
            self.similarity.use(settings)

    def let_go(self) -> None:
        """Contents were deleted: what was read and written lately is not remembered any more."""
        self._identities.clear()
        self.recall.retelling.clear()

    def semantic_features(self) -> list[str]:
        """Those that answer questions in other words, or measure it."""
        return [name for name, policy in self.policies.items() if policy.settings.semantic is not None]

    async def start(self) -> None:
        """Know what is kept. Without a feature that has a cache nothing is opened: the first answer that is put opens it."""
        if self.policies:
            await self.store.start()
        self._started = True
        self.similarity.use(self._settings)
        self.watching.start()

    async def aclose(self) -> None:
        """Give up what nobody waits for; what waits to be kept is kept."""
        await self.watching.aclose()
        await self.recall.aclose()
        await self.similarity.aclose()
        await self.store.aclose()

    async def older(self, exchange: Exchange) -> Kept | None:
        """An answer to the same request for the degrade ladder. Never raises."""
        if not self.policies:
            return None
        entry = await self.recall.last(exchange)
        if entry is None:
            return None
        return Kept(entry.answer, entry.made_ns, entry.origin_id)

    @property
    def policies(self) -> Mapping[str, CachePolicy]:
        """Feature -> what is configured of it, of those that have a cache."""
        return self._policies.of_feature

    def _narrowed(self, policy: CachePolicy, model: str) -> CachePolicy:
        digest = blake2b(policy.route + _json(_places(self._settings, [model])), digest_size=16)
        return replace(policy, model=model, route=digest.digest())

    def _ground(self) -> Ground:
        return Ground(
            policy_of=self._policies.of,
            look=self._identities.look,
            personal=personal_in,
            cost_of=self._cost_of,
            judge=self._judge,
            schemas=self._schemas,
            total_of=self._total_of,
        )

    async def _judge(self, exchange: Exchange) -> str:
        """The model that rules of use let answer, where there are any. Raises as routing does."""
        directory = self._router.directory
        if not directory.judges:
            return ""
        route = directory.resolve(exchange.peek.model)
        if exchange.route_as:
            route = directory.using(exchange.route_as, route)
        return (await decide(exchange, route, directory)).model

    def _cost_of(self, exchange: Exchange) -> int:
        total = 0
        for one in exchange.attempts:
            if one.usage is not None:
                total += (
                    self._pricer.cost(
                        one.endpoint,
                        one.usage,
                        when_ns=exchange.started_ns,
                        reported_model=one.reported_model,
                    )
                    or 0
                )
        return total


def policies_of(settings: Settings) -> dict[str, CachePolicy]:
    """Feature -> what its answers' keeping goes by; none of those that have no cache, and none at all if it is switched off."""
    if not settings.cache.enabled:
        return {}
    found: dict[str, CachePolicy] = {}
    for name, feature in settings.features.items():
        cache = feature.cache
        if cache is None or not cache.exact:
            continue
        keep = settings.records.keep.content
        if feature.keep is not None and feature.keep.content is not None:
            keep = feature.keep.content
        models = models_asked(feature)
        how = (
            msgspec.to_builtins(feature.route),
            feature.fallback,
            _places(settings, models),
            # Who was not to be answered from memory yesterday has left nothing that is given today.
            sorted(cache.let),
            cache.when,
        )
        found[name] = CachePolicy(
            feature=name,
            model=models[0],
            route=blake2b(_json(how), digest_size=16).digest(),
            settings=cache,
            longest=min(float(settings.cache.longest), float(keep)),
            durable=settings.records.content and feature.content,
            sensitive=feature.data == "sensitive",
        )
    return found


def _places(settings: Settings, models: list[str]) -> list[object]:
    """What stands behind names of models: the same name may mean another model tomorrow."""
    found: list[object] = []
    for name in models:
        model = settings.models.get(name)
        if model is None:
            found.append([name, _server(settings, name.partition("/")[0])])
        else:
            found.append(
                [
                    name,
                    [
                        [each.provider, each.model, _server(settings, each.provider)]
                        for each in model.endpoints
                    ],
                ]
            )
    return found


def _server(settings: Settings, provider: str) -> str:
    section = settings.providers.get(provider)
    return f"{type(section).__name__} {getattr(section, 'base_url', '')}" if section is not None else ""


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
