#!/usr/bin/env bash
# Makes a package of examples/filter-template, as a user elsewhere does: it takes Steerage from a git repository, runs its
# tests, builds the module, and has Envoy load it with good and with wrong `params`. $ENVOY: an Envoy; $STEERAGE: the
# command line.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
steerage=$(realpath "$STEERAGE")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The tree as it is, as a repository of its own.
mkdir "$scratch/steerage"
(cd "$root" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [ -e "$file" ] && printf '%s\0' "$file"
done | tar --null -T - -cf -) 2>/dev/null | tar -xf - -C "$scratch/steerage"
git -C "$scratch/steerage" init --quiet
git -C "$scratch/steerage" add --all
git -C "$scratch/steerage" -c user.name=test -c user.email=test@example.com commit --quiet --message tree

cp -R "$root/examples/filter-template" "$scratch/my-filter"
cp "$root/Cargo.lock" "$scratch/my-filter/"
cd "$scratch/my-filter"
# `cargo generate` does the same: the ending keeps cargo from taking the template for a package.
mv Cargo.toml.liquid Cargo.toml
find . -type f -exec sed -i \
  -e 's/{{project-name}}/my-filter/g' -e 's/{{crate_name}}/my_filter/g' \
  -e "s|{{steerage}}|file://$scratch/steerage|g" {} +

export CARGO_TARGET_DIR="$root/target/filter-template"
cargo test --quiet
cargo build --quiet --release --target wasm32-wasip1
module="$CARGO_TARGET_DIR/wasm32-wasip1/release/my_filter.wasm"
size=$(wc -c < "$module")
echo "my_filter.wasm: $size bytes"
[ "$size" -lt 720000 ]

check() {
  printf '{"endpoints": ["a", "b"], "params": %s}' "$1" > policy.json
  "$steerage" render envoy policy.json --wasm "$module" > envoy.yaml
  "$ENVOY" --mode validate -c envoy.yaml > envoy.log 2>&1
}
check '{"limit": 3}' || { cat envoy.log; exit 1; }
if check '{"limit": 0}'; then
  echo "wrong params are not refused"
  exit 1
fi
grep -q "limit must be at least 1" envoy.log
echo "the filter of one's own works"
