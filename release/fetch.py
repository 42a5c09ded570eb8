#!/usr/bin/env python3
"""Takes the module out of an image layout by the rules of Istio and Envoy Gateway, which fetch it from a registry.

Both read the *last* layer, demand that its type is `application/vnd.oci.image.layer.v1.tar+gzip`, and take the
first file whose name is `plugin.wasm`, in whatever folder. A digest that is not that of the bytes is refused, as
their client does. Written without anything of image.py, because it is there to check it.

    release/fetch.py target/image plugin.wasm
"""

import gzip
import hashlib
import io
import json
import posixpath
import sys
import tarfile
from pathlib import Path


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: fetch.py LAYOUT FILE")
    layout = Path(sys.argv[1])

    def blob(reference: dict) -> bytes:
        algorithm, digest = reference["digest"].split(":")
        content = (layout / "blobs" / algorithm / digest).read_bytes()
        if hashlib.new(algorithm, content).hexdigest() != digest or len(content) != reference["size"]:
            sys.exit(f"{reference['digest']}: other bytes")
        return content

    (image,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifest = json.loads(blob(image))
    blob(manifest["config"])
    layer = manifest["layers"][-1]
    if layer["mediaType"] != "application/vnd.oci.image.layer.v1.tar+gzip":
        sys.exit(f"the last layer is of type {layer['mediaType']}")
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(layer)))) as archive:
        for entry in archive:
            if posixpath.basename(entry.name) == "plugin.wasm":
                Path(sys.argv[2]).write_bytes(archive.extractfile(entry).read())
                return
    sys.exit("the last layer holds no plugin.wasm")


if __name__ == "__main__":
    main()
