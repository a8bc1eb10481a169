# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= results
# Compiled programs are kept, so that tests run a second time start in half the time.
TESTS = JAX_COMPILATION_CACHE_DIR=$(CURDIR)/.venv/programs JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0.1 \
	JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1 $(BIN)/python -m pytest

.PHONY: demo demo-small experiments-small test test-all lint bench peers clean

demo: .venv/installed
	$(BIN)/python -m experiments ai-race --out $(OUT)

demo-small: .venv/installed
	$(BIN)/python -m experiments ai-race --small --out $(OUT)

experiments-small: .venv/installed
	$(BIN)/python -m experiments --all --small --out $(OUT)

test: lint
	$(TESTS) -n 2 -m "not slow and not peers"

test-all: lint
	$(TESTS) -n 2 -m "not peers"
	$(BIN)/python -m experiments --all --out $(OUT)

lint: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed-dev
	$(BIN)/python scripts/bench.py

peers: .venv/installed-dev
	$(BIN)/pip install -q -c constraints.txt -e ".[peers]"
	$(BIN)/python -m pytest -m peers
	$(BIN)/python scripts/compare_peers.py --all

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jaxcoord needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf .venv build *.egg-info
