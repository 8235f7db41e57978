# Everything a person needs: `make play` and `make test` build .venv in this folder by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: play test test-all bench lint format pictures clean
.DEFAULT_GOAL := play

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "wmplay needs Python 3.11 to 3.13, and this is %d.%d; try: make PYTHON=python3.11" % v)'
	@echo "Building $(VENV): a few minutes, once." >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.play: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.play

play: $(VENV)/.play  ## the dashboard; without a terminal, the small demo
	@if [ -t 0 ] && [ -t 1 ]; then exec $(BIN)/wmplay; else exec $(BIN)/wmplay demo grid_world; fi

test: $(VENV)/.dev  ## the tests that every change must pass
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-all: $(VENV)/.dev  ## the slow ones too
	$(BIN)/python -m pytest -m 'not bench'

bench: $(VENV)/.dev  ## this machine's figures; run nothing beside it
	$(BIN)/python -m pytest -m bench -s

lint: $(VENV)/.dev  ## style, types and the walls between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pictures: $(VENV)/.play  ## the README's screenshots, made by the program itself
	$(BIN)/wmplay screenshots docs

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
