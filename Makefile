# Every target sets up what it needs; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.installed
# Two workers by default: the machine this is tuned for has two cores.
WORKERS ?= 2
TESTS ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-zA-Z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

$(STAMP): requirements/dev.txt scripts/setup
	@scripts/setup $(VENV)
	@touch $@

.PHONY: setup
setup: $(STAMP) ## Make the virtual environment with pinned tools

.PHONY: demo
demo: $(STAMP) ## See it run: cluster, chart, three schedules, rows in Postgres
	@$(PY) -m demo up $(if $(CONTEXT),--context $(CONTEXT)) $(if $(REGISTRY),--registry $(REGISTRY))

.PHONY: recover
recover: $(STAMP) ## On the demo's cluster: take things down three times and watch the work go on
	@$(PY) -m demo recover

.PHONY: demo-down
demo-down: $(STAMP) ## Take the demo away, leaving nothing
	@$(PY) -m demo down $(if $(CONTEXT),--context $(CONTEXT))

.PHONY: test
test: $(STAMP) ## All tests: unit, model, integration, e2e, with coverage
	@$(PY) scripts/test_tiers.py --workers $(WORKERS) unit model integration e2e

.PHONY: test-unit
test-unit: $(STAMP) ## Unit tests alone, under a minute
	@$(PY) scripts/test_tiers.py --workers $(WORKERS) unit

.PHONY: test-model
test-model: $(STAMP) ## The whole model check: 100,000 distinct states of schedule, runs and Jobs (ten minutes)
	@$(PY) -m tests.model --workers $(WORKERS) --at-least 100000

.PHONY: test-mutants
test-mutants: $(STAMP) ## Controllers with one bug each: which promise finds it, and how fast
	@$(PY) -m tests.model.mutants --workers $(WORKERS)

.PHONY: test-integration
test-integration: $(STAMP) ## Real API server and Postgres, simulated pods
	@$(PY) scripts/test_tiers.py --workers $(WORKERS) integration

.PHONY: test-oldest-postgres
test-oldest-postgres: $(STAMP) ## All tests of the store on the oldest Postgres that is supported (OLDEST_POSTGRES=folder of its programs)
	@programs=$(or $(OLDEST_POSTGRES),$$(scripts/oldest-postgres)) && test -n "$$programs" && \
		GSC_TEST_POSTGRES=$$programs $(BIN)/pytest tests/integration/store -q -n $(WORKERS) -k "not memory" --timeout 300

.PHONY: test-e2e
test-e2e: $(STAMP) ## Real kubelet, built image, chart
	@$(PY) scripts/test_tiers.py --workers $(WORKERS) e2e

.PHONY: test-inputs
test-inputs: $(STAMP) ## Wrong schedules: 100,000 in memory, each wrong value of each field at a real API server
	@INPUTS=100000 $(BIN)/pytest tests/unit/controller/model/test_wrong_inputs.py tests/integration/packaging/test_wrong_inputs.py \
		-q -n $(WORKERS) --timeout 1800

.PHONY: test-slots
test-slots: $(STAMP) ## When schedules fire: all zones, 30 years, 50 schedules
	@$(BIN)/pytest tests/slots -q -n $(WORKERS) --timeout 900 $(TESTS)

.PHONY: test-quotas
test-quotas: $(STAMP) ## Three syncs at once against the documented quotas, in real minutes; on a machine with nothing else to do
	@$(BIN)/pytest tests/quotas -q

.PHONY: test-storms
test-storms: $(STAMP) ## Storms of faults at the sync, drawn by chance (STORMS=100)
	@STORMS=$(or $(STORMS),25) $(BIN)/pytest tests/storms -q --timeout 1800

.PHONY: test-soak
test-soak: $(STAMP) ## Two weeks of fifty schedules in memory, 100,000 runs, with faults by chance (an hour; SEED=20261130)
	@$(PY) -m tests.soak $(if $(SEED),--seed $(SEED))

.PHONY: test-fault
test-fault: $(STAMP) ## Every fault plan: crashes, watches, requests, outages, replicas, clocks (hours)
	@$(PY) -m devcluster build && $(PY) -m tests.fault sweep --size release

.PHONY: test-fault-ci
test-fault-ci: $(STAMP) ## A choice of the fault plans: 12 minutes; PART=1/4: every fourth of them, in four
	@$(PY) -m devcluster build && $(PY) -m tests.fault sweep --size ci $(if $(PART),--part $(PART))

KILLS ?= 200
.PHONY: test-kills
test-kills: $(STAMP) ## Kill launches of the sync at KILLS random instants and compare the rows (four minutes)
	@GSC_KILLS=$(KILLS) $(BIN)/pytest tests/integration/faults/test_process.py -q -s -k at_any_instant --timeout 3600

FUZZ_SECONDS ?= 600
.PHONY: fuzz-sync
fuzz-sync: $(STAMP) ## Feed page decoding and RunSpecs with mutated input, guided by coverage, for FUZZ_SECONDS
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	@$(PY) -m tests.fuzz --seconds $(FUZZ_SECONDS)

SIZES ?= 1,100,1000,5000
.PHONY: bench-schedule
bench-schedule: $(STAMP) ## Start lag beside CronJobs, calls, memory, take-over (SIZES=20: a smoke run of two minutes)
	@$(PY) -m benchmarks.schedule --sizes $(SIZES) $(if $(OUT),--out $(OUT))

.PHONY: bench-sync
bench-sync: $(STAMP) ## The sync beside other connectors: speed, log, memory, wrong rows (ONLY=ours: two minutes)
	@$(PY) -m benchmarks.sync $(if $(ONLY),--only $(ONLY)) $(if $(OUT),--out $(OUT))

.PHONY: lint
lint: $(STAMP) ## ruff, mypy --strict, import-linter, shellcheck, yamllint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/shellcheck .ci/run scripts/setup scripts/lock scripts/oldest-postgres
	@$(BIN)/yamllint --strict -c .yamllint.yaml crds manifests helm/gsc-sync-operator/values.yaml helm/gsc-sync-operator/Chart.yaml

.PHONY: format
format: $(STAMP) ## Format the code
	@$(BIN)/ruff check --fix-only . && $(BIN)/ruff format .

.PHONY: lock
lock: $(STAMP) ## Pin the requirements anew, with hashes
	@scripts/lock

.PHONY: images
images: $(STAMP) ## Build the production and the demo image as archives in .build/
	@$(PY) -m images build --target runtime && $(PY) -m images build --target demo

.PHONY: cluster-up
cluster-up: $(STAMP) ## A real Kubernetes on this machine
	@$(PY) -m devcluster up

.PHONY: cluster-down
cluster-down: $(STAMP) ## Take it away, leaving nothing
	@$(PY) -m devcluster down

.PHONY: clean
clean: ## Remove what was built here (not the per-user cache)
	rm -rf $(VENV) .build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* htmlcov
