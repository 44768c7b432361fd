"""The demonstration's configuration, as a file that people can read: what it shows is what they would write."""

from __future__ import annotations

from headgate.cli.demo_plants import DEARER, SLOWER, WORSE

__all__ = ["ORDERS_FAIL", "demonstration"]

ORDERS_FAIL = "12s..26s"
"""When the shop's order desk is down, from the start on: its ladder answers then, and its contract is at risk."""


def demonstration(listen: str, database: str, *, embeds: bool = False) -> str:
    """The file. listen: HOST:PORT. database: as an URL. embeds: is there what tells similar questions (the extra `[embed]`)?"""
    return _TEXT.format(
        listen=listen,
        database=database,
        semantic="semantic = 0.9, " if embeds else "",
        fail=ORDERS_FAIL,
        slower=SLOWER,
        dearer=DEARER,
        worse=WORSE,
    )


_TEXT = """\
# The configuration of `headgate demo`: a small shop with a few AI features, on simulated models.

[server]
listen = "{listen}"
database = "{database}"

[providers.sim]
kind = "simulated"
# A retry must be able to succeed, as with a real provider.
vary = true

# The shop's order desk fails for a while, so that there is something to see.
[providers.sim.models.sim-orders]
like = "sim-small"
outage = ["{fail}"]

# As good as sim-large, and six times as dear.
[providers.sim.models.sim-premium]
like = "sim-large"
price = {{ input = 15, output = 60 }}

# What comes after sim-large, and takes four times as long.
[providers.sim.models.sim-large-next]
like = "sim-large"
first_token = {{ median = "2.4s", p95 = "6s" }}
tokens_per_second = 15

[models]
small = {{ endpoints = [{{ provider = "sim", model = "sim-small" }}] }}
large = {{ endpoints = [{{ provider = "sim", model = "sim-large" }}] }}
premium = {{ endpoints = [{{ provider = "sim", model = "sim-premium" }}] }}
reasoning = {{ endpoints = [{{ provider = "sim", model = "sim-reasoning" }}] }}
embeddings = {{ endpoints = [{{ provider = "sim", model = "sim-embed" }}] }}
orders = {{ endpoints = [{{ provider = "sim", model = "sim-orders" }}] }}
flaky = {{ endpoints = [{{ provider = "sim", model = "sim-flaky" }}] }}

[features.support-chat]
route = "large"
fallback = ["small"]
timeouts = {{ first_token = "8s", between_tokens = "10s", total = "60s" }}
retry = {{ attempts = 2, base = "0.2s" }}
degrade = ["rules:orders", "say:Our assistant is resting; a person will answer by mail."]
budget = {{ day = 2.00, when_spent = "alert" }}

[features.support-chat.contract]
availability = 0.99
first_token_p95 = "4s"
latency_p95 = "7s"
cost_p95 = 0.006
quality = {{ thumbs = 0.75 }}
window = "7d"

[features.classify]
route = "small"
fallback = ["large"]
timeouts = {{ first_token = "8s", between_tokens = "10s", total = "60s" }}
contract = {{ availability = 0.99, latency_p95 = "3s", window = "7d" }}

[features.summarise]
route = "large"
fallback = ["small"]
contract = {{ availability = 0.98, latency_p95 = "8s", window = "7d" }}

[features.analyse]
route = "reasoning"
fallback = ["large"]
budget = {{ day = 0.05, when_spent = "alert" }}

[features.search]
route = "embeddings"
contract = {{ latency_p99 = "1s", window = "7d" }}

# Everybody asks the same: a model is asked once, and the answer is given again for six hours.
[features.questions]
route = "small"
fallback = ["large"]
cache = {{ exact = "6h", {semantic}scope = "feature", stale = "1h" }}
contract = {{ availability = 0.99, latency_p95 = "3s", window = "7d" }}

[features.order-status]
route = "orders"
retry = {{ attempts = 1 }}
degrade = ["rules:orders", "say:We cannot look that up now. Please try again in a minute."]
contract = {{ availability = 0.9, window = "2d", least = 50 }}

# Nobody has looked after this one: its model is down, and nothing stands in for it.
[features.night-report]
route = "sim/sim-down"
timeouts = {{ total = "3s" }}
retry = {{ attempts = 2, base = "0.2s" }}

[features.rehearse-failure]
route = "flaky"
fallback = ["small"]
timeouts = {{ first_token = "8s", between_tokens = "10s", total = "60s" }}

[rules.orders]
match = [{{ regex = 'order (?P<number>\\d+)', answer = "We look for order {{number}} and write to you." }}]

[[budgets]]
name = "all-ai"
per = "month"
usd = 50
of = "tenant"
each = false
when_spent = "alert"

[[budgets]]
name = "each-user"
per = "day"
usd = 2
of = "user"
when_spent = "alert"
warn_at = 0.8

# Beside the rules that come with Headgate. One look finds it: the demonstration has no time to be sure twice.
[[watch.rules]]
name = "{slower}"
metric = "latency_p95"
of = {{ feature = "support-chat" }}
window = "1m"
alert = "7s"
looks = 1

[[watch.rules]]
name = "{dearer}"
metric = "cost_p95"
of = {{ feature = "support-chat" }}
window = "1m"
alert = "0.006 USD"
looks = 1

[[watch.rules]]
name = "{worse}"
metric = "quality"
score = "thumbs"
of = {{ feature = "support-chat" }}
window = "1h"
alert = 0.75
least = 30
looks = 1
"""
