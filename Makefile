# Entrepot on a fresh machine: `make run` or `make test`, nothing else.
# PYTHON names an interpreter of version 3.11 or newer; ARGS go to the main job.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
STAMPS := .venv/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq install
SOURCES := core inventory warehouses carriers routing simulations examples api tests

.DEFAULT_GOAL := help
.PHONY: help run test check format lock bench clean

# List the targets.
help:
	@awk '/^# /{text=substr($$0,3)} /^[a-z]+:/{split($$1,name,":"); printf "make %-8s %s\n", name[1], text}' Makefile

# Set up everything, run the main job on the real example, then serve (ARGS=--once ends after it).
run: $(STAMPS)/run $(STAMPS)/console
	@$(BIN)/entrepot tour $(ARGS)

# Set up everything and pass every check and test.
test: $(STAMPS)/test $(STAMPS)/console
	@$(MAKE) --no-print-directory check
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder
# One process more than there are cores: journeys wait for workers that were killed.
TESTERS := $(shell $(PYTHON) -c 'import os; print(min((os.cpu_count() or 1) + 1, 4))')

# Format, lint, types and import contracts, without tests.
check: $(STAMPS)/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Rewrite the sources in the house format and write the pages that are drawn from tables.
format: $(STAMPS)/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m tests.docs.pages

# Measure against the floors and peers named in docs/reference/benchmarks.md.
bench: $(STAMPS)/test
	@for name in allocation api forecast promise reserve; do $(BIN)/entrepot bench $$name; done

# Renew the locks of Python packages after a change of pyproject.toml.
lock: $(STAMPS)/test
	$(PIP) uv
	$(BIN)/uv pip compile $(LOCK) --extra build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile $(LOCK) --extra build --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet

# Remove what the other targets made; the home folder .entrepot stays.
clean:
	rm -rf .venv node_modules api/console/static/vendor build dist
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Entrepot needs Python 3.11 or newer; name one with make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	@mkdir -p $(STAMPS)

# What the main job needs; an install for tests holds it too.
$(STAMPS)/run: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing Python packages ..."
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/test: requirements-dev.lock $(STAMPS)/run
	@echo "Installing test packages ..."
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

# Front-end libraries come from the npm lock; where there is no npm, a wheel brings one.
$(STAMPS)/console: package.json package-lock.json api/console/assets.py $(STAMPS)/run
	@command -v npm >/dev/null || $(PIP) --require-hashes -r requirements-node.lock
	@echo "Installing front-end packages ..."
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@$(BIN)/python -m api.console.assets
	@touch $@
