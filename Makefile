# SPDX-License-Identifier: GPL-2.0-only
#
# make run                          the demo: a master and two workers on a small git repository
# make demo-check                   the demo, judged by machine
# make test                         the tests, against the installed wheel, and demo-check
# make faults                       what real processes do when killed, frozen, without a database (an hour)
# make storm SEEDS=1000             random histories; or SEEDS=200-300, or SECONDS=3600
# make lint                         style and types
# make docs                         the manual
# make dist                         the wheel
# make www                          the Locks page, built from its sources and tested (needs npm)
# make seams                        write the fingerprints of Buildbot's source into seams.txt
# make news                         newsfragments into NEWS
# make check-upstream UPSTREAM=DIR  Buildbot's own suite with and without Interlock
# make series TREE=DIR              Interlock as patches to a checkout of Buildbot
# make series-types TREE=DIR        mypy on each commit that make series has made there
# make series-tests TREE=DIR        Buildbot's own tests at each of them: ONLY=package FROM=n TO=m CHANGED=1 FIXES=1 MANUAL=1
# make fixes TREE=DIR               fixes of Buildbot itself, as patches to a checkout of it
# make check-fixes TREE=DIR         each of them tried on that checkout by itself (half an hour)
# make tree TREE=DIR                Interlock merged into a checkout of Buildbot
# make clean                        remove all that these have made
# make help                         this list
#
# Any of them takes PYTHON=python3.9 and VENV=DIR; test takes JOBS=N, to run its tests in N processes; run
# takes DEMO_PORT=N and DEMO_WORKER_PORT=N.

PYTHON ?= python3
VENV ?= .venv
BIN := $(CURDIR)/$(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
VERSION := $(shell sed -n "s/^__version__ = '\(.*\)'/\1/p" buildbot_overlay/__init__.py)
WHEEL := $(CURDIR)/dist/buildbot_interlock-$(VERSION)-py3-none-any.whl
PAGE := www/locks_view
SOURCES := setup.py pyproject.toml README.rst COPYING \
	$(shell find buildbot buildbot_overlay buildslave $(PAGE)/buildbot_locks_view \
	-name '*.py' -o -name seams.txt -o -name '*.cfg' -o -path '*/static/*')
INSTALL := $(BIN)/python contrib/install.py
# pip does not install another wheel of the same version by itself
AGAIN = $(if $(wildcard $(VENV)/lib/*/site-packages/buildbot_overlay),\
	$(PIP) install --no-compile --no-deps --force-reinstall $(WHEEL),:)
JOBS ?=
DEMO_PORT ?= 8010
DEMO_WORKER_PORT ?= 9989

# What pip installs is not compiled: who imports it first does that, and keeps it for all others.
export PYTHONDONTWRITEBYTECODE :=
# Hypothesis keeps here what it has found to fail, and tables that take seconds to make.
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/$(VENV)/hypothesis

ifneq ($(word 2,$(CURDIR)),)
$(error the path of the checkout has a space in it: $(CURDIR))
endif

.PHONY: run demo-check test storm faults lint docs dist www seams news check-upstream series series-types \
	series-tests tree fixes check-fixes clean help

run: $(VENV)/.bundle
	@$(BIN)/python contrib/demo/demo.py run \
		--port=$(DEMO_PORT) --worker-port=$(DEMO_WORKER_PORT)

demo-check: $(VENV)/.bundle
	@rm -rf $(VENV)/demo-check
	@$(BIN)/python contrib/demo/demo.py check --dir $(VENV)/demo-check --port 0 --worker-port 0

test: $(VENV)/.test
	@echo 'test: running the tests against the installed wheel (five to ten minutes)'
	@rm -rf $(VENV)/trial && mkdir $(VENV)/trial
	@cd $(VENV)/trial && \
		INTERLOCK_SOURCE=$(CURDIR) INTERLOCK_WHEEL=$(WHEEL) $(BIN)/trial $(if $(JOBS),-j$(JOBS)) buildbot.test
	@cd $(VENV)/trial && PYTHONPATH=$(CURDIR)/contrib/upstream:$(CURDIR)/contrib/demo \
		INTERLOCK_SOURCE=$(CURDIR) $(BIN)/trial --temp-directory _trial_temp_contrib \
		series.test test_check test_demo
	@$(MAKE) --no-print-directory demo-check

# The tests say what they measure; what they said once is in docs/reliability.rst.
faults: $(VENV)/.test
	@echo 'faults: killing, freezing and starving real processes (about an hour)'
	@rm -rf $(VENV)/faults && mkdir $(VENV)/faults
	@cd $(VENV)/faults && PYTHONPATH=$(CURDIR)/contrib/faults FAULTS_FIGURES=1 \
		$(BIN)/trial buildbot.test.integration.test_faults test_workers test_database test_many

storm: $(VENV)/.test
	@$(BIN)/python contrib/storm/storm.py $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(SECONDS),--seconds $(SECONDS))

docs: $(VENV)/.docs
	@$(BIN)/sphinx-build -q -W --keep-going docs docs/_build/html
	@$(BIN)/towncrier build --draft --version $(VERSION) > docs/_build/next-news.rst \
		2> docs/_build/towncrier.log || { cat docs/_build/towncrier.log; exit 1; }
	@echo 'docs: see docs/_build/html/index.html'

lint: $(VENV)/.lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy buildbot_overlay buildslave contrib/*.py contrib/bench/*.py contrib/demo/*.py \
		contrib/faults/*.py contrib/storm/*.py contrib/upstream/*.py \
		contrib/upstream/series/*.py

# What is built is committed: installing the wheel needs no npm.
www: $(PAGE)/node_modules/.package-lock.json
	@echo 'www: checking the types, building'
	@cd $(PAGE) && npm run --silent build -- --logLevel warn
	@echo 'www: testing'
	@cd $(PAGE) && npm run --silent test
	@echo 'www: the page is in $(PAGE)/buildbot_locks_view/static'

# Writes what Buildbot's source is now into buildbot/seams.txt; git diff shows what has changed.
seams: $(VENV)/.bundle
	@$(BIN)/python -m buildbot_overlay seams

news: $(VENV)/.docs
	@$(BIN)/towncrier build --yes --version $(VERSION)

dist: $(WHEEL)
	@echo 'dist: the wheel is $(WHEEL)'

check-upstream: $(WHEEL)
	@test -n '$(UPSTREAM)' || { echo 'make check-upstream UPSTREAM=DIR (a checkout of v4.3.0)'; exit 2; }
	@$(PYTHON) contrib/upstream/check.py '$(UPSTREAM)' $(WHEEL)

# Interlock as patches to a checkout of Buildbot, or merged into it to be read; see docs/upstream.rst.
series: $(VENV)/.series
	@test -n '$(TREE)' || { echo 'make series TREE=DIR (a checkout of Buildbot)'; exit 2; }
	@PYTHONPATH=contrib/upstream $(BIN)/python -m series patches '$(TREE)' patches

series-types: $(VENV)/.series
	@test -n '$(TREE)' || { echo 'make series-types TREE=DIR (where make series was)'; exit 2; }
	@PYTHONPATH=contrib/upstream $(BIN)/python -m series types '$(TREE)' patches

series-tests: $(VENV)/.series
	@test -n '$(TREE)' || { echo 'make series-tests TREE=DIR (where make series was)'; exit 2; }
	@PYTHONPATH=contrib/upstream $(BIN)/python -m series tests '$(TREE)' patches $(if $(ONLY),--only $(ONLY)) \
		$(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO)) $(if $(CHANGED),--changed) $(if $(FIXES),--fixes) $(if $(MANUAL),--manual)

tree: $(VENV)/.series
	@test -n '$(TREE)' || { echo 'make tree TREE=DIR (a checkout of Buildbot)'; exit 2; }
	@PYTHONPATH=contrib/upstream $(BIN)/python -m series tree '$(TREE)' patches

fixes: $(VENV)/.series
	@test -n '$(TREE)' || { echo 'make fixes TREE=DIR (a checkout of Buildbot)'; exit 2; }
	@PYTHONPATH=contrib/upstream $(BIN)/python -m series.fixes '$(TREE)' patches/fixes

# PYTHON is one that Buildbot's own tests run with.
check-fixes: fixes
	@$(PYTHON) contrib/upstream/check_fixes.py '$(TREE)' patches/fixes $(PYTHON)

clean:
	rm -rf $(VENV) patches build dist *.egg-info contrib/demo/run check-upstream docs/_build \
		$(PAGE)/node_modules

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { echo 'there is no $(PYTHON); set PYTHON=...'; exit 1; }
	@echo 'making $(VENV)'
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9) and "Python 3.9 or later is needed")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

help:
	@sed -n 's/^# \(make .*\)/\1/p' $(firstword $(MAKEFILE_LIST))

# What an earlier build left in build/ would end up in the wheel.
$(WHEEL): $(SOURCES) | $(BIN)/python
	@echo 'building the wheel'
	@rm -rf build dist
	@$(PIP) wheel --no-deps --wheel-dir dist .

$(PAGE)/node_modules/.package-lock.json: $(PAGE)/package-lock.json
	@command -v npm > /dev/null || { echo 'there is no npm; the page is built with it'; exit 1; }
	@echo 'www: installing what the page is built with'
	@cd $(PAGE) && npm ci --no-audit --no-fund --loglevel error

$(VENV)/.bundle: $(WHEEL)
	@$(INSTALL) 'the wheel, the web page and the worker' 'buildbot-interlock[bundle] @ file://$(WHEEL)'
	@$(AGAIN)
	@touch $@

# All at once, which takes half as long as one after another.
$(VENV)/.test: $(WHEEL)
	@$(INSTALL) 'the wheel and what the tests need' 'buildbot-interlock[bundle,test,series] @ file://$(WHEEL)'
	@$(AGAIN)
	@touch $(VENV)/.bundle $@

$(VENV)/.docs: $(VENV)/.bundle
	@$(INSTALL) 'what the manual needs' 'buildbot-interlock[docs] @ file://$(WHEEL)'
	@touch $@

$(VENV)/.lint: $(VENV)/.bundle
	@$(INSTALL) 'the linters' 'buildbot-interlock[lint,series] @ file://$(WHEEL)'
	@touch $@

$(VENV)/.series: $(VENV)/.bundle
	@$(INSTALL) 'what the series needs' 'buildbot-interlock[series] @ file://$(WHEEL)'
	@touch $@
