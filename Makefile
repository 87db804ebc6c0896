# make quickstart    set up, and see ganzoo at work in about a minute
# make test          set up, and run all checks: ruff, pyright, pytest
# make docs          the documentation as a site, in site/
# make dist          wheels of every distribution in dist/, checked for the package index

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# every extra: an optional package's types and tests are checked, too
EXTRAS := features,fid,text,demo,export,video,hf,html,tensorboard,wandb,trackio
PLUGINS := $(sort $(wildcard plugins/*))
PROJECTS := pyproject.toml model_cards/pyproject.toml $(wildcard plugins/*/pyproject.toml)

.PHONY: help quickstart test lint types format docs dist zoo publish clean

help:
	@sed -n 's/^# //p' Makefile

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ganzoo needs Python 3.11 or newer, and $(PYTHON) is %d.%d; try: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@touch $@

# torch and torchvision come with the first install: some gigabytes, a few minutes
$(VENV)/.installed: $(VENV)/.made $(PROJECTS)
	$(BIN)/python -m pip install --quiet --editable . --editable ./model_cards $(PLUGINS:%=--editable ./%)
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]' --group dev
	@touch $@

quickstart: $(VENV)/.installed
	$(BIN)/ganzoo quickstart

lint: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.tested
	$(BIN)/pyright

test: lint types
	$(BIN)/python -m pytest --numprocesses=2

format: $(VENV)/.tested
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.documented: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

docs: $(VENV)/.documented
	$(BIN)/mkdocs build --strict --site-dir site

dist: $(VENV)/.tested
	rm -rf dist
	for project in . model_cards $(PLUGINS); do $(BIN)/python -m build --no-isolation --outdir dist $$project || exit 1; done
	$(BIN)/twine check --strict dist/*

# trains every published model anew, one after the other; see scripts/zoo.py
zoo: $(VENV)/.tested
	$(BIN)/python scripts/zoo.py

# checks every published model and says where it would go: make publish HUB=my-name; sends
# them with FOR_REAL=1
HUB ?= ganzoo
publish: $(VENV)/.installed
	$(BIN)/python scripts/publish.py $(HUB) $(if $(FOR_REAL),--for-real)

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis site dist
