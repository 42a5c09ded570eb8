# Steerage: build, test and run. `make help` lists the targets.

WASM        := target/steerage.wasm
SABOTAGE    := target/steerage-sabotage.wasm
CUSTOM      := target/custom-filter.wasm
WASM_TARGET := wasm32-wasip1
CORE_TARGET := wasm32-unknown-unknown
# Must be the version of the wasm-bindgen library in Cargo.lock.
WASM_BINDGEN = $(shell sed -n '/^name = "wasm-bindgen"$$/{n;s/version = "\(.*\)"/\1/p;}' Cargo.lock)
TOOLS       := $(CURDIR)/target/tools
RUNNER      := $(TOOLS)/bin/wasm-bindgen-test-runner
SOURCES     := Cargo.toml Cargo.lock rust-toolchain.toml \
	$(shell find src -path src/cli -prune -o \( -name '*.rs' -o -name '*.html' -o -name Cargo.toml \) -print)
# The real Envoy: $ENVOY, or one on the PATH, or the pinned one, which is fetched when first needed.
FIND_ENVOY  := ENVOY="$$(tests/harness/envoy.sh)" && export ENVOY
# The real Prometheus, in the same way: $PROMETHEUS, the PATH, or Debian's package, unpacked and not installed.
FIND_PROMETHEUS := PROMETHEUS="$$(tests/harness/prometheus.sh)" && export PROMETHEUS
# And a browser with its driver: $CHROMIUM and $CHROMEDRIVER, the PATH, or Debian's packages, installed by root.
FIND_CHROMIUM := CHROMIUM="$$(tests/harness/chromium.sh)" && \
	CHROMEDRIVER="$$(tests/harness/chromium.sh chromedriver)" && export CHROMIUM CHROMEDRIVER

# The linker leaves room to move every address that it writes; this takes it out again, 7 % of the module.
export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS := -C link-arg=--compress-relocations

.DEFAULT_GOAL := help
.PHONY: help build custom-filter cli docs demo test test-native test-core test-e2e render-check screenshot prometheus-check lint ci clean

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

cli: ## build the command line, target/release/steerage
	cargo build --release --locked --package steerage-cli --target-dir target

docs: ## make docs/schema.json and docs/configuration.md anew, of the table of fields
	cargo run --quiet --locked --package steerage-cli -- schema > target/schema.json
	cargo run --quiet --locked --package steerage-cli -- schema --format markdown > target/configuration.md
	@cp target/schema.json target/configuration.md docs/

demo: build ## steer real traffic on a real Envoy and watch it (about 20 s)
	@$(FIND_ENVOY) && cargo run --quiet --release --locked --example demo

test: test-native test-core prometheus-check test-e2e ## run every test

test-native: build ## policy, configuration, the filter under a fake host, the command line, documents
	cargo test --locked --workspace --exclude steerage-harness --lib --test simulation \
		--test filter --test tidy --test wasm --test cost --test exchange --test command --example demo
	cargo test --locked --workspace --doc

test-core: $(RUNNER) ## the policy's tests again, as WebAssembly under Node
	@rustup target list --installed | grep -qx $(CORE_TARGET) || rustup target add $(CORE_TARGET)
	CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$(RUNNER) \
		cargo test --locked --package steerage-policy --target $(CORE_TARGET)

$(RUNNER): Cargo.lock
	cargo install --quiet wasm-bindgen-cli --version $(WASM_BINDGEN) --root $(TOOLS)
	@touch $@

test-e2e: build $(SABOTAGE) $(CUSTOM) ## the shipped filter on a real Envoy against real servers
	@$(FIND_ENVOY) && $(FIND_PROMETHEUS) && $(FIND_CHROMIUM) && \
		cargo test --locked --package steerage-harness && cargo test --locked --test e2e && \
		cargo test --locked --package steerage-cli --test envoy

render-check: build ## have Envoy look at what is rendered of 200 random configurations (about 4 min)
	@$(FIND_ENVOY) && \
		STEERAGE_POLICIES=200 cargo test --locked --package steerage-cli --test envoy random_policies

screenshot: build ## renew the picture of the dashboard, docs/dashboard.png (about 5 min)
	@mkdir -p docs && $(FIND_ENVOY) && $(FIND_CHROMIUM) && \
		cargo test --locked --test screenshot

prometheus-check: ## rules and alerts for Prometheus: their form, and that alerts fire when they should
	@PROMTOOL="$$(tests/harness/prometheus.sh promtool)" && \
		"$$PROMTOOL" check config envoy/prometheus/prometheus.yml && \
		"$$PROMTOOL" check rules envoy/prometheus/recording.yml envoy/prometheus/alerts.yml && \
		"$$PROMTOOL" test rules envoy/prometheus/rules_test.yml

lint: ## formatting, clippy and documentation, warnings as errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)
	cargo clippy --locked --package steerage --package steerage-module --package custom-filter --lib \
		--features steerage/sabotage --target $(WASM_TARGET) -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --locked --workspace --no-deps --document-private-items

ci: lint test ## what CI runs

clean: ## remove everything that was built
	cargo clean
