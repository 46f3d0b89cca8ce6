# The two commands of this project are `make demo` and `make test`; each sets up what it needs.
# Everything goes into .venv, whose stamp files make a second run start at once.

VENV ?= .venv
# The first interpreter that is new enough and has ROS 2 wheels (CPython 3.10 to 3.13).
CANDIDATES := python3 python3.12 python3.11 python3.13 python3.10
PYTHON ?= $(shell for each in $(CANDIDATES); do \
	$$each -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { command -v $$each; break; }; done)
BIN := $(VENV)/bin
# The ROS 2 distribution whose wheels the environment gets: jazzy or kilted.
WHEELS ?= jazzy
EXTRAS := $(if $(filter kilted,$(WHEELS)),ros-kilted,ros),datasets,learning
CONSTRAINTS := .ci/constraints.txt .ci/constraints-$(WHEELS).txt
# Twice quiet: errors only.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check $(CONSTRAINTS:%=--constraint %)
# How many tests at a time, and more options for pytest: make test PYTEST="-k arbiter".
JOBS ?= 2
PYTEST ?=
# The tests that `make test-quick` runs: everything but ROS, trainings, and what takes minutes.
QUICK := tests/test_architecture.py tests/test_constraints.py $(addprefix tests/, \
	core bringup control policies serving robots sim episodes teleop docs/test_links.py) \
	$(addprefix --ignore tests/, policies/test_bimodal.py sim/test_foreign_arms.py sim/test_experts.py \
	control/test_invariants.py serving/test_with_arbiter.py episodes/test_recovery.py)
INPUTS := setup.py setup.cfg $(CONSTRAINTS) robot_learning/__init__.py

# A sourced ROS 2 would put its own packages before those of the environment.
unexport PYTHONPATH PYTHONHOME AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH
unexport ROS_DISTRO ROS_VERSION ROS_PYTHON_VERSION RMW_IMPLEMENTATION
ifneq ($(ROS_DISTRO),)
unexport LD_LIBRARY_PATH
endif
# Containers often switch bytecode off, with which each of a graph's processes starts sooner.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo test test-quick test-ros test-kilted test-lowest check docs interfaces bench bench-imitation bench-rl clean

help: ## this list
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

setup: $(VENV)/.stamp-run ## virtual environment, pinned packages, system libraries
setup-tests: $(VENV)/.stamp-tests ## the same, with the test tools

demo: $(VENV)/.stamp-run ## set up, then the whole loop over ROS 2 in simulation: record, train, correct, evaluate
	@$(BIN)/robot-learning demo

# The tests of ROS nodes run last, and those of a file one after the other: they share its nodes. Exit
# code 5 is pytest's for no test selected, which a PYTEST="-k ..." brings about in one half.
test: $(VENV)/.stamp-docs ## set up, then lint, type check, documentation and all tests
	@$(MAKE) --no-print-directory -j 2 check docs
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --ignore tests/ros $(PYTEST) || [ $$? -eq 5 -a -n "$(PYTEST)" ]
	@$(MAKE) --no-print-directory test-ros

test-ros: $(VENV)/.stamp-tests ## set up, then the tests of ROS nodes alone
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder tests/ros $(PYTEST) || [ $$? -eq 5 -a -n "$(PYTEST)" ]

# Until Kilted ends, the nodes run with its wheels as well.
test-kilted: ## set up a second environment, .venv-kilted, then the tests of ROS nodes with Kilted
	@$(MAKE) --no-print-directory VENV=.venv-kilted WHEELS=kilted test-ros

test-quick: $(VENV)/.stamp-tests ## set up, then the quick tests: no ROS, no training, minutes
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(QUICK) $(PYTEST)

# What setup.py states as the lowest versions, without ROS, whose versions are exact.
test-lowest: ## set up a third environment, .venv-lowest, then the quick tests with the lowest versions
	@$(MAKE) --no-print-directory VENV=.venv-lowest EXTRAS=datasets,learning \
		CONSTRAINTS=.ci/constraints-lowest.txt test-quick

check: $(VENV)/.stamp-tests ## set up, then lint and type check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# A warning, such as a link that leads nowhere, is an error.
docs: $(VENV)/.stamp-docs ## set up, then build the documentation into docs/_build/html
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

interfaces: $(VENV)/.stamp-tests ## set up, then write launch/NODES.md: topics, services and parameters, asked of the nodes
	@$(BIN)/python tests/ros/support/node_interfaces.py

bench: $(VENV)/.stamp-tests ## set up, then every benchmark but the next two: tables here, JSON in benchmarks/results
	@for script in $(filter-out benchmarks/bench_imitation.py benchmarks/bench_rl.py benchmarks/bench_preferences.py,$(wildcard benchmarks/bench_*.py)); do \
		echo "== $$script"; $(BIN)/python $$script || exit 1; done

# Goes on where a stopped one ended. Options: make bench-imitation BENCH="--quick"
bench-imitation: $(VENV)/.stamp-tests ## set up, then six ways of imitation in four environments (an hour)
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench_imitation.py $(BENCH)

# Goes on where a stopped one ended, too. Options: make bench-rl BENCH="--quick"
bench-rl: $(VENV)/.stamp-tests ## set up, then all that is learned from rewards, Stable-Baselines3 beside it (hours)
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench_rl.py $(BENCH)

clean: ## remove the environments, builds, caches and results, but no recording
	rm -rf $(VENV) .venv-kilted .venv-lowest build dist install log outputs benchmarks/results *.egg-info
	rm -rf docs/_build docs/generated
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis MUJOCO_LOG.TXT
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.stamp-venv:
	@test -n "$(PYTHON)" || { echo "setup: no Python from 3.10 to 3.13 was found (python3); \
	install one, or name it: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@PYTHON="$(PYTHON)" bash .ci/system-packages
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv $(VENV) || { echo "setup: $(PYTHON) cannot make \
	a virtual environment; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	@touch $@

# pynput and evdev are compiled: without a compiler everything but keyboard and gamepad still works.
$(VENV)/.stamp-run: $(VENV)/.stamp-venv $(INPUTS)
	@echo "setup: installing the pinned packages (the first time takes minutes)"
	@$(PIP) --editable '.[$(EXTRAS)]' || { echo "setup: the packages could not be installed (above). ROS 2 \
	wheels exist for Linux and CPython 3.10 to 3.13; the simulator alone needs only: pip install ." >&2; exit 1; }
	@$(PIP) --editable '.[teleop]' || echo "setup: keyboard and gamepad are missing, since \
	pynput or evdev could not be built (gcc and the Linux headers are needed); the rest works"
	@touch $@

$(VENV)/.stamp-tests: $(VENV)/.stamp-run
	@echo "setup: installing the test tools"
	@$(PIP) --editable '.[dev]'
	@touch $@

# With the test tools: the table of imports is read from a test.
$(VENV)/.stamp-docs: $(VENV)/.stamp-tests
	@echo "setup: installing what builds the documentation"
	@$(PIP) --editable '.[docs]'
	@touch $@
