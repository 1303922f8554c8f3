# Two commands on a fresh machine: `make demo` and `make test`. Both install what they need into .venv.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint tools benchmarks clean

help:
	@echo "make demo        the main job on embedded parts, on one screen"
	@echo "make test        every test (installs a registry and a browser for them where it may)"
	@echo "make lint        types, linter, import contracts"
	@echo "make benchmarks  the tables of benchmarks/ (needs a quiet machine)"

demo: $(VENV)/.demo
	@$(BIN)/tagboat demo

test: $(VENV)/.test tools
	$(BIN)/pytest -n 2 --dist loadfile

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

benchmarks: $(VENV)/.test tools
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

tools:
	@sh tests/tools.sh

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tagboat needs Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.demo: $(VENV)/.venv pyproject.toml
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.venv pyproject.toml
	$(BIN)/pip install --quiet --editable '.[postgres,otel]' --group test
	@touch $@ $(VENV)/.demo

$(VENV)/.lint: $(VENV)/.venv pyproject.toml
	$(BIN)/pip install --quiet --editable '.[postgres,otel]' --group test --group lint
	@touch $@ $(VENV)/.demo $(VENV)/.test

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
