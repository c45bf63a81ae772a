# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
CHROMIUM ?= /usr/bin/chromium
PORT ?= 8000
export STARTRAIL_HOME ?= startrail-home

.PHONY: help install demo test lint bench screenshots system clean

help:
	@echo "make demo         install, build the demo world, serve it at http://localhost:$(PORT)/"
	@echo "make test         install, check style, types and rooms, run all tests"
	@echo "make lint         style, types and rooms only"
	@echo "make bench        every benchmark whose figures the README gives"
	@echo "make screenshots  every page, wide and phone, light and dark, into screenshots/"

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[world,dev]'
	touch $@

demo: install
	$(BIN)/startrail demo --port $(PORT)

# What the tests drive besides Python: a browser, a real PostgreSQL (its server binaries only) and nginx.
system:
	@if [ -x $(CHROMIUM) ] && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && command -v nginx >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && apt-get install -y -q chromium postgresql nginx-light; \
	else echo "The tests need Chromium at $(CHROMIUM) and PostgreSQL 15 or newer, and nginx: sudo apt-get install chromium postgresql nginx-light"; exit 1; fi

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: install system lint
	$(BIN)/pytest

bench: install
	@for file in benchmarks/*.py; do case $$file in */_*|*/leave_out.py|*/scaling.py|*/switches.py|*/screenshots.py) ;; *) echo "== $$file"; $(BIN)/python $$file || exit 1;; esac; done

screenshots: install system
	$(BIN)/python benchmarks/screenshots.py

clean:
	rm -rf $(VENV) startrail-home screenshots build
