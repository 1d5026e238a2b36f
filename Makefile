.DEFAULT_GOAL := demo
.PHONY: demo install test check fix bench chaos fuzz shots lock docs clean-demo help
RUN := python3 run.py exec

demo: ## a whole desk on this machine (the default)
	@python3 run.py demo

install: ## set up .venv, start nothing
	@python3 run.py install

test: ## all tests, on every core; needs nothing that pip cannot bring
	@$(RUN) python -m pytest -n auto --dist worksteal $(ARGS)

check: ## lint, format, types, import contracts, migrations, docs
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports
	@$(RUN) python -m tests.in_step

fix: ## mend what the linter can mend
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

docs: ## write the generated pages again
	@$(RUN) python -m tests.in_step --write

bench: ## measure; figures go to docs/performance.md by hand
	@$(RUN) python -m tests.benchmarks $(ARGS)
	@$(RUN) python -m tests.benchmarks.classifier
	@$(RUN) python -m tests.benchmarks.answers
	@$(RUN) python -m tests.benchmarks.certificates

N ?= 1000
chaos: ## kill workers N times (1000) on real servers, and count the mail
	@$(RUN) python -m tests.chaos --kills $(N) $(ARGS)

fuzz: ## N mutated mails (1000) through the parser
	@$(RUN) python -m tests.fuzz --mails $(N) --jobs 2 $(ARGS)

shots: ## take the docs' pictures again
	@HELPDESK_SHOTS=docs/images $(RUN) python -m pytest -q tests/edges/test_browser.py -k letters

lock: ## write requirements.lock again
	@python3 run.py install
	@.venv/bin/uv pip compile --universal --generate-hashes --python-version 3.11 --extra dev -q -o requirements.lock pyproject.toml

clean-demo: ## forget the demo's data
	rm -rf var

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 14
