# The two commands of the README: `make demo` and `make test`. Both work on a fresh machine and again at any time.
VENV ?= .venv
OUT ?= out
# Two test processes of one thread each use two cores better than one process of two threads.
TEST_JOBS ?= 2
# make coverage TESTS="tests/test_io_depth.py" COVERED=0 looks at a part.
TESTS ?= tests
COVERED ?= 90
export VENV

.PHONY: demo test coverage lint format release docs clean

demo:
	@scripts/venv.sh core
	@$(VENV)/bin/densedepth demo --out $(OUT)

# With COVERAGE=1 lines are counted, too: at least 90 % of those outside serve, which has tests of its own kind.
test:
	@scripts/venv.sh all
	@scripts/system.sh
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n $(TEST_JOBS) --dist loadfile $(if $(COVERAGE),--cov --cov-report=) $(TESTS)
ifdef COVERAGE
	$(VENV)/bin/python -m coverage report
	@printf 'percent of the lines outside serve, at least $(COVERED): '
	@$(VENV)/bin/python -m coverage report --omit '*/serve/*' --format total --fail-under $(COVERED)
endif

coverage:
	@$(MAKE) test COVERAGE=1

lint:
	@scripts/venv.sh all
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format:
	@scripts/venv.sh all
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs:
	@scripts/venv.sh all
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict

# The sdist and the wheel in dist/, installed and used once.
release:
	@scripts/venv.sh all
	@scripts/release_check.sh

clean:
	rm -rf $(VENV) $(OUT) dist site .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
