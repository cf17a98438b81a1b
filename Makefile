# Everything a user or a machine does with this project; each target does the set-up that it needs.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.lock)
unexport PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED
export UV_LINK_MODE := copy
export UV_NO_PROGRESS := 1
JOBS ?= $(shell expr 4 \* $$(nproc))

APT_SETUP := xorriso rsync zstd bzip2 xz-utils
APT_BENCH := cedar-backup3 genisoimage
APT_TEST := gcc genisoimage gnupg libc6-dev libarchive-tools acl attr coreutils openssh-client openssh-server cedar-backup3 systemd cron \
  postgresql mariadb-server-core mariadb-client subversion liblockfile-bin btrfs-progs fdisk busybox gawk mawk gddrescue growisofs

.PHONY: help setup setup-test demo test test-long quick test-burner cedar-suite check format lint types layers fix bench \
  clean lock

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(VENV)/.done ## the program in .venv, and the tools it needs

$(VENV)/.done: requirements.lock pyproject.toml compat/pyproject.toml
	@scripts/need.sh $(APT_SETUP)
	@scripts/make-venv.sh $(PYTHON) $(VENV) $(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable . --editable compat
	@touch $@

setup-test: setup
	@scripts/need.sh $(APT_TEST)

demo: setup ## two days of this machine's files on a disc, proven, damaged, found, restored
	@scripts/demo.sh

test: setup-test ## the tests, but for the long ones
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not long"

test-long: setup-test ## tests that fail or kill every step, and write gigabytes
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m long

quick: setup-test ## tests that take less than two minutes together
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow"

test-burner: setup ## the emulated burner as a device of a real kernel, and a second emulator (root; Debian)
	@tests/burner/kernel/run.sh $(BURNER)

cedar-suite: setup ## how much of Cedar Backup's own tests the second distribution passes (CEDAR=sources of cedar-backup3)
	@CEDAR_SUITE="$(or $(CEDAR),$(CEDAR_SUITE))" $(BIN)/python -m scripts.cedar_suite $(if $(WHY),--why)

check: format lint types layers test ## what has to pass before anything lands

format: setup
	$(BIN)/ruff format --check .

lint: setup
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports

fix: setup ## format, and mend what can be mended by machine
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure collect, stage, store and restore beside their floors and beside Cedar Backup, the catalog, searches in it, and plans (BENCH="--json FILE")
	@scripts/need.sh $(APT_BENCH)
	$(BIN)/python bench/store.py $(BENCH)
	$(BIN)/python bench/catalog_bench.py
	$(BIN)/python bench/find.py
	$(BIN)/python bench/plan.py
	$(BIN)/python bench/collect.py
	$(BIN)/python bench/stage.py
	$(BIN)/python bench/restore.py

lock: setup ## renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --group dev --generate-hashes --no-header --universal \
	  --python-version 3.11 pyproject.toml --output-file requirements.lock

clean: ## remove what the targets above made in this folder
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo
