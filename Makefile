# Two commands matter: `make run` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.DELETE_ON_ERROR:
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := operator trainer tests
RUN_ARGS ?=
OPERATOR_ARGS ?=
# What every suite needs beside the code.
READY := $(VENV)/.dev data prometheus s3 browser testbed
# Suites run one after another, whatever -j says: some of them time what they do.
.NOTPARALLEL:

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | expand -t 20

.PHONY: run
run: $(VENV)/.trainer ## Set everything up and train the main job with four workers
	$(BIN)/gossip run manifests/samples/digits.yaml $(RUN_ARGS)

.PHONY: operator
operator: $(VENV)/.dev ## Set everything up and run the operator for your kubeconfig's cluster
	$(BIN)/python -m gossip_operator run $(OPERATOR_ARGS)

.PHONY: test
test: test-parallel test-jobs test-heavy test-control-plane test-nodes ## Set everything up and run all tests

# Each suite says how much of its time it took.
.PHONY: test-parallel
test-parallel: $(READY) ## Run the tests that time nothing, two at a time
	tests/suite parallel 10 $(BIN)/pytest -n 2 -m "not heavy and not jobs and not control_plane and not nodes" $(TEST_ARGS)

.PHONY: test-jobs
test-jobs: $(READY) ## Run the tests that start whole jobs, two at a time
	tests/suite jobs 15 $(BIN)/pytest -n 2 -m jobs $(TEST_ARGS)

.PHONY: test-heavy
test-heavy: $(READY) ## Run the tests that time something
	tests/suite heavy 20 $(BIN)/pytest -m heavy $(TEST_ARGS)

.PHONY: test-control-plane
test-control-plane: $(READY) ## Run the tests against a real control plane
	tests/suite control-plane 16 $(BIN)/pytest -n 2 --dist loadfile -m control_plane $(TEST_ARGS)

.PHONY: test-nodes
test-nodes: $(READY) ## Run the tests on real nodes
	tests/suite nodes 18 $(BIN)/pytest -m nodes $(TEST_ARGS)

.PHONY: test-fast
test-fast: $(VENV)/.dev ## Run the tests that start no processes and time nothing
	$(BIN)/pytest -n 2 -m "not heavy and not jobs" tests/unit tests/property tests/contract

.PHONY: verify
verify: format-check lint types arch generated ## Check formatting, lint, types, architecture and generated files

.PHONY: format
format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

.PHONY: format-check
format-check: $(VENV)/.dev
	$(BIN)/ruff format --check $(SOURCES)

.PHONY: lint
lint: $(VENV)/.dev ## Run ruff
	$(BIN)/ruff check $(SOURCES)

.PHONY: types
types: $(VENV)/.dev ## Run mypy in strict mode
	$(BIN)/mypy

.PHONY: arch
arch: $(VENV)/.dev ## Check that imports follow the architecture
	$(BIN)/lint-imports

.PHONY: generate
generate: $(VENV)/.dev ## Write everything that is generated: the CRD, the reference pages, the chart's copies
	$(call write,gossip_api.crd,manifests/crd/gossiptrainingjobs.yaml)
	$(call write,gossip_api.reference,docs/job-reference.md)
	$(call write,gossip_api.metrics,docs/metrics.md)
	$(call write,gossip_monitoring.rules.reference,docs/alerts.md)
	$(call write,gossip_trainer.report.reference,docs/event-log.md)
	$(BIN)/python -m gossip_monitoring.dashboards manifests/monitoring/dashboards
	$(BIN)/python -m gossip_monitoring.rules manifests/monitoring/rules
	$(BIN)/python -m gossip_packaging
	@if command -v kubectl >/dev/null; then $(install_yaml); else \
	  echo "manifests/install.yaml is left as it is, for there is no kubectl; a test compares it" >&2; fi

# A generator that fails leaves the old file.
write = $(BIN)/python -m $(1) > $(VENV)/generated && cp $(VENV)/generated $(2)
define install_yaml
{ echo '# Generated from manifests/base; kubectl apply --server-side -f manifests/install.yaml'; \
  kubectl kustomize manifests/base; } > $(VENV)/generated && cp $(VENV)/generated manifests/install.yaml
endef

.PHONY: generated
generated: generate ## Fail if something generated is not up to date
	git diff --exit-code -- manifests/crd docs/job-reference.md docs/metrics.md docs/alerts.md docs/event-log.md charts manifests/monitoring

.PHONY: bench
bench: $(VENV)/.dev data ## Measure the transport and the cost of exchanging at every step
	OMP_NUM_THREADS=1 $(BIN)/python tests/bench/bench_pull.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/bench/bench_steps.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/bench/bench_input.py

.PHONY: lock
lock: $(VENV)/.build ## Resolve the dependencies anew into requirements/
	$(BIN)/uv pip compile pyproject.toml --extra trainer $(LOCK_ARGS) -o requirements/trainer.txt
	$(BIN)/uv pip compile pyproject.toml --extra operator --extra kubectl $(LOCK_ARGS) -o requirements/operator.txt
	$(BIN)/uv pip compile pyproject.toml --extra trainer --extra operator --extra dev $(LOCK_ARGS) -o requirements/dev.txt
	$(torch_cpu) > requirements/torch-cpu.txt
	printf 'moto[s3]\nflask\nflask-cors\n' | $(BIN)/uv pip compile - $(LOCK_ARGS) -o requirements/s3-server.txt
	printf 'uv\nhatchling\neditables\n' | $(BIN)/uv pip compile - $(LOCK_ARGS) -o requirements/build.txt

# Needs TORCH_INDEX_URL, the index that has them.
.PHONY: lock-cpu
lock-cpu: $(VENV)/.build ## Add the hashes of PyTorch's CPU builds to requirements/torch-cpu.txt
	$(torch_cpu) | $(BIN)/uv pip compile - --no-deps --default-index $(TORCH_INDEX_URL) $(LOCK_ARGS) -o requirements/torch-cpu.txt
torch_cpu = sed -nE 's/^(torch|torchvision)==([^ ]+).*/\1==\2+cpu/p' requirements/trainer.txt
LOCK_ARGS := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet --upgrade

.PHONY: clean
clean: ## Remove the environment, caches and runs
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis runs

# One environment serves both: `make run` installs what training needs, `make test` adds the rest.
$(VENV)/.build: requirements/build.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=/path/to/it")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --requirement requirements/build.txt
	@touch $@

$(VENV)/.trainer: $(VENV)/.build requirements/trainer.txt pyproject.toml
	$(BIN)/uv pip install --quiet --python $(VENV) --require-hashes --requirement requirements/trainer.txt
	$(BIN)/uv pip install --quiet --python $(VENV) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.trainer requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(VENV) --require-hashes --requirement requirements/dev.txt
	@touch $@

# Kubernetes is built from its sources: minutes the first time, then taken from the user's cache.
.PHONY: testbed
testbed: $(VENV)/.dev ## Install and build the Kubernetes that tests run on
	@tests/testbed/install
	@tests/suite kubernetes-build 18 env PYTHONPATH=tests/testbed $(BIN)/python -m testbed build --if-possible

# Fashion-MNIST's files come from Debian's package; tests that need them say so if they are absent.
.PHONY: data
data:
	@tests/install-data

# Debian's Prometheus is unpacked into the user's cache, not installed.
.PHONY: prometheus
prometheus:
	@tests/install-prometheus

# The server that speaks S3 needs libraries that must not decide over those of the product.
.PHONY: s3
s3: $(VENV)/s3/.ready
$(VENV)/s3/.ready: $(VENV)/.build requirements/s3-server.txt
	$(BIN)/uv venv --quiet --clear $(VENV)/s3
	$(BIN)/uv pip install --quiet --python $(VENV)/s3 --require-hashes --requirement requirements/s3-server.txt
	@touch $@

# Pages are opened in Debian's headless Chromium.
.PHONY: browser
browser:
	@tests/install-browser
