# Two commands matter: `make demo` and `make test`. They need Python (3.11 or newer) and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DASHBOARD_TRUST_HOME ?= $(CURDIR)/.dashboard_trust
export DAGSTER_HOME = $(DASHBOARD_TRUST_HOME)/dagster
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test ui check soak clean

demo: $(VENV)/.installed
	$(BIN)/dashboard-trust demo

test: $(VENV)/.installed-dev
	$(BIN)/pytest --numprocesses 3 --dist loadfile -m "not long and not faker and not soak and not fakesnow and not snowflake and not azurite"

ui: $(VENV)/.installed
	$(BIN)/dashboard-trust demo --prepare
	$(BIN)/dagster dev -m dashboard_trust.demo.definitions

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

soak: $(VENV)/.installed-dev
	$(BIN)/pytest -m "soak or long or faker"

clean:
	rm -rf $(VENV) build dist

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[apprise]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
