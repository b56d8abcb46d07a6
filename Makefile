# Each verb sets up what it needs: a virtual environment in .venv, the packages, and for the tests a Chromium and axe-core (with npm).
# GNU make on Linux and macOS; on Windows use the pip lines of README.md.
# ARGS go to the program run: make test ARGS="-k search -x", make run ARGS="--port 8000".

# What the tests start imports our sources again and again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
PYTEST = $(BIN)/python -m pytest --numprocesses auto --dist worksteal --durations 25
AXE := tests/browser/node_modules/axe-core/axe.min.js
NPM = install --prefix tests/browser --no-package-lock --no-audit --no-fund --loglevel error
SAY_PACKAGES = echo "Installing packages into $(VENV), once: PyTorch alone is about 1 GB, so this takes a minute or more."

.PHONY: run test journeys exact cluster tools documentation lint bench gpu fuzz chaos leaks accuracy shots words clean

run: $(VENV)/has-run
	$(BIN)/hub-ui demo $(ARGS)

test: $(VENV)/has-test $(AXE)
	$(BIN)/python -m tests.browser.chromium
	$(PYTEST) $(ARGS)

# What `make test` leaves out, by tests/suites.py. A computer is in one cluster of Ray at a time.
cluster: PYTEST += --numprocesses 0
journeys exact cluster tools documentation: $(VENV)/has-test $(AXE)
	$(BIN)/python -m tests.browser.chromium
	$(PYTEST) --suite $@ $(ARGS)

lint: $(VENV)/has-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.architecture

bench: $(VENV)/has-test
	$(BIN)/python -m tests.tools.benchmarks $(ARGS)

gpu: $(VENV)/has-test
	$(BIN)/python -m tests.tools.gpu $(ARGS)

fuzz: $(VENV)/has-test
	$(BIN)/python -m tests.tools.fuzz $(ARGS)

# Changes MODULE in a copy of the staged files, so that a run that is stopped leaves no mutant behind.
.PHONY: mutants
MODULE ?= connectors/ref.py
TESTS ?= tests/$(dir $(MODULE))test_$(notdir $(MODULE))
COSMIC_RAY := $(abspath $(VENV)/mutants/bin)
mutants: $(VENV)/has-test $(VENV)/has-mutants
	rm -rf build/mutants
	git checkout-index --all --prefix build/mutants/
	sed -e "s|MODULE|$(MODULE)|;s|TESTS|$(TESTS)|;s|PYTHON|$(abspath $(BIN)/python)|" tests/tools/mutants.toml > build/mutants/run.toml
	cd build/mutants && $(COSMIC_RAY)/cosmic-ray baseline run.toml
	cd build/mutants && $(COSMIC_RAY)/cosmic-ray init run.toml run.sqlite
	cd build/mutants && $(COSMIC_RAY)/cr-filter-operators run.sqlite run.toml
	cd build/mutants && $(COSMIC_RAY)/cosmic-ray exec run.toml run.sqlite
	cd build/mutants && $(COSMIC_RAY)/cr-report --surviving-only --show-diff run.sqlite

chaos: $(VENV)/has-test
	$(BIN)/python -m tests.tools.chaos $(ARGS)

leaks: $(VENV)/has-test
	$(BIN)/python -m tests.people.two_visitors $(ARGS)

accuracy: $(VENV)/has-test
	$(BIN)/python -m tests.tools.accuracy $(ARGS)

shots: $(VENV)/has-test
	$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m tests.browser.shots shots

words: $(VENV)/has-test
	$(BIN)/python -m tests.tools.words

clean:
	rm -rf $(VENV) tests/browser/node_modules shots fuzz-failures chaos-failures dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed. Name it with: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up $(VENV), a Python environment for this folder alone."
	$(PYTHON) -m venv $(VENV)

# The stamps: pip runs again only when pyproject.toml has changed.
$(VENV)/has-run: pyproject.toml | $(BIN)/python
	@$(SAY_PACKAGES)
	$(BIN)/python -m pip install --editable .
	@touch $@

$(VENV)/has-test: pyproject.toml | $(BIN)/python
	@$(SAY_PACKAGES)
	$(BIN)/python -m pip install --editable '.[test]'
	@touch $@ $(VENV)/has-run

$(VENV)/has-mutants: | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/mutants
	$(VENV)/mutants/bin/pip install 'cosmic-ray>=8.7,<9'
	@touch $@

$(AXE): tests/browser/package.json
	@command -v npm >/dev/null || { echo "The browser tests need npm, to install axe-core. Install Node.js 20 or newer, which has it." >&2; exit 1; }
	npm $(NPM) </dev/null
	@touch $@
