# The entry points. What they need and cannot install themselves, they name with the command to type.

.DEFAULT_GOAL := help
.PHONY: help run test bench release soak lint fmt deny

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

run: ## Build what is missing and serve with demo data on http://127.0.0.1:8080
	@scripts/prepare run
	cargo run --profile quick --package custodia-server --bin custodia -- serve --demo

test: ## Run every check: format, lints, all tests on both engines, unmodified clients over HTTP
	@scripts/test

bench: ## Measure against the yardstick, on both engines (scripts/bench --write BENCHMARKS.md keeps the figures)
	@scripts/bench

release: ## Build the program guided by a profile of its own work, as fast as it gets: target/guided/custodia
	@scripts/release

soak: ## Run the long modes: oracles, crashes, nodes, fuzzing, mixed load, a million rows (scripts/soak STEP runs one)
	@scripts/soak

lint: ## Check format and lints only
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

fmt: ## Format the code
	cargo fmt --all

deny: ## Check licences, sources, bans and advisories of the dependencies (installs cargo-deny, needs the network)
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny check
