# Needs Python >= 3.11, make and a package index. Another interpreter: PYTHON=python3.12 make verify
PYTHON ?= python3
UV ?= uv
VERIFY_ARGS ?=
PYTEST_ARGS ?= -n auto
BENCH_ARGS ?=
CAMPAIGN_ARGS ?= --budget 10m
LOCK_ARGS ?=

BIN := .venv/bin
# One stamp an interpreter: naming another one rebuilds the environment.
READY := .venv/ready-$(subst /,_,$(PYTHON))
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help verify test bench campaign docs baseline lint format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

verify: $(READY) ## verify every theorem on the gallery, write reports/latest/ (VERIFY_ARGS)
	@$(BIN)/theorems verify $(VERIFY_ARGS)

test: $(READY) ## run the tests on all cores (PYTEST_ARGS, default: -n auto)
	@$(BIN)/pytest $(PYTEST_ARGS)

bench: $(READY) ## time the benchmarks against their peers (BENCH_ARGS)
	@$(BIN)/pytest benchmarks --benchmark-enable $(BENCH_ARGS)

campaign: $(READY) ## search for counterexamples, go on where it was left (CAMPAIGN_ARGS, default: --budget 10m)
	@$(BIN)/theorems campaign --resume $(CAMPAIGN_ARGS)

docs: $(READY) ## write a page of every claim, in reports/claims/
	@$(BIN)/theorems show --html

baseline: $(READY) ## make the run in reports/latest/ the baseline that later runs are compared with
	@test -f reports/latest/report.json || { echo "make baseline: no run in reports/latest; make verify" >&2; exit 1; }
	@mkdir -p reports/baseline && cp reports/latest/report.json reports/baseline/report.json

lint: $(READY) ## check style, format and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(READY) ## apply the format and the safe fixes
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

lock: ## resolve requirements.lock again with uv (LOCK_ARGS=--upgrade for newer versions)
	@command -v $(UV) >/dev/null || { echo "make lock: uv not found; install it or name it: UV=/path/to/uv make lock" >&2; exit 1; }
	@$(UV) pip compile --quiet pyproject.toml --group dev --output-file requirements.lock \
	    --universal --python-version 3.11 --fork-strategy fewest \
	    --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK_ARGS)
	@! grep -n '://' requirements.lock || { echo "make lock: requirements.lock names a host" >&2; exit 1; }

clean: ## remove the environment, caches and generated reports
	@rm -rf .venv reports/latest reports/prediction reports/campaign reports/claims dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Removed only with .venv: a changed lock or pyproject.toml updates the environment in place.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { echo "make: $(PYTHON) is not a Python >= 3.11; name one: PYTHON=python3.12 make ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "make: $(PYTHON) cannot create environments; install its venv module (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@test -e $@ || { echo "creating .venv ..." >&2; $(PYTHON) -m venv --clear .venv; }
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@
