# The verbs of the project. `make demo` and `make test` need a Rust toolchain, a C compiler,
# make and Python 3, and fetch the rest themselves.

.PHONY: demo test check format bench

# Play the home-insurance story on generated data and show what happens.
demo:
	cargo build --quiet --package cli
	cargo run --quiet --package cli -- demo --into demo-data

# Everything that must hold: format, lints, tests.
test: check
	cargo test --workspace --quiet

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- --deny warnings

format:
	cargo fmt --all

# Side by side with what others do on the same bytes; prints ratios.
bench:
	python3 tests/benches/files.py
