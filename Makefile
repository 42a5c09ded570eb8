# Steerage: build, test and run. `make help` lists the targets.

WASM        := target/steerage.wasm
SABOTAGE    := target/steerage-sabotage.wasm
CUSTOM      := target/custom-filter.wasm
# What is released: the module that wasm-opt has made smaller, and its version.
RELEASE     := target/steerage-optimised.wasm
VERSION     := $(shell sed -n '/^\[workspace.package\]/,/^$$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
DIST        := target/dist
# Filters that do nothing, or make the calls and decide nothing: what the bench compares with.
FLOORS      := target/noop.wasm target/calls.wasm
WASM_TARGET := wasm32-wasip1
SOURCES     := Makefile Cargo.toml Cargo.lock rust-toolchain.toml \
	$(shell find src -path src/cli -prune -o \( -name '*.rs' -o -name '*.html' -o -name Cargo.toml \) -print)
# The real Envoy: $ENVOY, or one on the PATH, or the pinned one, which is fetched when first needed.
FIND_ENVOY  := ENVOY="$$(tests/harness/envoy.sh)" && export ENVOY
# The versions of Envoy that `make matrix` tries, the oldest first; the README has a table of them.
ENVOYS      := 1.36.4 1.37.0 1.38.2 1.39.3 1.40.0
# The real Prometheus, in the same way: $PROMETHEUS, the PATH, or Debian's package, unpacked and not installed.
FIND_PROMETHEUS := PROMETHEUS="$$(tests/harness/prometheus.sh)" && export PROMETHEUS
# And a browser with its driver: $CHROMIUM and $CHROMEDRIVER, the PATH, or Debian's packages, installed by root.
FIND_CHROMIUM := CHROMIUM="$$(tests/harness/chromium.sh)" && \
	CHROMEDRIVER="$$(tests/harness/chromium.sh chromedriver)" && export CHROMIUM CHROMEDRIVER
# Tests on a real Envoy mostly wait, so half as many more run at a time as there are processors.
MANY_TESTS  := RUST_TEST_THREADS=$$(( ($$(nproc) * 3 + 1) / 2 ))

# For size, and with what rustc has the target do beyond WebAssembly 1.0 anyway. 6 % less. `-Oz` would save 7 %, but
# an Envoy would need a sixth more processor time to start.
WASM_OPT_FLAGS := -Os --enable-bulk-memory --enable-multivalue --enable-mutable-globals \
	--enable-nontrapping-float-to-int --enable-reference-types --enable-sign-ext

# Of the bench: how often everything is measured anew, and more of its options, such as `--markdown`.
ROUNDS      ?= 7
BENCH       ?=
RUN_BENCH   = $(FIND_ENVOY) && cargo run --quiet --locked --profile measure --package steerage-bench --

# The linker leaves room to move every address that it writes; this takes it out again, 7 % of the module.
WASM_RUSTFLAGS := -C link-arg=--compress-relocations
# Panics name their source. Not by where it lies on one machine: the same tree must give the same bytes everywhere.
RUSTC_COMMIT := $(shell rustc --version --verbose | sed -n 's/^commit-hash: //p')
WASM_RUSTFLAGS += --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src=crates \
	--remap-path-prefix=$(shell rustc --print sysroot)/lib/rustlib/src/rust=/rustc/$(RUSTC_COMMIT) \
	--remap-path-prefix=$(CURDIR)=.
export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS := $(WASM_RUSTFLAGS)

.DEFAULT_GOAL := help
.PHONY: help build custom-filter cli docs manifests demo quickstart test test-native test-core test-e2e \
	matrix matrix-oldest soak bench bench-scale bench-check render-check screenshot prometheus-check image push dist \
	image-check filter-template-check lint ci clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F '\t' '{printf "  %-16s %s\n", $$1, $$2}'

build: $(WASM) ## build the release filter, target/steerage.wasm

$(WASM): $(SOURCES)
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)
	cargo build --release --locked --package steerage-module --target $(WASM_TARGET) \
		--target-dir target
	@cp target/$(WASM_TARGET)/release/steerage_module.wasm $@
	@echo "$@: $$(wc -c < $@) bytes"

# The filter with a self-destruct, for the tests of what happens then.
$(SABOTAGE): $(SOURCES)
	cargo build --quiet --release --locked --package steerage-module --target $(WASM_TARGET) \
		--features steerage/sabotage --target-dir target/sabotage
	@cp target/sabotage/$(WASM_TARGET)/release/steerage_module.wasm $@

custom-filter: $(CUSTOM) ## build the example of a filter of one's own, target/custom-filter.wasm

$(CUSTOM): $(SOURCES) $(wildcard examples/custom-filter/*)
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)
	cargo build --release --locked --package custom-filter --target $(WASM_TARGET) --target-dir target
	@cp target/$(WASM_TARGET)/release/custom_filter.wasm $@
	@echo "$@: $$(wc -c < $@) bytes"

# The floors, for the bench.
$(FLOORS): target/%.wasm: Cargo.lock $(wildcard benches/noop/* benches/calls/*)
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)
	cargo build --quiet --release --locked --package $*-filter --target $(WASM_TARGET) --target-dir target
	@cp target/$(WASM_TARGET)/release/$*_filter.wasm $@

cli: ## build the command line, target/release/steerage
	cargo build --release --locked --package steerage-cli --target-dir target

docs: ## make docs/schema.json and docs/configuration.md anew, of the table of fields
	cargo run --quiet --locked --package steerage-cli -- schema > target/schema.json
	cargo run --quiet --locked --package steerage-cli -- schema --format markdown > target/configuration.md
	@cp target/schema.json target/configuration.md docs/

manifests: cli ## write the resources in envoy/istio and envoy/gateway anew
	envoy/render.sh target/release/steerage envoy

demo: build ## steer real traffic on a real Envoy and watch it (about 20 s)
	@$(FIND_ENVOY) && cargo run --quiet --release --locked --example demo

quickstart: build ## run envoy/operations.yaml with servers behind it and Prometheus beside it, until Ctrl-C
	envoy/quickstart/run.sh

# Tests are chosen from the whole workspace. A package alone has other features of what it uses, and all that stands on
# these would be built anew.
test: test-native test-core prometheus-check test-e2e matrix-oldest ## run every test

test-native: build ## policy, configuration, the filter under a fake host, the command line, documents
	cargo test --locked --workspace --lib --test simulation \
		--test filter --test fake_host --test tidy --test wasm --test cost --test exchange --test walk --test command --example demo \
		--bin steerage-bench
	cargo test --locked --workspace --doc

test-core: ## the policy's tests again, as WebAssembly under Node
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)
	CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS= CARGO_TARGET_WASM32_WASIP1_RUNNER="node --no-warnings $(CURDIR)/tests/wasi.mjs" \
		cargo test --locked --package steerage-policy --target $(WASM_TARGET) --lib

test-e2e: build $(SABOTAGE) $(CUSTOM) ## the shipped filter on a real Envoy against real servers
	@$(FIND_ENVOY) && $(FIND_PROMETHEUS) && $(FIND_CHROMIUM) && $(MANY_TESTS) \
		cargo test --locked --workspace --test e2e --test envoy --test streaming --test upstream

matrix: build $(SABOTAGE) $(CUSTOM) ## the tests of tests/e2e/smoke.txt on every supported version of Envoy
	$(MANY_TESTS) tests/matrix.sh $(ENVOYS)

# The random faults of tests/e2e/router/stress.rs, for so many seconds on each of the versions that it is for.
SOAK        ?= 3600

soak: build ## an hour of random faults for retries by the router, on 1.39 and 1.40 (SOAK=seconds)
	cargo test --locked --workspace --test e2e --no-run
	for version in 1.39.3 1.40.0; do \
		ENVOY="$$(tests/harness/envoy.sh $$version)" STEERAGE_SOAK=$(SOAK) \
			cargo test --locked --workspace --test e2e -- --exact --nocapture \
			router::stress::nothing_crashes_and_nothing_is_left_whatever_goes_wrong || exit 1; \
	done

matrix-oldest: build $(SABOTAGE) $(CUSTOM) ## the same on the oldest of them only
	$(MANY_TESTS) tests/matrix.sh $(firstword $(ENVOYS))

render-check: build ## have Envoy look at what is rendered of 200 random configurations (about 4 min)
	@$(FIND_ENVOY) && \
		STEERAGE_POLICIES=200 cargo test --locked --package steerage-cli --test envoy random_policies

bench: build $(FLOORS) ## what Steerage costs and is worth, beside others, in one run (about 35 min; ROUNDS=7)
	@$(RUN_BENCH) cost memory quality --rounds $(ROUNDS) --json target/bench.json $(BENCH)

bench-scale: build ## how the cost grows with endpoints, pools, workers and requests under way (about 15 min)
	@$(RUN_BENCH) scale --rounds $(ROUNDS) --json target/bench-scale.json --svg target/bench-scale.svg $(BENCH)

bench-check: build $(FLOORS) ## cost in little: that all are answered, and that no figure is absurd (about 40 s)
	@$(FIND_ENVOY) && cargo run --quiet --locked --package steerage-bench -- cost --rounds 1 --seconds 0.5 --check

screenshot: build ## renew the picture of the dashboard, docs/dashboard.png (about 5 min)
	@mkdir -p docs && $(FIND_ENVOY) && $(FIND_CHROMIUM) && \
		cargo test --locked --test screenshot

prometheus-check: ## rules and alerts for Prometheus: their form, and that alerts fire when they should
	@PROMTOOL="$$(tests/harness/prometheus.sh promtool)" && \
		"$$PROMTOOL" check config envoy/prometheus/prometheus.yml && \
		"$$PROMTOOL" check rules envoy/prometheus/recording.yml envoy/prometheus/alerts.yml && \
		"$$PROMTOOL" test rules envoy/prometheus/rules_test.yml

$(RELEASE): $(WASM)
	@WASM_OPT="$$(release/tool.sh wasm-opt)" && "$$WASM_OPT" $(WASM_OPT_FLAGS) $< -o $@
	@echo "$@: $$(wc -c < $@) bytes"

image: $(RELEASE) ## the image for Istio and Envoy Gateway, target/image, and its digest
	@python3 release/image.py $(RELEASE) $(VERSION) target/image

push: image ## push the image: REGISTRY=host/repository[:tag], TLS_VERIFY=false for plain HTTP
	@TLS_VERIFY=$(TLS_VERIFY) release/push.sh target/image $(VERSION) "$(REGISTRY)"

dist: image ## the files of a release, target/dist: module, image, SBOM, schema, licences, checksums
	@release/dist.sh $(RELEASE) $(VERSION) $(DIST)

image-check: $(RELEASE) ## builds elsewhere give the same bytes; the image works from a registry (about 1 min)
	@$(FIND_ENVOY) && release/check.sh

filter-template-check: cli ## a filter of one's own, made of the template: its tests, its size, an Envoy that loads it (about 60 s)
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)
	@$(FIND_ENVOY) && STEERAGE=target/release/steerage tests/filter_template.sh

lint: ## formatting, clippy and documentation, warnings as errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --package steerage --lib --features test-host -- -D warnings
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)
	cargo clippy --locked --package steerage --package steerage-module --package custom-filter --lib \
		--features steerage/sabotage --target $(WASM_TARGET) -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --locked --workspace --no-deps --document-private-items

ci: lint test bench-check image-check filter-template-check ## what CI runs

clean: ## remove everything that was built
	cargo clean
