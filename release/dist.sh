#!/usr/bin/env bash
# Gathers the files of a release in a folder: the module, the image as an archive, what the module is made of
# (CycloneDX), the schema of the configuration, licences, and the checksums of all of these. The same tree gives the
# same bytes.
#
#     release/dist.sh target/steerage-optimised.wasm 0.1.0 target/dist
set -euo pipefail

module=$1 version=$2 folder=$3
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=steerage-$version

rm -rf "$folder"
mkdir -p "$folder"
cp "$module" "$folder/$name.wasm"
tar --sort=name --mtime="@${SOURCE_DATE_EPOCH:-0}" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
    --format=ustar -cf "$folder/$name.oci.tar" -C "$root/target/image" .
"$root/release/contents.py" sbom "$version" "$module" >"$folder/$name.cdx.json"
"$root/release/contents.py" licences >"$folder/LICENSES.txt"
cp "$root/LICENSE" "$root/docs/schema.json" "$folder/"
notices=$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html
if [[ ! -f "$notices" ]]; then
    echo "dist.sh: this Rust comes without the notices of its standard library, $notices" >&2
    exit 1
fi
cp "$notices" "$folder/COPYRIGHT-rust-std.html"
cd "$folder"
files=(*)
sha256sum "${files[@]}" >SHA256SUMS
cat SHA256SUMS
