"""A commented configuration to start from. A test reads it, so that it stays true."""

from __future__ import annotations

__all__ = ["EXAMPLE"]

EXAMPLE = """\
# Headgate's configuration. `headgate check` tells what it does, docs/reference/configuration.md what else there is.
# Text may hold ${NAME} or ${NAME:-default} from the environment; $$ is a dollar sign.
# Durations: "250ms", "2s", "5m", "1h". Sizes: "64 kB", "32 MB".

[server]
listen = "127.0.0.1:8080"               # HOST:PORT; anything but loopback needs keys
database = "sqlite:///headgate.db"      # records and keys; the journal lies beside it
# auth = "none"                         # no keys; for loopback only

[records]
content = true                          # keep prompts and answers, not only figures

# ---- Providers: places that serve models ------------------------------------------------------------------------

[providers.openai]
kind = "openai"
api_key = "${OPENAI_API_KEY:-}"

# [providers.anthropic]
# kind = "anthropic"
# api_key = "${ANTHROPIC_API_KEY}"

# [providers.house]                     # your own vLLM, llama.cpp, Ollama: all speak OpenAI's protocol
# kind = "openai"
# base_url = "http://127.0.0.1:8000/v1"
# self_hosted = true

[providers.sim]                         # answers without network and key
kind = "simulated"

# ---- Models: your names for them, each reachable at one place or several, in order of preference ----------------

[models.small]
endpoints = [
  { provider = "openai", model = "gpt-4o-mini" },
  # { provider = "house", model = "llama-3-8b", price = { input = 0.05, output = 0.05 } },   # USD per million tokens
]

[models.large]
endpoints = [{ provider = "openai", model = "gpt-4o" }]

[models.rehearsal]
endpoints = [{ provider = "sim", model = "sim-small" }]

# ---- Features: what your product uses AI for. Callers send `model = "support-chat"` ------------------------------

[features.support-chat]
route = "small"                         # a model from above, or "provider/model"
fallback = ["large", "rehearsal"]       # asked in this order when the one before fails
timeouts = { connect = "2s", first_token = "8s", between_tokens = "10s", total = "60s" }
# cache = { exact = "1h" }              # the same user's same request (temperature 0) is answered from memory
degrade = ["stale:24h", "say:Our assistant is resting; a person will answer by mail."]   # when every model is down

[features.summarise]
route = "large"
fallback = ["small"]
"""
