# make demo and make test each do all set-up on a machine that has Python >= 3.11 and make.

VENV := .venv
RUN := $(VENV)/bin/python
PYTHON ?= python3
CANDIDATES := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11

# Where bytecode may not lie beside its source, it is kept with the venv: each process would compile all of it again.
ifneq ($(PYTHONDONTWRITEBYTECODE),)
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(abspath $(VENV))/bytecode
endif

# What pip installed is out of date when one of these has changed.
STATED := pyproject.toml Makefile

# A .venv whose Python has gone is made again, whatever its stamps say.
ifneq ($(shell test -x $(RUN) && echo there),there)
STATED += again
endif

# Of one Python: too old is 2, no venv is 3. Run, not looked up: a shim may stand for nothing.
define FITS
import sys
if sys.version_info < (3, 11): sys.exit(2)
try: import ensurepip, venv
except ImportError: sys.exit(3)
endef
export FITS

define VENV_MADE
set -e; \
if "$(RUN)" -c "$$FITS" 2>/dev/null && "$(RUN)" -m pip --version >/dev/null 2>&1; then exit 0; fi; \
found=; bare=; \
for candidate in $(CANDIDATES); do \
	status=0; "$$candidate" -c "$$FITS" >/dev/null 2>&1 || status=$$?; \
	if [ $$status = 0 ]; then found=$$candidate; break; fi; \
	if [ $$status = 3 ] && [ -z "$$bare" ]; then bare=$$candidate; fi; \
done; \
if [ -z "$$found" ] && [ -n "$$bare" ]; then \
	version=$$("$$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	echo "MeshMQ needs Python's venv, which $$bare lacks: install python$$version-venv (Debian, Ubuntu: apt install python$$version-venv) and run make again." >&2; \
	exit 1; \
fi; \
if [ -z "$$found" ]; then \
	echo "MeshMQ needs Python 3.11 or newer with venv, and none is on the PATH: install python3.11 and python3.11-venv (or newer) and run make again, or name one with make PYTHON=/path/to/python3." >&2; \
	exit 1; \
fi; \
echo "Setting up $(VENV) with $$found (once) ..."; \
"$$found" -m venv --clear "$(VENV)"
endef

PIP := $(RUN) -m pip --disable-pip-version-check --quiet --no-input install

.PHONY: help demo test stress simulate faults check bench clean again
.NOTPARALLEL:
.DEFAULT_GOAL := help

help:
	@echo "make demo    the main job on real input: a pipeline of five processes, one is killed"
	@echo "             (make demo DEVICE=1 has a device in between, which is killed, too)"
	@echo "make test    the tests: no root, no multicast, no compiler needed"
	@echo "make stress  the tests with all repetitions and sizes (about an hour on two cores)"
	@echo "make simulate SEEDS=10000   so many meshes in virtual time (about 20 a second and core); the first that fails"
	@echo "             is told with the command that runs it again; it stops by itself after LIMIT=1800 seconds"
	@echo "make faults  cut, lossy and slow networks, kills, stops: what becomes of everything (root, 5 minutes)"
	@echo "make check   format, lint, types, architecture"
	@echo "make bench   speed, as ratios to what people would pick instead, where installed (BENCH=\"--only push --rounds 2\")"
	@echo "make clean   forget what was built, the .venv too"

# Two stamps: the demo needs the package alone; whoever has the tools has the package, too.
$(VENV)/.run: $(STATED)
	@$(VENV_MADE)
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(STATED)
	@$(VENV_MADE)
	@$(PIP) -e ".[dev]"
	@touch $(VENV)/.run $@

demo: $(VENV)/.run
	@$(RUN) examples/name_count $(if $(DEVICE),--device)

test: $(VENV)/.dev
	@$(RUN) -m pytest -m "not stress" --numprocesses=4 --dist=worksteal

# First what does not care how busy the machine is; then, two at a time, what waits for its processes most of the time
# and computes for a third of it; then, one at a time, what kills, stops and measures processes.
STRESS := MESHMQ_STRESS=1 $(RUN) -m pytest --timeout=900 -o faulthandler_timeout=1800

WAITS := $(addprefix tests/network/test_,discovery.py exit.py running.py topics_first.py)

stress: $(VENV)/.dev
	@$(STRESS) --numprocesses=3 --dist=worksteal --ignore=tests/network --ignore=tests/faults --ignore=tests/bench
	@$(STRESS) --numprocesses=2 --dist=worksteal $(WAITS)
	@$(STRESS) tests/network tests/faults tests/bench $(addprefix --ignore=,$(WAITS))

faults: $(VENV)/.dev
	@$(RUN) -m tests.faults

# The measure: 5 nodes, 300 jobs, 3 faults each; and for every fourth seed jobs of every fate, and durable topics.
SEEDS ?= 1000
FIRST ?= 0
LIMIT ?= 1800
CORES := $(shell nproc 2>/dev/null || echo 2)
SIMULATE := $(RUN) -m meshmq.testing --seed $(FIRST) --processes $(CORES) --limit $(LIMIT)

simulate: $(VENV)/.run
	@$(SIMULATE) --scenario meshmq.testing:Trial --count $(SEEDS)
	@$(SIMULATE) --scenario meshmq.testing:Fates --count $$((($(SEEDS) + 3) / 4))

check: $(VENV)/.dev
	@$(RUN) -m ruff format --check --quiet . || { echo "format: run $(RUN) -m ruff format ." >&2; exit 1; }
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m mypy --no-error-summary
	@$(RUN) -m pytest --quiet tests/test_architecture.py

bench: $(VENV)/.dev
	@mkdir -p build
	@$(RUN) tests/bench --plot build/bench.png $(BENCH)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
