# Everything a newcomer needs: `make demo`, `make test`. Needs Python >= 3.11, pip and make, nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ROOMS  := core policies sandbox $(sort $(wildcard plugins/*))
DISTRIBUTIONS = $(foreach room,$(ROOMS),$(shell sed -n 's/^name = "\(.*\)"/\1/p' $(room)/pyproject.toml))
STAMP  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test check style types walls bench pins clean

help:    ## what there is to make
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/: .*## /\t/' | expand -t 9

setup: $(STAMP)    ## make .venv with everything, pinned by hash

# Requirements first, then the rooms without dependencies: hashes and local rooms do not mix in one call.
$(STAMP): constraints.txt $(addsuffix /pyproject.toml,$(ROOMS))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Toolcrib needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	    $(addprefix -e ./,$(ROOMS))
	@touch $@

demo: setup    ## see agents work under control
	@$(BIN)/toolcrib demo $(ARGS)

# Files go to processors in the order of testpaths, the longest first, so that no processor is idle at the end.
test: setup    ## all tests, on all processors (ARGS="-n 0": on one)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: style types walls test    ## what CI checks: style, types, walls between rooms, tests

style: setup    ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup    ## mypy, strict
	$(BIN)/mypy $(addsuffix /src,$(ROOMS))

walls: setup    ## who may import whom
	$(BIN)/lint-imports
	$(BIN)/python tests/architecture/walls.py

bench: setup    ## measure, side by side, as ratios of one run
	@for file in $(sort $(wildcard benchmarks/[a-z]*.py)); do $(BIN)/python $$file $(ARGS) || exit 1; done

pins: setup    ## compile constraints.txt anew from the rooms' requirements
	$(BIN)/python -m pip install --quiet 'uv>=0.9'
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --all-extras $(addprefix --no-emit-package ,$(DISTRIBUTIONS)) \
	    $(addprefix --group pyproject.toml:,dev counterparts bench) $(addsuffix /pyproject.toml,$(ROOMS)) \
	    --output-file constraints.txt

clean:    ## forget the environment and what tests left
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
