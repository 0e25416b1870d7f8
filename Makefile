# The verbs of the project. `make demo` and `make test` need a Rust toolchain, a C compiler,
# make and Python 3, and fetch the rest themselves.

.PHONY: demo real test check aws lambda format bench

# Play the home-insurance story on generated data and show what happens.
demo:
	cargo build --quiet --package cli
	cargo run --quiet --package cli -- demo --into demo-data

# The same life on real trips of New York's taxis, where their files are.
TAXI ?= ../shared/data/nyc-taxi
real:
	cargo build --quiet --package cli
	cargo run --quiet --package cli -- demo --taxi $(TAXI) --into real-data

# Everything that must hold: format, lints, tests; what knows AWS comes last.
test: check .venv/made .venv/aws
	cargo test --quiet
	$(MAKE) --no-print-directory aws

check:
	cargo fmt --all --check
	cargo clippy --all-targets --quiet -- --deny warnings

# The AWS adapters and the Lambda executables, against an AWS-compatible server on this machine,
# and the template as CloudFormation's linter sees it. The packages are always named together:
# with other features the SDK would be compiled again.
FUNCTIONS = ingest relay
AWS = --package aws --package lambda --package cloud \
	$(FUNCTIONS:%=--package %) $(FUNCTIONS:%=--features %/lambda)
aws: .venv/aws
	cargo clippy $(AWS) --all-targets --quiet -- --deny warnings
	cargo test $(AWS) --quiet
	@if [ -x .venv/bin/cfn-lint ]; then .venv/bin/cfn-lint infra/template.yaml; \
	  else echo "skipped: cfn-lint is not in .venv"; fi

# The executables as they are deployed, from this machine's architecture: zipped into
# target/lambda, weighed and timed. Ends badly where one is too large or needs too new a C library.
lambda:
	cargo build --profile lambda --bins $(FUNCTIONS:%=--package %) $(FUNCTIONS:%=--features %/lambda)
	python3 tests/benches/lambda.py target/lambda $(FUNCTIONS)

format:
	cargo fmt --all

# Peers that tests hold our own against. Without them those tests say that they are skipped.
.venv/made: tests/requirements.txt
	@python3 -m venv .venv \
	  && .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/requirements.txt \
	  && touch $@ \
	  || echo "the Python peers could not be installed: tests that need them are skipped"

.venv/aws: tests/requirements-aws.txt
	@python3 -m venv .venv \
	  && .venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements-aws.txt \
	  && touch $@ \
	  || echo "moto and cfn-lint could not be installed: tests that need them are skipped"

# Side by side with what others do on the same bytes; prints ratios.
bench:
	python3 tests/benches/files.py

# Storms over a deployment in memory: `make sim SEEDS=10000` plays many seeds (from FROM) on all
# cores, `make sim SEED=n` tells the whole story of one.
.PHONY: sim
SEEDS ?= 1000
sim:
	$(if $(SEED),SEED=$(SEED),SEEDS=$(SEEDS) $(if $(FROM),FROM=$(FROM))) \
	  cargo test --quiet --package tests --test sim asked -- --nocapture
