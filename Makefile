# Two commands do everything on a fresh machine: `make figures` and `make test`. Every line also works by hand.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2

.PHONY: figures test setup lint lock benchmarks

figures: setup            ## run the companion study and regenerate figures/
	$(VENV)/bin/python -m synthlib.run params/companion.yaml --jobs $(JOBS)

test: setup lint          ## style and tests
	$(VENV)/bin/python -m pytest

setup: $(VENV)/installed  ## a virtual environment with the locked packages

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@
	@echo "To run commands by hand: . $(VENV)/bin/activate"

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

benchmarks: setup         ## side-by-side timings; prints tables
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[benchmark]'
	for script in benchmarks/bench_*.py; do $(VENV)/bin/python $$script || exit 1; done

lock:                     ## resolve requirements.lock anew (needs pip-tools); local build tags of torch are cut off
	pip-compile --quiet --strip-extras --extra test --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --no-emit-options --output-file requirements.lock pyproject.toml
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements.lock
