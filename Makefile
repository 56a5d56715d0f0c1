.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo train test lint types core docs bench bench-estimators constraints

bin := .venv/bin
# Pictures and benchmarks of the plugin open windows: on a screen of their own where there is a virtual one.
screen := $(if $(shell command -v xvfb-run),xvfb-run --auto-servernum --server-args="-screen 0 1920x1200x24")

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

setup: .venv/.ready ## Create .venv with all that the other targets need

demo: .venv/.ready ## Map the noise of the sample scan and say where the results are
	@$(bin)/mri-noise demo sample_data/brain_phantom.h5

train: .venv/.anatomy ## Train a network (make train RECIPE=recipes/modl.yaml; options in ARGS)
	@test -f "$(RECIPE)" || { echo "name a recipe: make train RECIPE=recipes/modl.yaml" >&2; exit 1; }
	@$(bin)/mri-noise train "$(RECIPE)" --output "runs/$(basename $(notdir $(RECIPE)))" $(ARGS)

test: .venv/.ready ## Run the tests, two at a time (choose some with ARGS="-k noise"; in one process with ARGS="-n0")
	@$(bin)/pytest -n2 --dist=loadscope $(ARGS)

lint: .venv/.ready ## Check style, format and the import order
	@$(bin)/ruff check
	@$(bin)/ruff format --check
	@$(bin)/lint-imports --no-logo

types: .venv/.ready ## Check the types
	@$(bin)/mypy

core: .core-venv/.ready ## Check that the core works where neither napari nor Qt is installed
	@.core-venv/bin/python tools/no_gui.py
	@.core-venv/bin/pytest -q tests/test_house.py

docs: .venv/.ready ## Draw the figures of the documentation again (docs/make_*.py)
	@set -e; for script in $(sort $(wildcard docs/make_*.py)); do echo "$$script"; $(screen) $(bin)/python $$script; done

bench: .venv/.ready ## Run every benchmark (benchmarks/bench_*.py)
	@set -e; for script in $(sort $(wildcard benchmarks/bench_*.py)); do echo "$$script"; $(screen) $(bin)/python $$script; done

bench-estimators: .venv/.ready ## Measure what an accurate noise map costs, and write docs/estimators.md (options in ARGS)
	@$(bin)/python benchmarks/bench_estimators.py $(ARGS)

constraints: .venv/.ready ## Write the versions that .venv holds to constraints.txt
	@bash tools/constraints.sh

.venv/.ready: pyproject.toml constraints.txt tools/setup.sh
	@bash tools/setup.sh .venv test,gui-test,lint,train

.venv/.anatomy: .venv/.ready tools/anatomy.sh
	@bash tools/anatomy.sh .venv

.core-venv/.ready: pyproject.toml constraints.txt tools/setup.sh
	@bash tools/setup.sh .core-venv test
