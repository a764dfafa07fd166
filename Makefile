# The two that a newcomer needs are `make run` and `make test`; `make help` lists the rest.
# All work from any directory (`make -C`), can be repeated, and need Python 3.11, make and git. PYTHON=... picks another Python.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
ifneq ($(ROOT),$(CURDIR))
# `make -f elsewhere/Makefile`: everything below is relative to the project.
%: ; @$(MAKE) -C $(ROOT) $@
else

RUN_VENV := $(ROOT)/.venv-run
DEV_VENV := $(ROOT)/.venv
BIN := $(DEV_VENV)/bin
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
# What is run from here must be what lies here, whatever is installed elsewhere.
IN_DEV := PATH="$(BIN):$$PATH" ANSIBLE_CONFIG="$(ROOT)/ansible.cfg"

# What tests need of Debian besides Python: two container engines and a name server for the second one's networks, what
# test images are built from, a browser, a terminal, the tools that make small hosts and full disks, and servers that
# check the configuration that roles write for them.
TEST_PACKAGES := docker.io podman runc netavark aardvark-dns busybox-static ca-certificates iproute2 procps uidmap \
	fuse-overlayfs slirp4netns gcc libc6-dev chromium tmux openssl openssh-client openssh-server docker-registry \
	prometheus prometheus-alertmanager postgresql

# What `make test` makes, the longest first; one more at a time than there are processors, because much of it is waiting.
SECTIONS := integration e2e molecule sanity chaos unit lint types docs
# Of these a test may fail because the machine stood still. One that fails is made once more, alone, and the summary says
# so; of pytest's then only the files that failed (AGAIN is what sections.py sets).
TIMING := integration e2e molecule chaos unit
PYTEST = $(BIN)/python -m pytest -o cache_dir=.pytest_cache/$@ $(if $(AGAIN),-p tools.failed_files)

.PHONY: help run uninstall test lint types docs site unit integration e2e chaos molecule sanity benchmark format clean \
	image run-venv dev-venv test-packages

help: ## list what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

run: run-venv ## install and start the solo platform; what it cannot install here it names, with the remedy
	@code=0; $(RUN_VENV)/bin/provisioning-run --config examples/solo.toml || code=$$?; \
	if [ $$code -eq 4 ]; then code=0; fi; exit $$code # 4: installed, but for services that are not required

uninstall: ## undo `make run`; data is kept unless purge=true
	@if [ ! -d "$(RUN_VENV)" ] && [ ! -d "$$HOME/.provisioning$(if $(purge),,/services)" ]; then echo "Nothing is installed."; exit 0; fi; \
	if [ ! -x "$(RUN_VENV)/bin/ansible-playbook" ]; then $(MAKE) run-venv; fi; \
	ANSIBLE_CONFIG="$(ROOT)/ansible.cfg" $(RUN_VENV)/bin/ansible-playbook playbooks/uninstall.yml \
		-e @examples/solo.yml $(if $(purge),-e purge=$(purge)) && \
	rm -rf "$(RUN_VENV)"

test: test-packages dev-venv ## everything below: linters, types, every test
	@tools/python.sh >/dev/null
	@MAKE="$(MAKE)" $(DEV_VENV)/bin/python tools/with_docker.py \
		$(DEV_VENV)/bin/python tools/sections.py --jobs $$(($(JOBS) + 1)) --once-more $(TIMING) -- $(SECTIONS)

lint: dev-venv ## ruff, yamllint, antsibull-changelog, ansible-lint (profile production)
	@export $(IN_DEV); failed=; \
	ruff check . || failed=1; \
	ruff format --check . || failed=1; \
	yamllint --strict . || failed=1; \
	antsibull-changelog lint || failed=1; \
	ansible-lint || failed=1; \
	[ -z "$$failed" ]

types: dev-venv ## mypy --strict over the engine and the packages
	@$(BIN)/mypy

docs: dev-venv ## ansible-doc renders every plugin and role; the site is built without a warning
	@$(IN_DEV) tools/docs.sh
	@$(IN_DEV) tools/site.sh

site: dev-venv ## the pages for users and the references as a site in build/site
	@$(IN_DEV) tools/site.sh

unit: dev-venv ## unit tests
	@$(IN_DEV) $(PYTEST) tests/unit -n $(JOBS)

integration: dev-venv ## tests against real engines, servers and processes
	@$(IN_DEV) $(BIN)/python tools/with_docker.py $(PYTEST) tests/integration

e2e: dev-venv ## whole installations
	@$(IN_DEV) $(BIN)/python tools/with_docker.py $(PYTEST) tests/e2e

chaos: dev-venv ## services killed at random under the supervisor; PROVISIONING_CHAOS_SECONDS=600 for long
	@$(IN_DEV) $(PYTEST) tests/chaos

molecule: test-packages dev-venv ## molecule scenarios: one for each mode, and for each container engine
	@$(IN_DEV) $(BIN)/python tools/with_docker.py \
		molecule --base-config .config/molecule/config.yml test --all

sanity: dev-venv ## ansible-test sanity
	@tools/sanity.sh $(BIN)/python

benchmark: test-packages dev-venv ## measure this beside its rivals; takes a quarter of an hour on a quiet machine
	@export $(IN_DEV) DOCKER_CONFIG="$$(tools/compose.sh $(BIN)/python)"; \
	for program in core cli logs processes playbook containers supervisor; do \
		python tools/with_docker.py python -m benchmarks.$$program; \
	done

image: dev-venv ## build the image of the platform's own services; BASE=, IMAGE=, ENGINE=, OFFLINE=true
	@$(IN_DEV) tools/image.sh

format: dev-venv ## bring Python files into the form that lint asks for
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

clean: ## remove the environment of development, builds and caches; what is installed stays
	@rm -rf .venv .ansible .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist tests/output
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

run-venv:
	@tools/install.sh $(RUN_VENV) run

dev-venv:
	@tools/install.sh $(DEV_VENV) dev

test-packages:
	@tools/packages.sh $(TEST_PACKAGES)

endif
