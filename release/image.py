#!/usr/bin/env python3
"""Writes an OCI image that holds one WebAssembly module, as an image layout, and prints its digest.

It is the "compat" variant of https://github.com/solo-io/wasm/blob/master/spec/spec-compat.md: one layer of
type `application/vnd.oci.image.layer.v1.tar+gzip`, and in it the file `plugin.wasm`. Istio and Envoy Gateway
read the last layer of an image, want exactly this type, and take the first file of that name. They refuse
the artifacts of type `application/wasm`; and of a list of images for several platforms they would choose
linux/amd64, so this is a single image.

The same module gives the same bytes on every machine with the same zlib: all times are SOURCE_DATE_EPOCH, 0
by default, and owners, modes and the order of keys are fixed. So a digest can be checked by building again.
What would be otherwise with a tool like `docker build`: its layers hold the time of the build.

    release/image.py target/steerage-optimised.wasm 0.1.0 target/image
    sha256:2d8a…

A module of 496 kB becomes five files of 226 kB in all.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
from datetime import datetime, timezone
from pathlib import Path

TITLE = "steerage"
DESCRIPTION = "An Envoy filter that steers each request to a cluster and retries failures on other clusters"
LICENCES = "Apache-2.0"

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit("usage: image.py MODULE VERSION FOLDER")
    module, version, folder = Path(sys.argv[1]).read_bytes(), sys.argv[2], Path(sys.argv[3])
    time = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    if not module.startswith(b"\0asm"):
        sys.exit(f"{sys.argv[1]} is not a WebAssembly module")

    # Whoever is interrupted leaves no layout that looks finished.
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    digest = write_layout(fresh, module, version, time)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    print(digest)


def write_layout(folder: Path, module: bytes, version: str, time: int) -> str:
    """Writes the layout and gives the digest of the image's manifest."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(media_type: str, content: bytes) -> dict:
        """Stores what is named by its digest, and gives what refers to it."""
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    created = datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    archive = tar_of("plugin.wasm", module, time)
    layer = blob(LAYER, gzipped(archive))
    config = blob(CONFIG, to_json({
        "created": created,
        # What the file is for. Those that load filters do not look at it, and nothing else can run it.
        "architecture": "wasm",
        "os": "wasip1",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(archive).hexdigest()]},
        "history": [{"created": created, "comment": "plugin.wasm"}],
    }))
    manifest = blob(MANIFEST, to_json({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [layer],
        "annotations": {
            "module.wasm.image/variant": "compat",
            "org.opencontainers.image.created": created,
            "org.opencontainers.image.description": DESCRIPTION,
            "org.opencontainers.image.licenses": LICENCES,
            "org.opencontainers.image.title": TITLE,
            "org.opencontainers.image.version": version,
        },
    }))
    tagged = manifest | {"annotations": {"org.opencontainers.image.ref.name": version}}
    (folder / "oci-layout").write_bytes(to_json({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_bytes(to_json({"schemaVersion": 2, "manifests": [tagged]}))
    return manifest["digest"]


def tar_of(name: str, content: bytes, time: int) -> bytes:
    """An archive of one file that belongs to nobody in particular."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = len(content), 0o644, time
        tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def gzipped(content: bytes) -> bytes:
    """Compressed, without a file name and a time in the head."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(content)
    return packed.getvalue()


def to_json(value: dict) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


if __name__ == "__main__":
    main()
