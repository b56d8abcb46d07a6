"""The hashes of a file, as CivitAI computes them when it scans an upload."""

import hashlib
import zlib
from dataclasses import dataclass

from blake3 import blake3

from hub_ui.demo.hubs.content import Content, chunks

# Source: civitai/model-scanner, HashTask.cs. A file shorter than twice the offset has no AutoV1.
_AUTO_V1_AT, _AUTO_V1_BYTES = 0x100000, 0x10000
# What safetensors itself takes for a header at most.
_MAX_HEADER = 100_000_000


@dataclass(frozen=True, kw_only=True)
class Digest:
    """Hexadecimal, in lower case. `header` and `tensors` are the two parts of a safetensors file.

    Of any other file `header` is the hash of nothing and `tensors` is None.
    """

    size: int
    sha256: str
    header: str
    tensors: str | None
    crc32: str
    blake3: str
    auto_v1: str | None


def digest_of(content: Content) -> Digest:
    start = header_bytes(content)
    whole, tensors, crc32, tree = hashlib.sha256(start), hashlib.sha256(), zlib.crc32(start), blake3(start)
    for chunk in chunks(content, len(start)):
        whole.update(chunk)
        tensors.update(chunk)
        tree.update(chunk)
        crc32 = zlib.crc32(chunk, crc32)
    return Digest(
        size=content.size,
        sha256=whole.hexdigest(),
        header=hashlib.sha256(start).hexdigest(),
        tensors=tensors.hexdigest() if start else None,
        crc32=f"{crc32:08x}",
        blake3=tree.hexdigest(),
        auto_v1=_auto_v1(content),
    )


def header_bytes(content: Content) -> bytes:
    """A safetensors file's header with the eight bytes of its length; nothing where the file is of another format."""
    length = int.from_bytes(content.read(0, 8), "little")
    fits = 0 < length <= min(content.size - 8, _MAX_HEADER)
    start = content.read(0, 8 + length) if fits else b""
    return start if start[8:9] == b"{" else b""


def civitai_hashes(digest: Digest) -> dict[str, str]:
    """By CivitAI's names, in upper case. Only a safetensors file has an AutoV3."""
    found = {
        "AutoV1": digest.auto_v1,
        "AutoV2": digest.sha256[:10],
        "SHA256": digest.sha256,
        "CRC32": digest.crc32,
        "BLAKE3": digest.blake3,
        "AutoV3": digest.tensors and digest.tensors[:12],
    }
    return {name: value.upper() for name, value in found.items() if value}


def _auto_v1(content: Content) -> str | None:
    if content.size < 2 * _AUTO_V1_AT:
        return None
    return hashlib.sha256(content.read(_AUTO_V1_AT, _AUTO_V1_AT + _AUTO_V1_BYTES)).hexdigest()[:8]
