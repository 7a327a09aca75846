# Everything a checkout needs: "make run" starts the service, "make test" tests it. Both create .venv by themselves.
# Needs Python 3.11 or newer ("make PYTHON=python3.12 run" chooses one) and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNNABLE := $(VENV)/.runnable
INSTALLED := $(VENV)/.installed

.PHONY: run test lint types deploy destroy cloud bench cold-start listings costs sweep simulate soak mutants unguarded pins clean
.DEFAULT_GOAL := run

# PORT=8001 serves on another port; FRESH=1 forgets what earlier runs stored.
run: $(RUNNABLE)
	@exec $(BIN)/python -m infra.local

# PROCESSES=1 runs all tests in one process, auto in as many as there are cores. DYNAMODB_ENDPOINT=http://... runs those
# of the embedded engine on the DynamoDB there: docs/local-run.md.
PROCESSES ?= 2
test: $(INSTALLED)
	$(if $(DYNAMODB_ENDPOINT),DYNAMODB_ENDPOINT=$(DYNAMODB_ENDPOINT) )$(BIN)/python -m pytest --numprocesses $(PROCESSES) --no-loadscope-reorder

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m infra.packaging dev prod
	$(BIN)/cfn-lint build/dev/expanded.json build/prod/expanded.json

types: $(INSTALLED)
	$(BIN)/mypy

# STAGE=prod chooses the stage; YES=1 asks nothing; PARAMETERS="Tracing=Active" and TAGS="team=desk" set what
# docs/deploy.md says; TABLES=replace lets tables be replaced; SMOKE=0 places no orders afterwards. The standard AWS
# variables say where.
deploy: $(INSTALLED)
	@$(BIN)/python -m infra.deploy deploy --stage $(or $(STAGE),dev) $(if $(YES),--yes) $(if $(TABLES),--tables $(TABLES)) \
	    $(foreach one,$(PARAMETERS),--parameter $(one)) $(foreach one,$(TAGS),--tag $(one)) \
	    $(if $(filter 0,$(SMOKE)),--no-smoke)

# Keeps the tables and the master key; TABLES=delete deletes them too, for good.
destroy: $(INSTALLED)
	@$(BIN)/python -m infra.deploy destroy --stage $(or $(STAGE),dev) $(if $(YES),--yes) $(if $(TABLES),--tables $(TABLES))

# The same deployment, into a cloud that runs on this machine until Ctrl-C; PORT=4566 chooses its port.
cloud: $(INSTALLED)
	@exec $(BIN)/python -m infra.cloud

bench: $(INSTALLED)
	$(BIN)/python benchmarks/core.py
	$(BIN)/python benchmarks/cold_load.py

# How long each function takes to start, and a desk's first requests: docs/deploy.md. Downloads what Lambda gets; a minute.
cold-start: $(INSTALLED)
	$(BIN)/python benchmarks/cold_start.py

# What lists cost, by the history behind them: docs/listings.md. Takes seven minutes on the engine that it starts, twice
# that on one whose queries are flat, where more is asked for: make listings DYNAMODB_ENDPOINT=http://127.0.0.1:4567
listings: $(INSTALLED)
	$(BIN)/python benchmarks/open_orders.py
	$(if $(DYNAMODB_ENDPOINT),DYNAMODB_ENDPOINT=$(DYNAMODB_ENDPOINT) )$(BIN)/python benchmarks/listing.py
	$(if $(DYNAMODB_ENDPOINT),DYNAMODB_ENDPOINT=$(DYNAMODB_ENDPOINT) )$(BIN)/python benchmarks/taker_listing.py

# What an order costs on AWS, in units and in money: docs/operations.md. Takes some minutes.
costs: $(INSTALLED)
	$(BIN)/python benchmarks/costs.py
	$(BIN)/python benchmarks/settling.py

# Every call of every crash scenario meets every fault, over the embedded engine too. Takes half an hour.
sweep: $(INSTALLED)
	TALLYBOOK_FULL_SWEEP=1 $(BIN)/python -m pytest tests/services/books/test_crashes.py

# SEEDS=10000 says how many runs, FIRST=1 which seed comes first; one seed alone: make simulate SEEDS=1 FIRST=4711
simulate: $(INSTALLED)
	$(BIN)/python -m tests.simulation $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST))

# SECONDS=120 says how long orders come in.
soak: $(INSTALLED)
	$(BIN)/python benchmarks/soak.py $(if $(SECONDS),--seconds $(SECONDS))

# Every small fault in the core that mutmut knows, against tests/domain/books: docs/mutations.md. Takes five to ten minutes.
mutants: $(INSTALLED)
	$(BIN)/python benchmarks/mutants.py

# Takes each guard of docs/guarantees.md away in turn; the test named there must fail. Takes four minutes.
unguarded: $(INSTALLED)
	$(BIN)/python benchmarks/unguarded.py

# Keeps .local, which holds what runs stored; "make run FRESH=1" empties that.
clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Writes constraints.txt and requirements.txt anew, with the hashes of all files.
pins:
	$(PYTHON) infra/pins.py renew

# One environment, exactly as constraints.txt pins it, every file checked against its hash: first what a run needs, then
# what tests and linters need too. The stamps make the next call immediate.
$(RUNNABLE): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	    echo "Tallybook needs Python 3.11 or newer; there is no $(PYTHON) here. Name one: make PYTHON=/path/to/python3" >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Tallybook needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12" >&2; \
	    exit 1; }
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python infra/pins.py install run
	@touch $@

$(INSTALLED): $(RUNNABLE)
	@echo "Setting up what tests need in $(VENV) (once) ..."
	@$(BIN)/python infra/pins.py install dev
	@touch $@
