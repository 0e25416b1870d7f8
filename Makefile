# The verbs of the project. `make demo` and `make test` need a Rust toolchain, a C compiler,
# make and Python 3, and fetch the rest themselves.

.PHONY: demo real test check format bench

# Play the home-insurance story on generated data and show what happens.
demo:
	cargo build --quiet --package cli
	cargo run --quiet --package cli -- demo --into demo-data

# The same life on real trips of New York's taxis, where their files are.
TAXI ?= ../shared/data/nyc-taxi
real:
	cargo build --quiet --package cli
	cargo run --quiet --package cli -- demo --taxi $(TAXI) --into real-data

# Everything that must hold: format, lints, tests.
test: check .venv/made
	cargo test --workspace --quiet

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- --deny warnings

format:
	cargo fmt --all

# Peers that tests hold our own against. Without them those tests say that they are skipped.
.venv/made: tests/requirements.txt
	@python3 -m venv .venv \
	  && .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/requirements.txt \
	  && touch $@ \
	  || echo "the Python peers could not be installed: tests that need them are skipped"

# Side by side with what others do on the same bytes; prints ratios.
bench:
	python3 tests/benches/files.py
