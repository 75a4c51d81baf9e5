# Everything is set up by the first target that needs it: Python 3.11+, make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
STORE ?= .state/store
STATE ?= .state
ONCE ?=
# Tests run in two processes of one thread each, a file in one of them.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile

# A folder that starts a Kubernetes on this machine, where one lies beside the checkout.
export PLUMBLINE_CLUSTER_TOOL ?= $(abspath $(wildcard ../shared/tools/kubernetes))
# A program that draws Grafana's dashboards, likewise; docs/dashboards.md says how it is called.
export PLUMBLINE_GRAFANA_PREVIEW ?= $(abspath $(wildcard ../shared/tools/grafana-preview/render))

.PHONY: run observe install test test-all test-cluster lint bench clean help

run: $(STAMP)  ## set up, then train, serve, watch, break and repair a model (ONCE=1: end by itself)
	$(BIN)/plumbline up --demo --state .state $(if $(ONCE),--once)

observe: $(STAMP)  ## Prometheus and Alertmanager beside a running system (STATE=.state)
	$(BIN)/python k8s/local/observe.py --state $(STATE)

install: $(STAMP)  ## make .venv with everything

test: $(STAMP)  ## the default suite
	$(PYTEST) -m "not slow and not cluster"

test-all: $(STAMP)  ## the default suite and the slow tests
	$(PYTEST) -m "not cluster"

test-cluster: $(STAMP)  ## on the cluster of KUBECONFIG, or on one of its own; docs/kubernetes.md says more
	$(BIN)/pytest -m cluster tests/cluster

lint: $(STAMP)  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)  ## measure; see benchmarks/README.md
	$(BIN)/python -m benchmarks

clean:  ## remove what was built, trained and logged here
	rm -rf .venv .state build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

help:  ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/'

# torch is pinned by exactly this requirement, alone and first: where a CPU build is offered it is the
# one taken. gym-anytrading is installed without its dependencies: only its CSV file is read.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24"
	$(BIN)/python -m pip install --quiet torch==2.13.0 --constraint constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt \
	  --editable ".[service,torchscript,training,monitoring,kubernetes,mlflow,drills,dev]"
	$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt gym-anytrading
	touch $(STAMP)
