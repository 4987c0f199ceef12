# Everything stays inside this folder: packages in .venv, those of make engines in .cache, data and the state of servers in .state.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || echo python3)
# One more than the cores of a small machine: tests wait for the processes that they start.
WORKERS ?= 3
BIN := .venv/bin
ENGINES := .cache/venvs/engines/bin/python
FETCH = $(MAKE) --no-print-directory --jobs=4 --file=tests/engines_env/Makefile
ON_SPARK := $(filter spark,$(ENGINE))
READY := .venv/.ready
HOME_READY := .state/dagster/dagster.yaml
COMPILE := $(BIN)/uv pip compile --quiet --no-annotate --custom-compile-command 'make pins' --python-version 3.11 pyproject.toml

export DAGSTER_HOME := $(CURDIR)/.state/dagster
export DAGSTER_DISABLE_TELEMETRY := 1
export PYRIGHT_PYTHON_CACHE_DIR := $(CURDIR)/.venv/pyright
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_CACHE_DIR := 1
# The folder's own packages, whatever environment make was called from; compiled once, as many processes are started.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
export VIRTUAL_ENV := $(CURDIR)/.venv

.PHONY: help setup demo dev stop test engines test-engines test-full mutants lint definitions format bench pins clean

help: ## Show what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) $(HOME_READY) ## Install the pinned packages into .venv (quick when up to date)

demo: setup $(ON_SPARK:%=engines) ## Land, backfill, load, train, serve and report; DAYS=5 for a short history, ENGINE=spark, S3=1
	$(if $(ON_SPARK),FEATURES_ENGINE=spark $(ENGINES),$(BIN)/python) -m feature_assets.demo$(if $(S3),.on_s3)

dev: setup ## Run UI, daemon, online store, feature server and live purchases together
	$(BIN)/python -m feature_assets.demo.dev

stop: setup ## Stop `make dev` and the embedded online store; its data stays
	$(BIN)/python -m feature_assets.demo.stop

test: setup ## Lint, check the definitions, run the tests
	$(MAKE) --no-print-directory --jobs=2 --output-sync lint definitions
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

engines: setup ## Install what test-engines needs: a JVM, Spark, Flink, Kafka, PostgreSQL and more
	$(FETCH)

test-engines: engines ## Run the tests that need a JVM or a server from outside
	$(ENGINES) -m pytest -n $(WORKERS) --dist loadgroup -m "engines and not full"

test-full: lint definitions ## Run all tests, those that take minutes too, and more examples
	$(FETCH) full
	HYPOTHESIS_PROFILE=more $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not engines"
	HYPOTHESIS_PROFILE=more $(ENGINES) -m pytest -n $(WORKERS) --dist loadgroup -m engines

mutants: setup ## Plant bugs one by one; the specification must catch each
	$(BIN)/python -m tests.mutants

lint: setup ## Check style, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/pyright

definitions: setup ## Check that every code location loads
	$(BIN)/dg check defs
	$(BIN)/dagster definitions validate -w workspace.yaml

format: setup ## Format the code and mend what ruff can mend safely
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## Measure loading, reading and joining
	$(BIN)/python -m benchmarks

pins: setup ## Renew the requirements files from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) --extra dev -o requirements-dev.txt
	$(COMPILE) --extra demo -c requirements-dev.txt -o requirements.txt
	$(COMPILE) --extra serving --extra offline --extra s3 -c requirements-dev.txt -o requirements-serving.txt
	$(COMPILE) --extra engines -c requirements-dev.txt -o requirements-engines.txt
	$(COMPILE) --extra flink -o requirements-flink.txt

clean: ## Stop the embedded store; delete .state and what tools leave; installed packages stay
	if [ -x $(BIN)/python ] && [ -d .state ]; then $(BIN)/python -m feature_assets.demo.stop; fi
	rm -rf .state build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -not -path './.cache/*' -prune -exec rm -rf {} +

$(READY): requirements-dev.txt pyproject.toml
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	@echo "Installing the pinned packages into .venv (several minutes the first time)"
	$(BIN)/python -m pip install -r requirements-dev.txt | { grep --line-buffered -v 'already satisfied' || true; }
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(HOME_READY): resources/dagster.yaml
	mkdir -p $(@D)
	cp $< $@
