# Everything a newcomer needs: `make quickstart`, `make test`, `make check`. See README.md.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup fonts photographs system-libraries browser quickstart test test-long check format clean

# The first interpreter that answers with a version we support; PYTHON=... overrides.
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && { echo $$p; break; }; done)
PY := .venv/bin/python
OUT ?= runs/quickstart
# IMAGES=folder uses your own pictures instead of those that scikit-image and scikit-learn carry.
IMAGES ?=

help:
	@echo "make quickstart [IMAGES=folder] [OUT=runs/quickstart]"
	@echo "                                  pictures and fonts -> balanced shards -> a trained tiny Qwen-Image -> report"
	@echo "make test                         the tests"
	@echo "make test-long                    tests that start many processes (Ray Train, many ranks)"
	@echo "make check                        lint, format, types"
	@echo "make setup                        only the installation into .venv"
	@echo "make fonts                        more Chinese faces from npm: Kai, three handwritings, rounded, display (200 MB)"
	@echo "make photographs [LICENSES=\"CC-BY-SA-4.0 GPL-2.0-or-later\"]"
	@echo "                                  97 photographs from Debian's packages, without root: CC0, public domain, CC-BY"
	@echo "                                  (60 MB to load, 17 MB kept), and those under the licenses that you name"

setup: .venv/installed

.venv/installed: requirements.lock | system-libraries
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or 3.12 found; on Debian or Ubuntu: sudo apt-get install python3 python3-venv, or name one: make setup PYTHON=/path/to/python3.11"; exit 2; }
	@echo "setup: creating .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv 2>/dev/null || { rm -rf .venv; echo "error: $(PYTHON) cannot make a virtual environment; on Debian or Ubuntu: sudo apt-get install python3-venv"; exit 2; }
	@echo "setup: installing $$(grep -c == requirements.lock) pinned packages (about 8 GB on disk; two minutes from a near mirror, more from afar)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-input --no-deps -r requirements.lock 2> >(grep -v '^WARNING: Location' >&2)
	@echo "$(CURDIR)" > "$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/glyphmill.pth"  # import from anywhere
	@touch $@
	@echo "setup: done; make fonts brings more Chinese faces: Kai, three handwritings, a rounded and a display one"
	@echo "setup: make photographs brings 97 photographs to write on: walls, streets, buildings, animals (CC0, CC-BY)"

# All under the Open Font License. Each comes in some hundred slices, which the last line joins, once, in two minutes.
NPM_FONTS := lxgw-wenkai@5.3.0 ma-shan-zheng@5.3.1 long-cang@5.3.0 liu-jian-mao-cao@5.3.0 zcool-kuaile@5.3.0 zcool-xiaowei@5.3.0

fonts: setup
	@command -v npm >/dev/null || { echo "error: npm is missing; on Debian or Ubuntu: sudo apt-get install npm"; exit 2; }
	@echo "fonts: installing $(words $(NPM_FONTS)) families into node_modules"
	@npm install --silent --no-audit --no-fund --no-save --no-package-lock --prefix . $(addprefix @fontsource/,$(NPM_FONTS))
	@$(PY) -m synth fonts configs/synth/pure.yaml --set 'fonts=[{collection: chinese}]'

# LICENSES adds photographs that bind what is made with them, share-alike and GPL.
LICENSES ?=

photographs: setup
	@$(PY) -m synth photographs $(addprefix --license ,$(LICENSES))

# Skia draws without a screen but is linked against EGL and GL; OpenCV wants GL and glib.
# Each row: what the loader looks for, the Debian package that has it.
system-libraries:
	@missing=""; \
	for pair in libEGL.so.1:libegl1 libGL.so.1:libgl1 libgthread-2.0.so.0:libglib2.0-0; do \
		PATH="$$PATH:/sbin:/usr/sbin" ldconfig -p | grep -q "$${pair%%:*}" || missing="$$missing $${pair##*:}"; \
	done; \
	[ -z "$$missing" ] || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "setup: installing system libraries:$$missing"; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
		else \
			echo "error: system libraries are missing; install them with: sudo apt-get install$$missing"; exit 2; \
		fi; }

# Pages are tested in a real browser.
browser:
	@command -v chromium >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "setup: installing chromium for the tests of pages"; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
		else \
			echo "error: the tests of pages want a browser; install it with: sudo apt-get install chromium"; exit 2; \
		fi; }

quickstart: setup
	@$(PY) -m trainer quickstart "$(OUT)" $(if $(IMAGES),--images "$(IMAGES)")

# Three at a time on two cores: half of a test's seconds are processes that start. A file's tests share what they made;
# files come in the order of tests/conftest.py, the long ones first. One OpenMP thread each: teams of as many threads as
# there are cores spend their time waiting for each other. With bytecode kept, reading the tests takes half as long.
test: setup browser
	@PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# Those that start many processes, a minute or more each.
test-long: setup
	@$(PY) -m pytest -m long

check: setup
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

format: setup
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

clean:
	rm -rf runs .pytest_cache .ruff_cache .mypy_cache .hypothesis
