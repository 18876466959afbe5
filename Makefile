# Everything runs in an environment of its own, .venv, made from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help up down demo test check test-peers test-deep bench lock clean

help:
	@echo "make up         start the clinic example, secured, and show what it lets through"
	@echo "make down       stop it"
	@echo "make demo       the same as up, then stop; fails if any request is answered unexpectedly"
	@echo "make test       format check, lint, types, import contracts, all tests"
	@echo "make test-deep  the long differential and fuzz runs"
	@echo "make test-peers with a real Keycloak (needs Java 17 and Maven; fetches about 150 MB once)"
	@echo "make bench      the benchmarks; also written to .ringwall/bench.json"

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Ringwall needs Python 3.11 or newer; set PYTHON=/path/to/one"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "this Python cannot make environments: install its venv package (Debian: python3-venv)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what requirements.lock names into $(VENV) ..."
	@awk '/^uv==/{p=1;print;next} /^[^ ]/{p=0} p&&/--hash/' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@$(BIN)/uv pip sync -q --compile-bytecode --system-certs --python $(BIN)/python --require-hashes requirements.lock \
	 || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/uv pip install -q --offline --python $(BIN)/python --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q src # the first start is then as quick as the second
	@touch $@

up: $(READY)
	@$(BIN)/ringwall up examples/clinic --detach
	@$(BIN)/ringwall try -C examples/clinic requests.yaml

down: $(READY)
	@$(BIN)/ringwall down -C examples/clinic

demo: $(READY)
	@$(BIN)/ringwall up examples/clinic --detach
	@status=0; $(BIN)/ringwall try -C examples/clinic requests.yaml || status=$$?; \
	 $(BIN)/ringwall down -C examples/clinic || status=$$?; exit $$status

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Real processes on a busy machine can be late: what fails is tried once more, and the summary names it (-rR).
test: check
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m "not deep and not peers" --reruns 1 -rRs

test-peers: $(READY)
	$(BIN)/pytest -m peers -s tests/peers

test-deep: $(READY)
	$(BIN)/pytest -m deep -s

bench: $(READY)
	$(BIN)/python benchmarks/run.py

lock: $(READY)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header -q -o requirements.lock

clean:
	rm -rf $(VENV)
