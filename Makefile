# `make` alone explains. Every target sets up what it needs; a second call is instant.
.DEFAULT_GOAL := help
.PHONY: help setup setup-run setup-node demo test check fix compiled wheel bench bench-cache bench-routing embedder lock docs-check clean

BIN := .venv/bin
# nginx lives where only root's PATH looks.
export PATH := $(PATH):/usr/sbin:/sbin
# Workers of the test run; one per core is too many while a browser and database servers run beside them.
WORKERS ?= 2
ARGS ?=
# COMPILED=yes: the gateways and commands that tests start run compiled, as from a wheel. What tests import stays the source.
COMPILED ?=

help:
	@echo "Headgate: the gate between applications and language models"
	@echo
	@echo "  make demo         start on simulated providers, no key and no network needed, and show an address"
	@echo "  make test         run every test            ARGS='-k transport' runs some, WORKERS=4 runs wider"
	@echo "  make check        lint, format, types, import arrows, documentation links"
	@echo "  make fix          let ruff repair and format what it can"
	@echo "  make bench        measure beside nginx and the peers, ARGS='--quick' in a minute and a half"
	@echo "  make bench-routing  how well the learned router routes, on rows from HEADGATE_DATA"
	@echo "  make bench-cache  how often an answer from memory is right, on pairs from HEADGATE_DATA"
	@echo "  make compiled     the path of a request as machine code, in .build/compiled; needs a C compiler"
	@echo "  make wheel        a wheel with it, in dist/"
	@echo "  make docs-check   links, change notes and style of the documentation alone"
	@echo "  make lock         resolve the dependencies again, after a change in pyproject.toml"
	@echo "  make setup        .venv with everything for working on Headgate (the others call it)"
	@echo "  make clean        remove what was built; .venv stays (remove it with 'rm -r .venv')"
	@echo
	@echo "Needs Python 3.11 or newer and make. Node 20+ and nginx only for the tests that say so."

setup:
	@scripts/setup.sh dev

setup-run:
	@scripts/setup.sh run

setup-node:
	@scripts/setup-node.sh

demo: setup-run
	@$(BIN)/headgate demo $(ARGS)

# Weights pinned by hash, made into one file in the user's cache; instant once it is there.
embedder: setup
	@$(BIN)/python scripts/build_embedder.py

test: setup setup-node embedder
	$(if $(COMPILED),HEADGATE_COMPILED="$$($(BIN)/python scripts/compiled.py)") $(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory docs-check

fix: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

compiled: setup
	@$(BIN)/python scripts/compiled.py

wheel: setup
	HATCH_BUILD_HOOK_ENABLE_CUSTOM=true $(BIN)/python -m hatchling build --target wheel

bench: setup setup-node
	$(BIN)/python bench/run.py $(ARGS)

bench-routing: setup embedder
	@PYTHONPATH=. $(BIN)/python -m bench.routing.run $(ARGS)

# requirements.lock is what people who work on Headgate install, requirements-run.lock what serving needs,
# requirements-image.lock what the container image has, scripts/setup.lock what installs them, scripts/compile.lock what compiles.
# docs/decisions/0002 says why there is no uv.lock.
IMAGE := bedrock postgres redis secrets sso
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11
lock: setup
	$(COMPILE) --group dev --all-extras pyproject.toml -o requirements.lock
	$(COMPILE) -c requirements.lock pyproject.toml -o requirements-run.lock
	$(COMPILE) -c requirements.lock $(IMAGE:%=--extra %) pyproject.toml -o requirements-image.lock
	$(COMPILE) -c requirements.lock scripts/setup.in -o scripts/setup.lock
	$(COMPILE) -c requirements.lock scripts/compile.in -o scripts/compile.lock
	cd tests/node && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

bench-cache: setup embedder
	@PYTHONPATH=. $(BIN)/python -m bench.cache $(ARGS)

docs-check: setup
	@$(BIN)/python scripts/check_docs.py

clean:
	rm -rf build dist .build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf tests/node/node_modules
	find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
