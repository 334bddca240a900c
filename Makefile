# SPDX-License-Identifier: GPL-2.0-only
# make run | test | demo-check | dist | docs | lint | seams | news | check-upstream UPSTREAM=DIR
# make series | tree TREE=DIR | clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(CURDIR)/$(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
VERSION := $(shell sed -n "s/^__version__ = '\(.*\)'/\1/p" buildbot_overlay/__init__.py)
WHEEL := $(CURDIR)/dist/buildbot_interlock-$(VERSION)-py3-none-any.whl
SOURCES := setup.py pyproject.toml README.rst COPYING \
	$(shell find buildbot buildbot_overlay buildslave \
	-name '*.py' -o -name seams.txt -o -name '*.cfg')
INSTALL = $(PIP) install --upgrade
DEMO_PORT ?= 8010
DEMO_WORKER_PORT ?= 9989

ifneq ($(word 2,$(CURDIR)),)
$(error the path of the checkout has a space in it: $(CURDIR))
endif

.PHONY: run demo-check test dist docs lint seams news check-upstream series tree clean

run: $(VENV)/.bundle
	@$(BIN)/python contrib/demo/demo.py run \
		--port $(DEMO_PORT) --worker-port $(DEMO_WORKER_PORT)

demo-check: $(VENV)/.bundle
	@rm -rf $(VENV)/demo-check
	@$(BIN)/python contrib/demo/demo.py check --dir $(VENV)/demo-check --port 0 --worker-port 0

test: $(VENV)/.test
	@echo 'test: running the tests against the installed wheel (a minute or two)'
	@rm -rf $(VENV)/trial && mkdir $(VENV)/trial
	@cd $(VENV)/trial && \
		INTERLOCK_SOURCE=$(CURDIR) INTERLOCK_WHEEL=$(WHEEL) $(BIN)/trial buildbot.test
	@cd $(VENV)/trial && PYTHONPATH=$(CURDIR)/contrib/upstream $(BIN)/trial \
		--temp-directory _trial_temp_series series.test
	@$(MAKE) --no-print-directory demo-check

docs: $(VENV)/.docs
	@$(BIN)/sphinx-build -q -W --keep-going docs docs/_build/html
	@$(BIN)/towncrier build --draft --version $(VERSION) > docs/_build/next-news.rst
	@echo 'docs: see docs/_build/html/index.html'

lint: $(VENV)/.lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy buildbot_overlay buildslave contrib/bench/*.py contrib/demo/*.py \
		contrib/upstream/*.py contrib/upstream/series/*.py

# Writes what the release's source is now into buildbot/seams.txt; git diff shows what has changed.
seams: $(VENV)/.bundle
	@$(BIN)/python -m buildbot_overlay seams

news: $(VENV)/.docs
	@$(BIN)/towncrier build --yes --version $(VERSION)

dist: $(WHEEL)

check-upstream: $(WHEEL)
	@test -n '$(UPSTREAM)' || { echo 'make check-upstream UPSTREAM=DIR (a checkout of v4.3.0)'; exit 2; }
	@$(PYTHON) contrib/upstream/check.py '$(UPSTREAM)' $(WHEEL)

# The fork as patches to a checkout of Buildbot, or merged into it to be read; see docs/upstream.rst.
series: $(VENV)/.series
	@test -n '$(TREE)' || { echo 'make series TREE=DIR (a checkout of Buildbot)'; exit 2; }
	@PYTHONPATH=contrib/upstream $(BIN)/python -m series patches '$(TREE)' patches

tree: $(VENV)/.series
	@test -n '$(TREE)' || { echo 'make tree TREE=DIR (a checkout of Buildbot)'; exit 2; }
	@PYTHONPATH=contrib/upstream $(BIN)/python -m series tree '$(TREE)' patches

clean:
	rm -rf $(VENV) patches build dist *.egg-info contrib/demo/run check-upstream docs/_build

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { echo 'there is no $(PYTHON); set PYTHON=...'; exit 1; }
	@echo 'making $(VENV)'
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9) and "Python 3.9 or later is needed")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# What an earlier build left in build/ would end up in the wheel.
$(WHEEL): $(SOURCES) | $(BIN)/python
	@echo 'building the wheel'
	@rm -rf build dist
	@$(PIP) --quiet wheel --no-deps --wheel-dir dist .

$(VENV)/.bundle: $(WHEEL)
	@echo 'installing the wheel with the web page and the worker (a minute the first time)'
	@$(INSTALL) 'buildbot-interlock[bundle] @ file://$(WHEEL)'
	@$(PIP) --quiet install --no-deps --force-reinstall $(WHEEL)
	@touch $@

$(VENV)/.test: $(VENV)/.bundle
	@echo 'installing what the tests need'
	@$(INSTALL) 'buildbot-interlock[test,series] @ file://$(WHEEL)'
	@touch $@

$(VENV)/.docs: $(VENV)/.bundle
	@echo 'installing what the manual needs'
	@$(INSTALL) 'buildbot-interlock[docs] @ file://$(WHEEL)'
	@touch $@

$(VENV)/.lint: $(VENV)/.bundle
	@echo 'installing the linters'
	@$(INSTALL) 'buildbot-interlock[lint,series] @ file://$(WHEEL)'
	@touch $@

$(VENV)/.series: $(VENV)/.bundle
	@echo 'installing what the series needs'
	@$(INSTALL) 'buildbot-interlock[series] @ file://$(WHEEL)'
	@touch $@
