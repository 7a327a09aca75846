# "make run" starts the service, "make test" tests it; both create .venv first.
# Needs only Python 3.11 or newer ("make PYTHON=python3.12 run" chooses one).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNNABLE := $(VENV)/.runnable
INSTALLED := $(VENV)/.installed

.PHONY: run test quick lint types deploy destroy cloud bench bench-page bench-compare cold-start listings costs sweep simulate soak feed screenshot agreement mutants unguarded client mcp openapi asyncapi fuzz pins clean
.DEFAULT_GOAL := run

# PORT=8001 serves on another port; FRESH=1 deletes the tables of earlier runs; DEMO=quiet keeps the
# demo's traders away.
run: $(RUNNABLE)
	@exec $(BIN)/python -m infra.local

# Three processes keep two cores busy, for tests wait for a third of their time. PROCESSES=1 runs all tests in one
# process, PROCESSES=auto in one for each core. DYNAMODB_ENDPOINT=http://... runs the
# tests of the embedded engine on that DynamoDB: docs/local-run.md.
PROCESSES ?= 3
test: $(INSTALLED)
	$(if $(DYNAMODB_ENDPOINT),DYNAMODB_ENDPOINT=$(DYNAMODB_ENDPOINT) )$(BIN)/python -m pytest --numprocesses $(PROCESSES) --no-loadscope-reorder

# What a change to domain and services needs first, in less than a minute: their tests without the sweeps of faults.
quick: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --no-loadscope-reorder tests/domain tests/services tests/support \
	    --ignore tests/services/books/test_crashes.py --ignore tests/services/lost_answers \
	    --ignore-glob '*/test_*faults.py'

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m infra.packaging dev prod
	$(BIN)/cfn-lint build/dev/expanded.json build/prod/expanded.json

types: $(INSTALLED)
	$(BIN)/mypy

# Deploys to the account of the standard AWS variables. STAGE=prod chooses the stage; YES=1 skips the confirmation;
# PARAMETERS="Tracing=Active" and TAGS="team=desk" are explained in docs/deploy.md; TABLES=replace permits replacing
# tables; SMOKE=0 skips the smoke test.
deploy: $(INSTALLED)
	@$(BIN)/python -m infra.deploy deploy --stage $(or $(STAGE),dev) $(if $(YES),--yes) $(if $(TABLES),--tables $(TABLES)) \
	    $(foreach one,$(PARAMETERS),--parameter $(one)) $(foreach one,$(TAGS),--tag $(one)) \
	    $(if $(filter 0,$(SMOKE)),--no-smoke)

# Deletes the stack; keeps the tables and the master key. TABLES=delete deletes the tables too, for good.
destroy: $(INSTALLED)
	@$(BIN)/python -m infra.deploy destroy --stage $(or $(STAGE),dev) $(if $(YES),--yes) $(if $(TABLES),--tables $(TABLES))

# The same deployment into a cloud embedded in this machine, until Ctrl-C; PORT=4566 chooses its port.
cloud: $(INSTALLED)
	@exec $(BIN)/python -m infra.cloud

# Measures every figure of docs/performance.md; also writes build/bench.json. Takes some minutes, and downloads Lambda's
# packages for its last part. PART=core,paths measures these parts only.
bench: $(INSTALLED)
	$(BIN)/python benchmarks/bench.py $(if $(PART),--part $(PART))

# Writes the figures of the last make bench into docs/performance.md.
bench-page: $(INSTALLED)
	$(BIN)/python benchmarks/page.py

# Measures this checkout and the commit BASE in turn, and prints the ratios: make bench-compare BASE=main PART=core
bench-compare: $(INSTALLED)
	$(BIN)/python benchmarks/compare.py $(if $(PART),--part $(PART)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(BASE)

# Measures cold starts and each desk's first requests: docs/deploy.md. Downloads Lambda's packages; takes a minute.
cold-start: $(INSTALLED)
	$(BIN)/python benchmarks/cold_start.py

# Measures the cost of lists by length of history: docs/listings.md. Takes some ten minutes.
listings: $(INSTALLED)
	$(BIN)/python benchmarks/open_orders.py
	$(BIN)/python benchmarks/listing.py
	$(BIN)/python benchmarks/taker_listing.py
	$(BIN)/python benchmarks/trade_listing.py

# Computes the cost of an order on AWS, in units and money: docs/operations.md. Takes some minutes.
costs: $(INSTALLED)
	$(BIN)/python benchmarks/costs.py

# Injects every fault at every call of every crash scenario, over the embedded engine too; has verify meet every wrong
# value, and a change before each of its calls. Takes half an hour.
sweep: $(INSTALLED)
	TALLYBOOK_FULL_SWEEP=1 $(BIN)/python -m pytest tests/services/books/test_crashes.py tests/ops/verify/test_malformed.py \
	    tests/ops/verify/test_moving.py

# Random schedules with faults. SEEDS=10000 is the number of runs, FIRST=1 the first seed: make simulate SEEDS=1 FIRST=4711
simulate: $(INSTALLED)
	$(BIN)/python -m tests.simulation $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST))

# Load with a matcher that is killed repeatedly. SECONDS=120 is the duration of the load.
soak: $(INSTALLED)
	$(BIN)/python benchmarks/soak.py $(if $(SECONDS),--seconds $(SECONDS))

# Twenty subscribers of the feed that are cut off again and again under load. SECONDS=600 is the duration of the load;
# RATE=40 bounds its orders a second until the first cut.
feed: $(INSTALLED)
	$(BIN)/python benchmarks/feed.py $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE))

# Compares the matching core with the naive matcher over SEQUENCES=10000 random sequences and ten long runs: docs/testing.md.
# FIRST=1 is the first seed. Takes a quarter of an hour.
agreement: $(INSTALLED)
	TALLYBOOK_SEQUENCES=$(or $(SEQUENCES),10000) TALLYBOOK_FIRST_SEED=$(or $(FIRST),0) \
	    $(BIN)/python -m pytest -n0 -q tests/domain/books/test_matching_against_reference.py

# Mutation tests of the matching core: docs/mutations.md. Takes five to ten minutes.
mutants: $(INSTALLED)
	$(BIN)/python benchmarks/mutants.py

# Removes each guard of docs/guarantees.md in turn; the test named there must fail. Takes a quarter
# of an hour on two cores.
unguarded: $(INSTALLED)
	$(BIN)/python benchmarks/unguarded.py

# Sends requests that schemathesis draws from the OpenAPI documents to a service of its own. SECONDS=600 is how long;
# SEED=4711 draws the same requests again (a failure names its seed).
fuzz: $(INSTALLED)
	$(BIN)/python -m tests.fuzzing $(or $(SECONDS),600) $(SEED)

# Sends the examples of the desks' descriptions to desks in memory, records what is answered, and writes the OpenAPI
# documents: docs/description.md.
openapi: $(INSTALLED)
	$(BIN)/python -m tests.apis.examples
	$(BIN)/python -m infra.openapi

# Writes the AsyncAPI document of docs/events.md and the schemas beside it.
asyncapi: $(INSTALLED)
	$(BIN)/python -m infra.asyncapi

# Takes the picture of the console in README.md.
screenshot: $(INSTALLED)
	$(BIN)/python -m tests.browser.screenshot

# Keeps .local with the tables of local runs; "make run FRESH=1" deletes those.
clean:
	rm -rf $(VENV) build dist *.egg-info client/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installs what "tallybook mcp" needs beside a run: docs/agents.md.
mcp: $(RUNNABLE)
	@$(BIN)/python infra/pins.py install mcp

# Writes the parts of the client that follow from the desks' tables: docs/client.md.
client: $(INSTALLED)
	$(BIN)/python -m infra.client_errors

# Rewrites constraints.txt and requirements.txt, with the hashes of all files.
pins:
	$(PYTHON) infra/pins.py renew

# One environment with the versions in constraints.txt, every file checked by hash: first for a run, then also for tests
# and linters. The stamp files make the next call immediate.
$(RUNNABLE): pyproject.toml client/pyproject.toml constraints.txt
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
	@$(BIN)/python infra/chromium.py
	@touch $@
