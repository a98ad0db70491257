# Needs Python 3.11 to 3.13 and make; everything else comes into .venv, pinned and hash-checked.
# Settings pass through the environment: `PORT=8080 make run`.

# The first of these that will do makes .venv. To choose another: `make install PYTHON=/opt/python/bin/python3.12`.
PYTHON ?= python3.13 python3.12 python3.11 python3 python

VENV := .venv
BIN := $(VENV)/bin
# Wheels only: a source package would fetch what builds it, unpinned and unchecked.
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --only-binary :all: --no-compile
# pip would do it in one process, and kubernetes is a quarter of it: chromadb asks for it, nothing imports it.
# Fails for templates of Python code, which nobody imports either.
BYTECODE := $(BIN)/python -m compileall -qq -j 0 -x '/kubernetes/' $(VENV)/lib || true
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--only-binary :all: --no-emit-index-url --no-header

# Tests mostly wait for servers; those that share one stay together (tests/together.py).
PARALLEL := -n 6

# Tests start some hundred processes: what is imported is compiled once, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

# A storm: how long, which one, and on what (embedded or redis-server).
SECONDS := 60
SEED := 1
SERVER := embedded

.PHONY: help install run test fast bench chaos canary format lock teams-package
.DELETE_ON_ERROR:

help:
	@echo "make run      start Crewdeck on http://127.0.0.1:3000: PROJECT=./my_project"
	@echo "make test     check everything: format, lint, types, imports, tests"
	@echo "make fast     check what takes seconds: format, lint, imports, unit tests"
	@echo "make bench    measure, beside baselines; AGAINST=../other: beside another checkout"
	@echo "make chaos    kill everything at random, then at every boundary, and look whether it holds: SECONDS=60 SEED=1"
	@echo "make canary   try the newest CrewAI in a scratch environment, and say what breaks: SUITES=..."
	@echo "make format   format and mend what can be mended"
	@echo "make teams-package  the app package for Microsoft Teams: TEAMS_APP_ID=..."
	@echo "make install  only make .venv"
	@echo "make lock     pin the dependencies of pyproject.toml anew"

install: $(VENV)/.dev

# exec: signals reach the server itself, once. `make run PROJECT=./my_project`: with a CrewAI project.
run: $(VENV)/.package
	@exec $(BIN)/crewdeck serve $(PROJECT)

test: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy & types=$$!; \
	$(BIN)/python -m pytest $(PARALLEL); tests=$$?; \
	wait $$types && exit $$tests

fast: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest -n 2 --hypothesis-profile=fast -m "not slow" tests/unit tests/golden

# Some rows, in another size: `PARKED=10000 FINISHED=500 make bench ROWS=parked`. Two checkouts in turns:
# `make bench AGAINST=../other ROWS="acknowledge streams" ROUNDS=5`.
AGAINST_OPTIONS := $(if $(AGAINST),--against $(AGAINST)) $(if $(ROUNDS),--rounds $(ROUNDS))
SIZES := $(if $(PARKED),--parked $(PARKED)) $(if $(FINISHED),--finished $(FINISHED)) $(if $(ANSWERS),--answers $(ANSWERS)) $(if $(CREWS),--crews $(CREWS)) $(if $(LIVE),--live $(LIVE))

bench: $(VENV)/.dev
	@exec $(BIN)/python -m bench $(ROWS) $(SIZES) $(AGAINST_OPTIONS)

chaos: $(VENV)/.dev
	@$(BIN)/python -m tests.faults.chaos $(SECONDS) $(SEED) $(SERVER)
	@exec $(BIN)/python -m pytest -q -s --every-boundary --boundary-seed=$(SEED) tests/faults/chaos/test_boundaries.py

# Fetches from the package index; CI never runs it. `make canary SUITES=tests/contract/crews/test_plain_crewai.py` tries less.
canary: $(VENV)/.dev
	@exec $(BIN)/python -m tests.canary $(SUITES)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What Teams installs, for the app of TEAMS_APP_ID: docs/teams.md.
teams-package: $(VENV)/.package
	@$(BIN)/python -m appPackage.build dist/crewdeck-teams.zip

# One resolution for all: the other two locks are parts of the development one, so all of them fit into one .venv.
# Versions that still fit are kept; `make lock UPGRADE=--upgrade` takes the newest.
lock: $(VENV)/.dev
	$(COMPILE) $(UPGRADE) pyproject.toml --all-extras --group dev --group build --output-file requirements-dev.lock
	$(COMPILE) $(UPGRADE) pyproject.toml --all-extras --constraint requirements-dev.lock --output-file requirements.lock
	$(COMPILE) $(UPGRADE) --group build --constraint requirements-dev.lock --output-file requirements-build.lock

# What is installed is remembered by empty files in .venv; each step is done again when its lock changes.

$(VENV)/.made:
	@for python in $(PYTHON); do \
		"$$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
			2>/dev/null || continue; \
		"$$python" -m venv $(VENV) && touch $@; exit; \
	done; \
	echo "Crewdeck needs Python 3.11, 3.12 or 3.13 with its venv module (Debian: apt install python3-venv); \
	none of these is one: $(PYTHON). Name yours: make PYTHON=/path/to/python3" >&2; exit 1

$(VENV)/.runtime: requirements.lock requirements-build.lock | $(VENV)/.made
	@echo "Installing the locked dependencies into $(VENV); the first time takes a minute or two."
	@$(INSTALL) -r requirements.lock -r requirements-build.lock
	@$(BYTECODE)
	@touch $@

# Crewdeck itself, from these folders; with no index, for all it needs is there.
$(VENV)/.package: pyproject.toml $(VENV)/.runtime
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.package
	@echo "Installing the locked development tools into $(VENV)."
	@$(INSTALL) -r requirements-dev.lock
	@$(BYTECODE)
	@touch $@
