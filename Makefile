# The commands of the project. Nothing needs to be installed beforehand but Python 3.11+ and make.
# PYTHON= names the Python that makes the environment, VENV= where that is: make test PYTHON=python3.13 VENV=.venv-3.13
PYTHON ?= python3
VENV ?= .venv
DOCS_PORT ?= 8000
BIN := $(VENV)/bin

# uv installs in seconds, where it is there (https://docs.astral.sh/uv). Both verify each package by its hash, and show their progress.
# A lock names all packages, so nothing has to be resolved.
UV := $(shell command -v uv 2>/dev/null)
MAKE_VENV = $(if $(UV),$(UV) venv --quiet --seed --python $(PYTHON) $(VENV),$(PYTHON) -m venv $(VENV))
INSTALL = $(if $(UV),$(UV) pip install --python $(BIN)/python,$(BIN)/python -m pip install --disable-pip-version-check) \
	--no-deps --require-hashes

# Refuses another Python than 3.11 or newer: that of the environment, else the one that would make it.
FOUND = $(or $(wildcard $(BIN)/python),$(PYTHON))
IS_OLD = $(shell $(FOUND) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || echo old)
REQUIRE_PYTHON = $(if $(IS_OLD),$(error Python 3.11 or newer is needed, and $(FOUND) is $(shell $(FOUND) -V 2>/dev/null || \
	echo not there). Name another one, such as: make run PYTHON=python3.12 VENV=.venv-3.12))

# Where an image switches the cache of bytecode off, each of the hundreds of processes of the tests would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run test check docs screenshots bench reference collector stores kube-apiserver node e2e e2e-stores stack e2e-stack e2e-stack-open soak soak-stores newest wheel lock

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1	/'

# A marker for each lock: what is installed is what the lock says, and a second start installs nothing.
$(VENV)/.run: requirements.lock
	@$(REQUIRE_PYTHON)test -x $(BIN)/python || $(MAKE_VENV)
	@echo "Installing the packages of requirements.lock into $(VENV): under a minute with pip, a few seconds with uv …"
	@$(INSTALL) -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "Installing the packages of requirements-dev.lock into $(VENV) …"
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

$(VENV)/.docs: requirements-docs.lock $(VENV)/.dev
	@echo "Installing the packages of requirements-docs.lock into $(VENV) …"
	@$(INSTALL) -r requirements-docs.lock
	@touch $@

.env:
	@cp .env.example .env
	@echo "Made .env from .env.example: it explains every setting, and switches the sandbox on."

run: $(VENV)/.run .env ## set up, migrate, and serve on 127.0.0.1:8080 (PYTHON=python3.12 for another Python)
	@exec $(BIN)/python -m service serve

# A process of the tests that crashes ends the run: pytest-xdist 3.8 would wait for its tests for ever.
PARALLEL := --max-worker-restart=0

test: $(VENV)/.dev ## the whole test suite, PostgreSQL included
	@$(BIN)/python -m pytest -m "not e2e and not stack" -n 4 --dist loadfile --no-loadscope-reorder $(PARALLEL)

check: $(VENV)/.docs ## linters, types, import contracts, layout, documentation, known vulnerabilities of what the lock names
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.house
	$(BIN)/python -m tools.reference --check
	$(BIN)/python -m tools.words
	$(BIN)/hadolint Dockerfile
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs docs/_build
	$(BIN)/python .ci/audit.py

screenshots: $(VENV)/.dev ## the pictures of the documentation, from a sandbox in Chromium
	@$(BIN)/python -m tools.screenshots

bench: $(VENV)/.dev ## what it costs, as tables
	@$(BIN)/python -m bench

docs: $(VENV)/.docs ## build the documentation, and serve it on 127.0.0.1:8000 (DOCS_PORT=8000)
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs docs/_build
	@echo "Built docs/_build/index.html. Read it at http://127.0.0.1:$(DOCS_PORT); Ctrl-C stops the server."
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory docs/_build $(DOCS_PORT)

reference: $(VENV)/.dev ## write the pages of docs/reference that are made from the code
	@$(BIN)/python -m tools.reference
	@$(BIN)/python -m tests.support.signal_reference

e2e: $(VENV)/.dev ## the tests against the real Prometheus, Alertmanager, Collector and Chromium, and the long ones: faults, kills, ticks
	@$(BIN)/python -m pytest -m "e2e and not stores" -n 3 --dist loadgroup $(PARALLEL) --durations 15

e2e-stores: $(VENV)/.dev ## the Collector before the real VictoriaLogs, Jaeger and Prometheus, each killed in turn (needs make stores)
	@$(BIN)/python -m pytest -m stores --durations 15

stack: $(VENV)/.dev ## docker-compose.yml in real containers, with the sandbox, until Ctrl-C (needs root and Debian)
	@exec $(BIN)/python -m tools.stack up

e2e-stack: $(VENV)/.dev ## the tests of docker-compose.yml in real containers (needs root, Debian and Go; 15 GB of disk); the profile open, too, after make stores
	@$(BIN)/python -m tools.stack test --durations 15

e2e-stack-open: $(VENV)/.dev ## the same file with its profile open: what the service sends is read back from VictoriaLogs, Jaeger and Prometheus
	@$(BIN)/python -m tools.stack test-open --durations 15

soak: $(VENV)/.dev ## 20 minutes of load, kills, outages, a clock that is set and a full disk; a table of what held (MINUTES=20)
	@$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),20)

soak-stores: $(VENV)/.dev ## an hour in which Prometheus and the Collector are killed at random; a table of what held (MINUTES=60; needs make collector)
	@$(BIN)/python -m tests.soak.stores --minutes $(or $(MINUTES),60)

collector: $(VENV)/.dev ## build what the tests need of Go, once: the Collector, Prometheus, the readers of Compose files, dashboards and manifests
	@$(BIN)/python -m tools.go_programs

stores: $(VENV)/.dev ## build the stores of the profile open, once, beside what make collector builds: VictoriaLogs and Jaeger
	@$(BIN)/python -m tools.go_programs --stores

kube-apiserver: collector ## whether the API server of Kubernetes takes the manifests (builds it once; needs Debian's etcd-server)
	@$(BIN)/python -m tools.go_programs --kube-apiserver
	@$(BIN)/python -m tests.kube_apiserver

node: $(VENV)/.dev ## install by npm, once, what checks dashboards and pages: Grafana's own packages, and axe
	@$(BIN)/python -m tools.node_packages

newest: ## the unit tests of the telemetry against the newest releases of its packages: a report that never fails
	@$(PYTHON) .ci/newest.py

wheel: $(VENV)/.run ## build the wheel into dist/: what `pip install` takes elsewhere
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

lock: ## compile the locks anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --prerelease if-necessary-or-explicit --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml \
		--extra postgres -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --prerelease if-necessary-or-explicit --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate -c requirements.lock pyproject.toml \
		--extra postgres --group dev -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --group build -o requirements-build.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate -c requirements-dev.lock --group docs -o requirements-docs.lock
