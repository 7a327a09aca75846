# Everything a checkout needs: "make run" starts the service, "make test" tests it. Both create .venv by themselves.
# Needs Python 3.11 or newer ("make PYTHON=python3.12 run" chooses one) and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: run test lint types bench clean
.DEFAULT_GOAL := run

# PORT=8001 serves on another port; FRESH=1 forgets what earlier runs stored.
run: $(INSTALLED)
	@exec $(BIN)/python -m infra.local

test: $(INSTALLED)
	$(BIN)/python -m pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python benchmarks/core.py

# Keeps .local, which holds what runs stored; "make run FRESH=1" empties that.
clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment, exactly as constraints.txt pins it. The stamp makes the next call immediate.
$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	    echo "Tallybook needs Python 3.11 or newer; there is no $(PYTHON) here. Name one: make PYTHON=/path/to/python3" >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Tallybook needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12" >&2; \
	    exit 1; }
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt pip setuptools wheel
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $@
