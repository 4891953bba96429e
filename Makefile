# `make` alone lists what can be made.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable

# Each stamp says that its environment was installed from these two files as they now are.
MANIFESTS := pyproject.toml constraints.txt
READY_TO_TRAIN := $(VENV)/.ready-to-train
READY_TO_DEVELOP := $(VENV)/.ready-to-develop

.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: train
train: $(READY_TO_TRAIN) ## Install into .venv and train on MNIST; ARGS="--epochs 5" adds options
	$(BIN)/tinygrad-mnist train $(ARGS)

.PHONY: test
test: $(READY_TO_DEVELOP) ## Install what the tests need and run them; ARGS="-k relu" adds options
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

.PHONY: lint
lint: $(READY_TO_DEVELOP) ## Check format, style, types, stubs, who imports whom, and size
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m checks.imports
	$(BIN)/python -m checks.stubs --check
	$(BIN)/python -m checks.typed
	$(BIN)/python -m checks.size

.PHONY: format
format: $(READY_TO_DEVELOP) ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: stubs
stubs: $(READY_TO_DEVELOP) ## Write the .pyi files and the picture of the rooms from the code
	$(BIN)/python -m checks.stubs
	$(BIN)/python -m checks.imports --picture docs/images/rooms.svg

.PHONY: bench
bench: $(READY_TO_DEVELOP) ## Install the other engines and measure all of them; ARGS=--full measures every job
	$(INSTALL) ".[benchmark]"
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: speed
speed: $(READY_TO_DEVELOP) ## Hold our training steps beside NumPy's; fails where one became slower
	$(BIN)/python -m benchmarks regression

WEB := web/node_modules/.package-lock.json
BUNDLE := tinygrad_mnist/explainer/bundle

$(WEB): web/package.json web/package-lock.json
	cd web && npm ci --silent

.PHONY: web
web: $(WEB) ## Check the pages' source and bundle it into the package; needs Node.js
	cd web && npm run --silent check && npm run --silent build

.PHONY: web-check
web-check: $(WEB) ## Fail where the bundle in the package is not what its source gives
	cd web && npm run --silent check && node build.mjs ../build/bundle
	diff --recursive build/bundle $(BUNDLE)

.PHONY: docs
docs: $(READY_TO_DEVELOP) $(WEB) ## Build the site of documentation into site/; a warning is an error
	$(BIN)/python -m website
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

.PHONY: wheel
wheel: $(READY_TO_DEVELOP) ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation

.PHONY: clean
clean: ## Remove the environment and everything that tools left behind
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    f"Python 3.11 or newer is needed, $(PYTHON) is {sys.version.split()[0]}: name another one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(READY_TO_TRAIN): $(MANIFESTS) | $(BIN)/python
	$(INSTALL) '.[plots]'
	@touch $@

$(READY_TO_DEVELOP): $(MANIFESTS) | $(BIN)/python
	$(INSTALL) '.[dev]'
	@touch $@ $(READY_TO_TRAIN)
