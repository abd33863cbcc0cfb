# Every target does its own set-up in .venv; nothing is installed outside this folder.
# Needs make, Python 3.11 or newer, and (Debian, Ubuntu) the package python3-venv.

# The distribution's Python first, where it can make environments: the service runs on it (docs/operating.md),
# and it is built for speed, which one that was compiled at home seldom is.
PYTHON ?= $(shell /usr/bin/python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
  2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
# More for pytest, for example: make test PYTEST_ARGS="-k greylisted -x"
PYTEST_ARGS ?=
# Kills of the long run: make kill KILLS=1000
KILLS ?= 300

# What the tests start is compiled once, not by each daemon and each worker again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test bench check kill clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r target text; do printf '%-12s %s\n' "$$target" "$$text"; done

demo: $(VENV)/.run ## six invoices and a customer's way up, real servers on loopback; STAY=1 keeps it running
	@$(BIN)/relayd demo $(if $(STAY),--stay)

test: check ## style, types, import contracts, then every test; parts that need Debian's packages are skipped without them
	$(BIN)/pytest -q -n auto --dist worksteal -m "not whole" $(PYTEST_ARGS)
	$(BIN)/pytest -q -n 2 --dist worksteal -m whole $(PYTEST_ARGS)

check: $(VENV)/.test ## style, types and import contracts alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test ## compare with Postfix + OpenDKIM, side by side
	$(BIN)/python -m benchmarks

kill: $(VENV)/.test ## kill the daemon many times while clients send, and count: nothing may be lost
	KILLS=$(KILLS) $(BIN)/pytest -q -m kill --timeout=3600 $(PYTEST_ARGS)

clean: ## remove what the targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage build dist

# The stamps say which pyproject.toml the environment was made for. .run has what the daemon needs, .test more.
$(VENV)/.run: pyproject.toml | $(BIN)/python
	@echo "installing relayd into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 -e .
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "installing relayd and what its tests need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 -e '.[test]'
	@touch $@ $(VENV)/.run

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "relayd needs Python 3.11 or newer, and there is no '$(PYTHON)' here."; \
	  echo "  Debian, Ubuntu: apt-get install python3 python3-venv"; exit 69; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "relayd needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1)."; \
	  echo "  Name another one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 69; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: the package python3-venv is missing."; \
	  echo "  Debian, Ubuntu: apt-get install python3-venv"; exit 69; }
	@echo "making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 69; }
