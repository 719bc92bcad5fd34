# The two commands of the README: `make demo` and `make test`. Both work on a fresh machine and again at any time.
VENV ?= .venv
OUT ?= out
# Two test processes of one thread each use two cores better than one process of two threads.
TEST_JOBS ?= 2
export VENV

.PHONY: demo test lint format clean

demo:
	@scripts/venv.sh core
	@$(VENV)/bin/densedepth demo --out $(OUT)

test:
	@scripts/venv.sh all
	@scripts/system.sh
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n $(TEST_JOBS) --dist loadfile

lint:
	@scripts/venv.sh all
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format:
	@scripts/venv.sh all
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:
	rm -rf $(VENV) $(OUT) .pytest_cache .mypy_cache .ruff_cache .hypothesis
