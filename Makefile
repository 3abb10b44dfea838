# Everything a developer does here. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The distribution's interpreter first: it is built with profiles of real programs, and a plain
# build of the sources, as pyenv makes by default, takes 1.6 times as long for the same work.
PYTHON ?= $(firstword $(foreach python,/usr/bin/python3.11 python3.11,\
	$(shell $(python) -c 'import ensurepip; print("$(python)")' 2> /dev/null)))
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
FETCHED := $(VENV)/.fetched

.PHONY: help venv demo up test prove lint format protos protos-release bench \
        lint-ruff lint-mypy lint-imports lint-protos

help: ## List these targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

venv: $(INSTALLED) $(FETCHED) ## Install everything into .venv and fetch the local servers, once.

demo: venv ## Tell a hotel's day in the terminal, against the whole suite (2 minutes).
	@$(BIN)/huitouke demo

up: venv ## Start the whole suite on this machine until Ctrl-C.
	@$(BIN)/huitouke up

test: venv lint ## Check and test everything.
	@$(BIN)/python -m pytest

prove: venv ## Prove the ledger: 10,000 histories, long races, mutants of its rules (an hour or more).
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[prove]'
	@$(BIN)/python -m tests.proving

lint: venv ## Check style, types, walls, contracts and generated code.
	@$(MAKE) -j2 -k --output-sync=target lint-ruff lint-mypy lint-imports lint-protos

lint-ruff:
	@echo "ruff"; $(BIN)/ruff check --quiet .; $(BIN)/ruff format --check --quiet .

lint-mypy:
	@echo "mypy --strict"; $(BIN)/mypy --no-error-summary

lint-imports:
	@echo "import-linter"; $(BIN)/lint-imports --no-cache > build/import-linter.log 2>&1 \
		|| { cat build/import-linter.log; exit 1; }

lint-protos:
	@echo "buf lint, buf breaking, generated code"
	@$(BIN)/python -m protos.build lint
	@$(BIN)/python -m protos.build breaking
	@$(BIN)/python -m protos.build check

format: venv ## Format the code and mend what ruff can mend.
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

protos: venv ## Generate protos/gen from the contracts.
	@$(BIN)/python -m protos.build generate

protos-release: venv ## Make the present contracts the released ones, which may not be broken.
	@$(BIN)/python -m protos.build release

bench: venv ## Measure the figures in benchmarks/, each against its reference (10 minutes).
	@$(BIN)/python -m benchmarks

$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" && command -v "$(PYTHON)" > /dev/null || { echo "Python 3.11 or its venv is \
	missing: apt-get install python3.11 python3.11-venv (or make PYTHON=/path/to/python3.11)"; exit 1; }
	@echo "installing Python packages into $(VENV)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV) || { \
		rm -rf $(VENV); echo "venv is missing: apt-get install python3.11-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar on -e '.[dev]'
	@mkdir -p build
	@touch $@

$(FETCHED): $(INSTALLED) deploy/kafka/pom.xml deploy/smsc/package-lock.json
	@$(BIN)/python -m cli.local.prefetch
	@touch $@
