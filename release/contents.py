#!/usr/bin/env python3
"""Says what the module is made of: an SBOM in CycloneDX's JSON, and the licences of all that is in it.

Listed are the crates that are compiled into the module, as Cargo resolves them for its package and its target,
and Rust's standard library. Not listed is what only works at build time: procedural macros, build scripts,
the command line, the tests. Checksums are those of Cargo.lock. There is no serial number and no time, so
the same tree gives the same bytes. (cargo-cyclonedx would say the same after a minute's installation, with
what other packages of the workspace need, and with a random number.)

Texts of licences are taken from the crates as they were published. One that brings no text is named with its
SPDX expression, and one that has neither is an error.

    release/contents.py sbom 0.1.0 target/steerage-optimised.wasm > steerage-0.1.0.cdx.json
    release/contents.py licences > LICENSES.txt
"""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

PACKAGE = "steerage-module"
TARGET = "wasm32-wasip1"
ROOT = Path(__file__).resolve().parent.parent
TEXTS = re.compile(r"(un)?licen[cs]e|copying|copyright|notice", re.IGNORECASE)


def main() -> None:
    match sys.argv[1:]:
        case ["sbom", version, module]:
            print(json.dumps(sbom(version, Path(module)), indent=2, sort_keys=True))
        case ["licences"]:
            sys.stdout.write(licences())
        case _:
            sys.exit("usage: contents.py sbom VERSION MODULE | licences")


def output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout


def packages() -> tuple[list[dict], dict[str, set[str]]]:
    """What Cargo knows of each package in the module, and which others each of them needs, by name and version.

    `cargo metadata` alone would not do: it adds up the features that any package of the workspace asks for.
    """
    needs: dict[str, set[str]] = {}
    path: list[str] = []
    for line in output(
        "cargo", "tree", "--locked", "--package", PACKAGE, "--target", TARGET,
        "--edges", "normal,no-proc-macro", "--no-dedupe", "--prefix", "depth", "--format", " {p}",
    ).splitlines():
        depth, name, version = line.split()[:3]
        key = f"{name}@{version.removeprefix('v')}"
        path[int(depth):] = [key]
        needs.setdefault(key, set())
        if len(path) > 1:
            needs[path[-2]].add(key)
    metadata = json.loads(output("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET))
    known = {f"{package['name']}@{package['version']}": package for package in metadata["packages"]}
    return [known[key] for key in sorted(needs)], needs


def checksums() -> dict[str, str]:
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {f"{each['name']}@{each['version']}": each["checksum"] for each in lock["package"] if "checksum" in each}


def compiler() -> dict[str, str]:
    """What `rustc --version --verbose` says, by its words."""
    return dict(line.split(": ", 1) for line in output("rustc", "--version", "--verbose").splitlines() if ": " in line)


def sbom(version: str, module: Path) -> dict:
    listed, needs = packages()
    sums = checksums()
    rust = compiler()
    standard = f"rust-std@{rust['release']}"
    components = [{
        "type": "library",
        "bom-ref": standard,
        "name": "rust-std",
        "version": rust["release"],
        "description": f"Rust's standard library for {TARGET}, with wasi-libc, of commit {rust['commit-hash']}",
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
    }]
    for package in listed:
        key = f"{package['name']}@{package['version']}"
        component = {
            "type": "library",
            "bom-ref": key,
            "name": package["name"],
            "version": package["version"],
            "licenses": [{"expression": expression(package)}],
        }
        # Packages of this tree are in no registry.
        if key in sums:
            component["purl"] = f"pkg:cargo/{key}"
            component["hashes"] = [{"alg": "SHA-256", "content": sums[key]}]
        components.append(component)
    shipped = f"steerage@{version}:wasm"
    needs = {standard: set(), **needs, shipped: {f"{PACKAGE}@{version}", standard}}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {
            "type": "application",
            "bom-ref": shipped,
            "name": "steerage",
            "version": version,
            "licenses": [{"expression": "Apache-2.0"}],
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(module.read_bytes()).hexdigest()}],
        }},
        "components": components,
        "dependencies": [{"ref": key, "dependsOn": sorted(needs[key])} for key in sorted(needs)],
    }


def expression(package: dict) -> str:
    """The licence as SPDX writes it; an older way to write OR is `/`."""
    stated = package["license"]
    if not stated:
        sys.exit(f"{package['name']} {package['version']} states no licence")
    return re.sub(r"\s*/\s*", " OR ", stated)


def licences() -> str:
    parts = [
        "What is compiled into the module besides Steerage, whose licence is in LICENSE. Of Rust's standard\n"
        "library the notices are in COPYRIGHT-rust-std.html.\n"
    ]
    listed, _ = packages()
    for package in listed:
        if package["source"] is None:
            continue
        folder = Path(package["manifest_path"]).parent
        parts.append(f"\n{'=' * 80}\n{package['name']} {package['version']}: {expression(package)}\n{'=' * 80}\n")
        texts = sorted(file for file in folder.iterdir() if TEXTS.match(file.name) and file.is_file())
        if not texts:
            parts.append("(published without the text of its licence)\n")
        for file in texts:
            parts.append(f"\n--- {file.name}\n\n{file.read_text().strip()}\n")
    return "".join(parts)


if __name__ == "__main__":
    main()
