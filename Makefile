# One command each; every command does its own set-up first. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Tried in this order to make .venv; the unit and probe tests run on each of PYTHONS that works.
BASE_PYTHONS := 3.11 3.12 3.13 3.14 3
PYTHONS ?= 3.11 3.13

# $(call find_python,VERSION...): the first interpreter that starts and is 3.11 or newer. What the
# PATH holds may be a pyenv shim that refuses to run, so each one is tried, then pyenv is asked.
find_python = $(shell for v in $(1); do \
	for p in "python$$v" "$$(pyenv prefix $$v 2>/dev/null)/bin/python"; do \
	"$$p" -c 'import ensurepip, sys, venv; v = sys.argv[1] + "."; \
	ok = sys.version_info >= (3, 11) and sys.version.split()[0].startswith(v); \
	sys.exit(0 if ok and not print(sys.executable) else 1)' "$$v" 2>/dev/null && exit; \
	done; done)

VENV := .venv
PYTHON := $(VENV)/bin/python
UV := $(VENV)/bin/uv
PYTEST := $(PYTHON) -m pytest
PARALLEL ?= -n 2 --dist=worksteal
CODE = $(wildcard app.py stacks lambdas certifier sandbox smoke handbook tests bench)

# A folder that holds no test fails (pytest's exit status 5).
UNIT_TESTS := tests/unit tests/docs $(wildcard tests/test_*.py)
PROBE_TESTS := tests/probe
ADAPTER_TESTS := tests/aws tests/sandbox tests/contract $(wildcard tests/lambdas)
TEMPLATE_TESTS := tests/stacks
BROWSER_TESTS := tests/browser
SCENARIO_TESTS := tests/scenarios
SERVED_TESTS := tests/served

# What the functions have needed while the scenarios ran, and what became of it.
AUDIT := build/audit

export UV_SYSTEM_CERTS ?= true
# Every worker imports moto and CDK: from source text alone, that takes seconds each time.
unexport PYTHONDONTWRITEBYTECODE
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 1

##@ Use
.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/.stamp node_modules/.stamp wheelhouse/.stamp ## environment, npm packages and the layer's wheels, from the locks

.PHONY: demo
demo: setup ## the whole job on this machine: onboard, recertify, rotate, refuse
	$(PYTHON) -m sandbox

.PHONY: sandbox
sandbox: setup .venv-awscli/.stamp ## an AWS account on this machine, to try every command in: SANDBOX="--speed 60"
	@$(PYTHON) -m sandbox serve $(SANDBOX)

.PHONY: synth
synth: setup ## the CloudFormation template, into cdk.out/
	npx cdk synth --quiet --no-notices

.PHONY: template
template: setup ## the same with its assets, for `aws cloudformation package`, into build/template/: TEMPLATE="certifier:batch=20"
	$(PYTHON) -m stacks.template build/template $(TEMPLATE)

##@ Check
.PHONY: test
test: setup ## all checks and tests, fastest first
	$(MAKE) format-check
	$(MAKE) lint
	$(MAKE) types
	$(MAKE) unit
	$(MAKE) -j2 probe other-days
	$(MAKE) adapters
	$(MAKE) synthesized
	$(MAKE) browser
	$(MAKE) scenarios
	$(MAKE) served
	$(MAKE) other-pythons

.PHONY: format-check
format-check: $(VENV)/.stamp
	$(PYTHON) -m ruff format --check $(CODE)

.PHONY: lint
lint: $(VENV)/.stamp ## ruff's rules
	$(PYTHON) -m ruff check $(CODE)

.PHONY: types
types: $(VENV)/.stamp ## mypy, strict
	$(PYTHON) -m mypy $(CODE)

.PHONY: unit
unit: $(VENV)/.stamp ## the pure core, without network
	$(PYTEST) $(PARALLEL) $(UNIT_TESTS)

.PHONY: probe
probe: setup ## the probe against real servers and real libpq
	$(PYTEST) $(PARALLEL) $(PROBE_TESTS)

.PHONY: adapters
adapters: setup ## AWS adapters, stand-ins and Lambda handlers
	$(PYTEST) $(PARALLEL) $(ADAPTER_TESTS)

.PHONY: synthesized
synthesized: setup ## the synthesized template and the state machine
	$(PYTEST) $(PARALLEL) $(TEMPLATE_TESTS)

.PHONY: browser
browser: setup ## the pages in a real browser; pictures of them in build/browser
	$(PYTEST) $(PARALLEL) $(BROWSER_TESTS)

.PHONY: scenarios
scenarios: setup ## end to end in the sandbox; then each right must have been used, and each use granted
	rm -rf $(AUDIT)
	CERTIFIER_AUDIT=$(AUDIT) $(PYTEST) $(PARALLEL) $(SCENARIO_TESTS)
	@$(PYTHON) -m sandbox.audit $(AUDIT) > $(AUDIT).md

.PHONY: served
served: setup .venv-awscli/.stamp ## the served account, with the aws command and boto3's waiters
	$(PYTEST) $(PARALLEL) --dist=loadfile $(SERVED_TESTS)

# The unit and adapter tests again on other days, in tests/days.py's words, a process for each day;
# those of the source itself, which has no clock, are left out, and fewer examples are drawn. On
# other-days, what does not know dates or takes long runs on one of the days, or with one of its many
# cases on each; every-day takes a few minutes. `make test` runs them beside the probe's tests, which
# mostly wait for servers: they take what is left of the processors (nice), and cost seconds more.
DAYS ?= +40,+400,+4000,29-feb
ON_DAYS = CERTIFIER_DAYS=$(DAYS) nice -n 19 $(PYTHON) -m tests.on_days \
	tests/unit tests/docs tests/test_days.py $(ADAPTER_TESTS)
.PHONY: other-days
other-days: setup ## unit and adapter tests on other days than today
	CERTIFIER_TURNS=1 $(ON_DAYS)

# The unit and probe tests again, on the interpreters of PYTHONS other than .venv's own. One that
# was asked for by name must be there.
OWN = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
OTHERS = $(filter-out $(OWN),$(PYTHONS))
WORKING = $(foreach v,$(OTHERS),$(if $(call find_python,$v),$v))
MISSING = $(filter-out $(WORKING),$(OTHERS))
.PHONY: other-pythons
other-pythons: setup
	@$(if $(and $(MISSING),$(filter-out file,$(origin PYTHONS))),echo "no working Python $(MISSING)"; exit 1)
	@for v in $(WORKING); do \
		$(MAKE) .venv-$$v/.stamp && $(MAKE) unit probe PYTHON=.venv-$$v/bin/python || exit 1; \
	done
	@echo "unit and probe tests ran on Python: $(OWN) $(WORKING)$(if $(MISSING), (not found: $(MISSING)))"

##@ Longer runs
.PHONY: fuzz
fuzz: setup ## thousands of certificates, CAs, hosts and modes against libpq; thousands of servers out of a grammar
	CERTIFIER_CASES=20000 $(PYTEST) --timeout=7200 $(PROBE_TESTS) -k "differential or fuzzed"

.PHONY: chaos
chaos: setup ## every fault at every call and state of every story; thousands of cases of two things at once
	CERTIFIER_CHAOS=all $(PYTEST) $(PARALLEL) --timeout=3600 $(SCENARIO_TESTS) -k "cut_off or two_things_at_once or for_hours or taken_away or onboarded_at_once or function_dies"

.PHONY: audit
audit: ## the table of rights of the last `make scenarios`: function, action, resource, condition, scenario
	@test -d $(AUDIT) || $(MAKE) scenarios >&2
	@$(PYTHON) -m sandbox.audit $(AUDIT)

.PHONY: every-day
every-day: setup ## unit and adapter tests, all of them on every one of DAYS
	$(ON_DAYS)

.PHONY: smoke
smoke: $(VENV)/.stamp ## the contract tests against a real account: SMOKE="--instance ..."
	$(PYTHON) -m smoke $(SMOKE)

.PHONY: bench
bench: setup .venv-bench/.stamp ## the benchmarks and their peers
	for b in $(wildcard bench/*.py); do $(PYTHON) -m bench.$$(basename $$b .py) || exit 1; done

##@ Keep
.PHONY: format
format: $(VENV)/.stamp ## ruff's formatter and safe fixes
	$(PYTHON) -m ruff format $(CODE)
	$(PYTHON) -m ruff check --fix $(CODE)

.PHONY: docs
docs: $(VENV)/.stamp ## write the generated documents again
	$(PYTHON) -m handbook

.PHONY: picture
picture: setup .venv-awscli/.stamp ## draw docs/picture.svg again, from a session with a served account
	$(PYTHON) -m sandbox picture

COMPILE = $(UV) pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate
.PHONY: lock
lock: $(VENV)/.stamp ## resolve the requirements again (UPGRADE=--upgrade for newer ones)
	$(COMPILE) $(UPGRADE) --universal --python-version 3.11 requirements-dev.txt -o requirements-dev.lock
	$(COMPILE) --universal --python-version 3.11 -c requirements-dev.lock requirements.txt -o requirements.lock
	$(COMPILE) --python-version 3.13 --python-platform aarch64-manylinux_2_28 \
		-c requirements-dev.lock lambdas/requirements.txt -o lambdas/requirements.lock
	npm install --package-lock-only

.PHONY: trust
trust: $(VENV)/.stamp ## the roots of RDS again from AWS, over the network; look at the difference
	$(PYTHON) -m certifier.roots

.PHONY: clean
clean: ## what runs and tools left behind; `git clean -fdX` takes the set-up too
	rm -rf cdk.out build .mypy_cache .ruff_cache .pytest_cache .hypothesis .sandbox
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +

# Set-up. Each folder carries its own stamp, so that a lock that changed, or a folder that was
# deleted, is all it takes. uv comes from the lock too, by pip; it installs the rest, unless only
# pip has been configured with a mirror.
.venv/.stamp: requirements-dev.lock
	$(call make_venv,.venv,$(BASE_PYTHONS))
.venv-%/.stamp: requirements-dev.lock
	$(call make_venv,.venv-$*,$*)

define make_venv
	@python='$(call find_python,$(2))'; \
	if [ -z "$$python" ]; then echo "no working Python $(2) found"; exit 1; fi; \
	echo "$(1): $$("$$python" --version)"; \
	$(1)/bin/python -c '' 2>/dev/null || "$$python" -m venv --clear $(1)
	@awk '/^[a-z]/ { on = /^uv==/ } on' requirements-dev.lock > $(1)/uv.lock
	@$(1)/bin/uv --version >/dev/null 2>&1 || $(1)/bin/python -m pip install --quiet \
		--disable-pip-version-check --require-hashes --no-deps -r $(1)/uv.lock
	$(1)/bin/uv pip sync --quiet --require-hashes --python $(1)/bin/python requirements-dev.lock \
		|| $(1)/bin/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@
endef

# The peers of the benchmarks pin other versions than we do, so they live by themselves.
.venv-bench/.stamp: bench/requirements.txt | .venv/.stamp
	$(PYTHON) -m venv --clear .venv-bench
	$(UV) pip install --quiet --python .venv-bench/bin/python -r bench/requirements.txt
	@touch $@

# The aws command wants another botocore, so it lives by itself too.
.venv-awscli/.stamp: sandbox/serve/requirements.txt | .venv/.stamp
	$(PYTHON) -m venv --clear .venv-awscli
	$(UV) pip install --quiet --python .venv-awscli/bin/python -r sandbox/serve/requirements.txt
	@touch $@

node_modules/.stamp: package-lock.json .npmrc
	npm ci --no-progress --loglevel=error
	@touch $@

# The layer's wheels for Lambda's Python and processor, whatever this machine's are.
wheelhouse/.stamp: lambdas/requirements.lock | .venv/.stamp
	rm -rf wheelhouse
	$(PYTHON) -m pip download -qq --disable-pip-version-check --no-deps --require-hashes \
		--only-binary=:all: --implementation cp --python-version 3.13 \
		--platform manylinux_2_28_aarch64 --platform manylinux2014_aarch64 \
		--dest wheelhouse -r lambdas/requirements.lock
	@touch $@
