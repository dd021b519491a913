# Two commands: `make demo` and `make test`. Both install what they need on first use, and do only what is missing after.
PYTHON ?= python3
CORES ?= 2
BIN := .venv/bin

.PHONY: demo test test-long test-slow test-kill test-gpu test-slurm slurm verify bench lint format lock clean

demo: .venv/installed
	$(BIN)/snakemake --cores $(CORES) results/digits/sliding_window.png
	@echo "Look at results/digits/sliding_window.png; its numbers are in results/digits/sliding_window.csv"

# CORES files of tests at a time, with one thread each; then, one after the other, what watches the clock or needs a GPU
SHORT := -m "not slow and not slurm and not long"
CLOCK := $(addprefix tests/,$(addsuffix .py,unit/test_forkserver unit/test_helpers unit/test_record unit/test_resume unit/test_speed \
	workflow/test_forked_jobs workflow/test_interrupted workflow/test_scheduler))
test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(CORES) --dist loadfile $(SHORT) $(CLOCK:%=--ignore=%) tests/workflow tests/unit
	$(BIN)/python -m pytest $(SHORT) $(CLOCK) tests/gpu

# the workflow of every part beyond the thesis, on small data, further damages and races, and a quick run of all benchmarks: some
# ten minutes
test-long: .venv/installed
	$(BIN)/python -m pytest -m long

# what takes minutes: CIFAR where config.yaml finds it, the report in a browser
test-slow: .venv/installed
	$(BIN)/python -m pytest -m slow

# hundreds of kills and resumptions, about half an hour; docs/reliability.md
TRIALS ?= 200
test-kill: .venv/installed
	$(BIN)/python -m tests.workflow.killing --trials $(TRIALS)

# what only a GPU can show; `make test` skips it where there is none
test-gpu: .venv/installed
	$(BIN)/python -m pytest -rs tests/gpu

# reads everything under data/ and results/ and compares it with its checksums; CLEAN=--clean removes what killed jobs left
verify: .venv/installed
	$(BIN)/python -m pipeline_lib.verify $(CLEAN)

# a SLURM of one node on this machine, started and stopped by the tests; they need root, and say why where they cannot run
test-slurm: .venv/installed-slurm
	$(BIN)/python -m pytest -m slurm -rs -s tests/slurm

# what `snakemake --profile profiles/slurm` needs besides
slurm: .venv/installed-slurm

bench: .venv/installed
	$(BIN)/python -m benchmarks

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/python tests/workflow/lint.py

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/rules
	PYTHONPATH=. $(BIN)/python -m pipeline_lib.config > workflow/schemas/config.schema.yaml

# the environment: a folder of its own and exactly the locked, hashed versions
.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version). Say: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	@echo "Installing the locked packages into .venv (about 4 GB, PyTorch with CUDA among them; some minutes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv/installed-slurm: requirements-slurm.lock .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-slurm.lock
	@touch $@

# new versions of everything; needs uv (pip install uv)
lock:
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --extra dev pyproject.toml -o requirements.lock
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --extra slurm pyproject.toml -c requirements.lock -o requirements-slurm.lock \
		$$(sed -En 's/^([A-Za-z0-9._-]+)==.*/--no-emit-package \1/p' requirements.lock)

# removes what was computed; data/sources, where your own files lie, stays
clean:
	rm -rf results/* data/*/dataset.h5 data/*/classes.csv data/*/.classes.csv.sha256 data/*/prepare_dataset.log .snakemake
