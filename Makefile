# One command each; `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test unit e2e chaos lint fix crds docs bench soak snapshots clean

help: ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Tradewind needs Python 3.11 or newer, this is %s: make PYTHON=python3.12 ..." % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "setting up $(VENV) (once)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

setup: $(VENV)/.stamp ## Make the virtual environment

demo: $(VENV)/.stamp ## Run the leave forecast on this machine, without a cluster
	@$(BIN)/python examples/leave-forecast/demo.py

lint: $(VENV)/.stamp ## Format check, lint, types, import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/.stamp ## Format and mend what a tool can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

unit: $(VENV)/.stamp ## Tests that need no cluster: those of plan/ and model/ with branch coverage, the others beside each other
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest tests/plan tests/model
	$(BIN)/coverage report
	$(BIN)/pytest -m "not e2e" -n 3 --dist loadfile --ignore tests/plan --ignore tests/model tests

e2e: $(VENV)/.stamp ## Tests on a real cluster: $KUBECONFIG, kind, or one of our own making
	$(BIN)/pytest -m e2e tests

test: unit e2e ## All tests; those on a real cluster are skipped, with the reason, where none can be had

chaos: $(VENV)/.stamp ## Everything goes wrong, on a virtual clock: SCHEDULES=100000 for the long form, SEED=n for one of them
	PYTHONPATH=tests $(BIN)/python -m chaos $(if $(SCHEDULES),--schedules $(SCHEDULES)) $(if $(SEED),--seed $(SEED))

crds: $(VENV)/.stamp ## Generate crds/ and the chart's copy from the models
	$(BIN)/python -m tradewind.model.write crds
	mkdir -p charts/tradewind/files/crds && cp crds/*.yaml charts/tradewind/files/crds/

snapshots: $(VENV)/.stamp ## Rewrite the chart's snapshots; read the difference before you commit it
	UPDATE_SNAPSHOTS=1 $(BIN)/pytest tests/chart

docs: $(VENV)/.stamp ## Generate docs/reference.md from the models
	$(BIN)/python -m tradewind.model.reference docs/reference.md

bench: $(VENV)/.stamp ## Measure every shape beside its floor (half an hour); writes bench/results/
	PYTHONPATH=tests:. $(BIN)/python -m bench

soak: $(VENV)/.stamp ## Half an hour of load: does the operator's memory stay flat?
	PYTHONPATH=tests:. $(BIN)/python -m bench.soak

clean: ## Remove what the other commands made here
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .demo
	find . -name __pycache__ -prune -exec rm -rf {} +

-include tests/cluster/cluster.mk
