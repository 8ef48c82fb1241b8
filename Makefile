# `make lab` opens the quickstart, `make test` runs every test. Each target sets up what it needs
# (a .venv, Debian's Chromium) and is quick the second time. PYTHON names another interpreter.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JS_SOURCES := $(shell find js/src js/build.mjs js/package-lock.json -type f 2>/dev/null)
PORT ?= 8888
# In a container one is often root, which Jupyter refuses unless told that this is meant.
ROOT_FLAG := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: lab demo test package docs lint format bench clean openmp chromium

lab: $(VENV)/.lab openmp
	$(BIN)/jupyter lab $(ROOT_FLAG) --port $(PORT) examples/01_quickstart.ipynb $(LAB_FLAGS)

demo: $(VENV)/.lab openmp
	$(BIN)/python examples/demo.py build

test: $(VENV)/.test openmp chromium package
	$(BIN)/python -m pytest --ignore tests/package --numprocesses 2 --dist loadfile

# The wheel: built without any Node on the path, listed, installed in an empty environment.
package: $(VENV)/.test openmp
	$(BIN)/python -m pytest tests/package

# Strictly: a warning is an error, and a link between pages that leads nowhere is one.
docs: $(VENV)/.docs
	$(BIN)/sphinx-build -q -W --keep-going -E docs build/docs

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix js run check
	PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix js run build
	PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix js test

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench openmp chromium
	set -e; for bench in tests/bench/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench; done

clean:
	rm -rf $(VENV) build dist featrix_notebook/static featrix_notebook/labextension js/node_modules \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Featrix Notebook needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	touch $@

# The editable install runs the build hook, which bundles js/ into featrix_notebook, and gives
# JupyterLab its extension.
$(VENV)/.lab: $(VENV)/.venv pyproject.toml $(JS_SOURCES)
	$(BIN)/python -m pip install --quiet --editable '.[local]' --group lab
	touch $@

$(VENV)/.test: $(VENV)/.lab
	$(BIN)/python -m pip install --quiet --group test --group tools
	@test -d js/node_modules || PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix js ci --no-audit --no-fund
	touch $@

$(VENV)/.docs: $(VENV)/.lab
	$(BIN)/python -m pip install --quiet --group docs
	touch $@

$(VENV)/.bench: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --group bench
	touch $@

# Debian packages, installed only where they are absent: $(call apt,is it there?,packages)
apt = @$(1) || { \
  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
  $$sudo apt-get update -qq && \
  DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $(2) >/dev/null; } || { \
  echo "This needs: apt-get install $(2)"; exit 1; }

# LightGBM's wheel leaves the OpenMP runtime to the system.
openmp:
	$(call apt,/sbin/ldconfig -p 2>/dev/null | grep -q libgomp.so.1,libgomp1)

chromium:
	$(call apt,command -v chromium >/dev/null,chromium fonts-dejavu-core)
