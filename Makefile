.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo train test coverage profile lint types core docs site bench bench-estimators bench-compare constraints

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
	@env -u PYTHONDONTWRITEBYTECODE $(bin)/pytest -n2 --dist=loadscope --no-loadscope-reorder $(ARGS)

coverage: .venv/.tools ## Run the tests and say which lines and branches they leave out, in htmlcov/ too (choose with ARGS)
	@$(bin)/pytest -n2 --dist=loadscope --cov --cov-report=term --cov-report=html $(ARGS)

profile: .venv/.tools ## Say where the time of a noise map goes (another experiment with ARGS="-s reconstruction.kind=unet")
	@$(bin)/python tools/profile_map.py $(ARGS)

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

site: .site-venv/.ready ## Build the documentation as a site into site/, warnings as errors
	@NO_MKDOCS_2_WARNING=1 .site-venv/bin/mkdocs build --strict
	@echo "the documentation is in site/index.html"

bench: .venv/.ready ## Run every benchmark (benchmarks/bench_*.py)
	@set -e; for script in $(sort $(wildcard benchmarks/bench_*.py)); do echo "$$script"; $(screen) $(bin)/python $$script; done

bench-estimators: .venv/.ready ## Measure what an accurate noise map costs, and write docs/estimators.md (options in ARGS)
	@$(bin)/python benchmarks/bench_estimators.py $(ARGS)

bench-compare: .venv/.ready ## Compare two recorded benchmarks (make bench-compare A=before.json B=after.json)
	@$(bin)/python benchmarks/compare.py "$(A)" "$(B)"

constraints: .venv/.tools .site-venv/.ready ## Write the versions that .venv and .site-venv hold to constraints.txt
	@bash tools/constraints.sh

.venv/.ready: pyproject.toml constraints.txt tools/setup.sh
	@bash tools/setup.sh .venv test,gui-test,lint,train

.venv/.tools: .venv/.ready
	@bash tools/group.sh .venv tools

.site-venv/.ready: pyproject.toml constraints.txt tools/group.sh
	@bash tools/group.sh .site-venv site

.venv/.anatomy: .venv/.ready tools/anatomy.sh
	@bash tools/anatomy.sh .venv

.core-venv/.ready: pyproject.toml constraints.txt tools/setup.sh
	@bash tools/setup.sh .core-venv test
