"""Pure but for the clock it does not use: an OCI image archive of a few files, made without any image builder.

Enough for the sandbox image and for small static programs of tests. The same files give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def image_archive(name: str, files: Mapping[str, bytes], entrypoint: Sequence[str], processor: str) -> bytes:
    """An OCI archive holding one image: `files` (path without a leading / -> content) are all executable."""
    layer = _tar(files, mode=0o755)
    config = _json(
        {
            "architecture": ARCHITECTURES.get(processor, processor),
            "os": "linux",
            "config": {"Entrypoint": list(entrypoint)},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [_descriptor(layer, "application/vnd.oci.image.layer.v1.tar")],
        }
    )
    annotations = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
    entry = {
        **_descriptor(manifest, "application/vnd.oci.image.manifest.v1+json"),
        "annotations": annotations,
    }
    blobs = {f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}": blob for blob in (layer, config, manifest)}
    index = _json({"schemaVersion": 2, "manifests": [entry]})
    return _tar(
        {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": index, **blobs}, mode=0o644
    )


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(content: bytes, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def _tar(files: Mapping[str, bytes], mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
