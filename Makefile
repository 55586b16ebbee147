# Two commands do everything on a machine with Python 3.11 or newer: `make run` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXPERIMENT ?= examples/coordination.toml
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help wheels sanitize mutants run test engines soak odd-files edges kills matrix pythons leaks check lint types imports stub format lock clean fuzz containers kubernetes model screenshots notebook charts dist bench peer torch docs docs-links

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run.done ## train five agents as six processes and show the result
	@$(BIN)/bnpg train $(EXPERIMENT)

test: $(VENV)/dev.done ## the whole test suite
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

engines: $(VENV)/dev.done $(VENV)/engines.done ## test the engines for real: a Slurm and a Ray of three hosts on this machine; needs root on Debian
	BNPG_ENGINES=1 $(BIN)/python -m pytest -m engines tests/engines

SCHEDULES ?= 10000
soak: $(VENV)/run.done ## simulate runs under random faults, SCHEDULES=10000 of them
	@$(BIN)/bnpg soak --schedules $(SCHEDULES)

kills: $(VENV)/dev.done ## kill a run at every system call and in every write, resume it, and compare what it leaves
	@folder=$$(mktemp -d) && $(BIN)/python -P -m bnpg.lab.testing.killed_anywhere "$$folder"; code=$$?; rm -rf "$$folder"; exit $$code

KILLS ?= 1000
MOST ?= 3600
leaks: $(VENV)/dev.done ## kill processes of a run KILLS=1000 times over each transport, and count what is left; MOST=3600 seconds each
	@for transport in ipc tcp unix; do folder=$$(mktemp -d); \
	  $(BIN)/python -P -m bnpg.lab.testing.leaks "$$folder" --kills $(KILLS) --seconds $(MOST) --transport $$transport || exit 1; \
	  rm -rf "$$folder"; done

MATRIX ?= --pythons python3.11,python3.12,python3.13 --numpys pinned,2.2.6
matrix: $(VENV)/run.done ## kernels of BLAS, versions of numpy and of Python: who shares a fingerprint shares the bits
	$(BIN)/python -P -m bnpg.lab.testing.matrix --folder build/matrix $(MATRIX)

PYTHONS ?= python3.11 python3.12 python3.13
PARTS ?= tests/agents tests/api tests/bnpg_math tests/coordinator tests/simulation
pythons: ## run PARTS of the tests on each of PYTHONS="python3.11 python3.12 python3.13", in environments of their own
	@for python in $(PYTHONS); do \
	  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])') || exit 1; \
	  echo "Python $$version"; own=build/pythons/$$version; mkdir -p build/pythons; \
	  $(MAKE) --no-print-directory VENV=$$own PYTHON=$$python $$own/dev.done || exit 1; \
	  $$own/bin/python -m pytest -q -n $(JOBS) $(PARTS) || exit 1; done

HOURS ?= 1
SPENT = $(BIN)/python -c 'print(int($(HOURS) * 3600))' # seconds: a shell has no fractions
EDGES = tests/security/test_floods.py tests/security/test_next_internet.py tests/watch/test_crowds.py \
  tests/system/test_surroundings.py tests/trace/test_no_false_alarm.py tests/trace/test_real_processes.py \
  tests/simulation/test_stalls.py tests/system/test_crash_and_return.py tests/system/test_the_end.py \
  tests/system/test_old_lives.py tests/system/test_exhaustion.py tests/system/test_leaks.py tests/files/test_streams.py
edges: $(VENV)/dev.done ## floods, odd parents, kills, clock jumps and false alarms, again and again for HOURS=1
	@end=$$(($$(date +%s) + $$($(SPENT)))); pass=0; \
	while pass=$$((pass + 1)); echo "pass $$pass"; \
	  BNPG_EDGES=8 $(BIN)/python -m pytest -q -n $(JOBS) $(EDGES) || exit 1; \
	  $(BIN)/bnpg soak --schedules 1000 --first $$(($$(date +%s) % 1000000)) || exit 1; \
	  [ $$(date +%s) -lt $$end ]; do :; done

odd-files: $(VENV)/dev.done ## put everything odd in the place of every file that is read, for HOURS=1
	@spent=$$($(SPENT)); end=$$(($$(date +%s) + $$spent)); \
	$(BIN)/python -P -m bnpg.lab.testing.odd_files --slow --seed $$(date +%s) --seconds $$(($$spent / 2)) || exit 1; \
	while [ $$(date +%s) -lt $$end ]; do \
	  BNPG_EDGES=20 $(BIN)/python -m pytest -q -n $(JOBS) tests/files || exit 1; \
	done

model: ## check the formal model of joining and of a round; needs spin
	@model/check.sh

SPHINX = $(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --nitpicky --jobs 2 -d build/doctrees
docs: $(VENV)/docs.done ## build the documentation site in build/docs; any warning is an error
	$(SPHINX) -b html docs build/docs
	@echo "build/docs/index.html"

docs-links: $(VENV)/docs.done ## look whether the links of the documents to other sites still lead somewhere
	$(SPHINX) -b linkcheck docs build/docs-links

screenshots: $(VENV)/dev.done ## take the pictures of the documents anew; needs chromium
	$(BIN)/python docs/images/renew.py

notebook: $(VENV)/dev.done ## run the notebook of the documents again and keep what it shows
	@$(BIN)/python docs/renew_notebook.py

charts: ## build the library that draws the charts anew from its pinned sources; needs node and npm
	@mkdir -p build/charts && cp bnpg/report/library/*.json bnpg/report/library/*.js bnpg/report/library/*.mjs build/charts
	cd build/charts && npm ci --ignore-scripts --no-audit --no-fund && node build.mjs ../../bnpg/report/library

BENCH ?=
bench: $(VENV)/bench.done ## measure everything side by side and renew docs/benchmarks.md; BENCH="--quick --only a,b"
	$(BIN)/python -m benchmarks $(BENCH)

TORCH ?= torch
torch: ## install TORCH=torch in build/torch, load exported networks into it, and measure it beside ours
	@mkdir -p build && $(MAKE) --no-print-directory VENV=build/torch build/torch/dev.done
	build/torch/bin/python -m pip install --quiet --disable-pip-version-check safetensors $(TORCH)
	build/torch/bin/python -m pytest -q tests/bnpg/test_export_parameters.py
	build/torch/bin/python -m benchmarks.torch_networks

peer: $(VENV)/run.done ## train networks on spread beside a clone of on-policy, PEER=../on-policy; after make torch: VENV=build/torch; PEERED="--seeds 1"
	$(BIN)/python -m benchmarks.peer $(PEER) $(PEERED)

URL ?=
dist: $(VENV)/run.done ## build the packages in dist; URL=https://.. of the project makes the links of the README absolute
	BNPG_PURE=1 BNPG_URL=$(URL) $(BIN)/python -m hatchling build -d dist

FUZZ_SECONDS ?= 60
fuzz: $(VENV)/fuzz.done ## fuzz the decoder of messages, FUZZ_SECONDS=60 long
	@mkdir -p .fuzz
	$(BIN)/python fuzz/fuzz_codec.py -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=.fuzz/ -print_final_stats=1 \
	  .fuzz fuzz/corpus

containers: $(VENV)/dev.done ## test docker compose with an engine of its own; needs root on Debian
	PYTHON=$(BIN)/python .ci/docker_compose_tests.sh

kubernetes: $(VENV)/dev.done $(VENV)/kubernetes.done ## validate the Kubernetes manifests and run their pods by a podman of its own; needs root on Debian
	PYTHON=$(BIN)/python .ci/kubernetes_tests.sh

wheels: $(VENV)/run.done ## pack a wheel into dist/, with the compiled core where there is a compiler
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -w dist .
	@ls dist

STEPS ?= 20000
sanitize: $(VENV)/dev.done ## test the compiled core under sanitizers of addresses and undefined behaviour, and count what STEPS leave behind; needs gcc
	@folder=$$(mktemp -d) && cp -r protocol/bnpg_protocol "$$folder" && rm -f "$$folder"/bnpg_protocol/core/_steady.*.so && \
	$(BIN)/python "$$folder"/bnpg_protocol/core/build.py --sanitize --into "$$folder"/bnpg_protocol/core && \
	PYTHONPATH="$$folder" LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0:halt_on_error=1 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc \
	$(BIN)/python -m pytest -q -p no:cacheprovider --timeout 3600 tests/protocol/core; code=$$?; rm -rf "$$folder"; exit $$code
	BNPG_CORE_STEPS=$(STEPS) $(BIN)/python -m pytest -q -p no:cacheprovider tests/protocol/core/test_leaks.py

mutants: $(VENV)/dev.done ## break the compiled core in twenty ways and more, and see its tests fail with each; needs gcc, takes minutes
	$(BIN)/python -m tests.protocol.core.mutants

check: lint types imports ## everything that needs no run: style, types, import rules

lint: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.done
	$(BIN)/mypy

imports: $(VENV)/dev.done
	$(BIN)/lint-imports

stub: $(VENV)/dev.done ## write what type checkers read of bnpg.train, after a setting has changed
	$(BIN)/python -m bnpg.api.stub

format: $(VENV)/dev.done ## rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/dev.done ## renew the hash-pinned requirements
	for kind in run core agent dev fuzz bench docs engines kubernetes; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	    requirements/$$kind.in -o requirements/$$kind.txt || exit 1; \
	done

clean: ## remove the environment and every cache (runs/ stays)
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "bnpg needs Python 3.11 or newer, got $$($(PYTHON) --version); name one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "making the environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

CORE := protocol/bnpg_protocol/core
MODULES := agents bnpg bnpg_files bnpg_math coordinator protocol
$(VENV)/run.done: requirements/run.txt requirements/core.txt pyproject.toml hatch_build.py $(wildcard $(CORE)/*.p*) | $(BIN)/python
	@$(BIN)/python requirements/install.py requirements/run.txt
	@! $(BIN)/python $(CORE)/build.py --possible || $(BIN)/python requirements/install.py requirements/core.txt 2> /dev/null || true
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@$(BIN)/python -m compileall -q $(MODULES) || true  # as pip does of what it copies
	@touch $@

$(VENV)/fuzz.done: requirements/fuzz.txt $(VENV)/run.done
	@$(BIN)/python requirements/install.py requirements/fuzz.txt
	@touch $@

$(VENV)/bench.done: requirements/bench.txt $(VENV)/run.done
	@$(BIN)/python requirements/install.py requirements/bench.txt || \
	  echo "Ray could not be installed: the benchmark leaves it out and says so" >&2
	@touch $@

$(VENV)/engines.done: requirements/engines.txt $(VENV)/run.done
	@$(BIN)/python requirements/install.py requirements/engines.txt
	@touch $@

$(VENV)/kubernetes.done: requirements/kubernetes.txt $(VENV)/dev.done
	@$(BIN)/python requirements/install.py requirements/kubernetes.txt
	@touch $@

$(VENV)/docs.done: requirements/docs.txt $(VENV)/run.done
	@$(BIN)/python requirements/install.py requirements/docs.txt
	@touch $@

$(VENV)/dev.done: requirements/dev.txt $(VENV)/run.done
	@$(BIN)/python requirements/install.py requirements/dev.txt
	@touch $@
