"""The data folder of the local hubs, with recordings and samples. DATA_FOLDER.md describes its files."""

import hashlib
import io
import json
import math
import random
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, TypeAlias

from connectors.weights.header import DTYPE_BITS, SCALAR_FORMATS

CHUNK = 256 * 1024


# The bytes from one place up to another.
Read: TypeAlias = Callable[[int, int], bytes]


@dataclass(frozen=True)
class Content:
    """Bytes that can be read from any place. `make` says on first use how many they are, and what reads them."""

    make: Callable[[], tuple[int, Read]]

    @cached_property
    def _size_and_read(self) -> tuple[int, Read]:
        return self.make()

    @property
    def size(self) -> int:
        return self._size_and_read[0]

    def read(self, start: int, stop: int) -> bytes:
        return self._size_and_read[1](start, stop)

    @cached_property
    def sha256(self) -> str:
        sha = hashlib.sha256()
        for chunk in chunks(self):
            sha.update(chunk)
        return sha.hexdigest()


def chunks(content: Content, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    end = content.size if stop is None else stop
    for at in range(start, end, CHUNK):
        yield content.read(at, min(at + CHUNK, end))


def in_memory(data: bytes) -> Content:
    return Content(lambda: (len(data), lambda start, stop: data[start:stop]))


def on_disk(path: Path) -> Content:
    def read(start: int, stop: int) -> bytes:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)

    return Content(lambda: (path.stat().st_size, read))


def join(parts: Callable[[], Iterable[Content]]) -> Content:
    """Concatenated contents, such as the headers, members and padding of a tar."""

    def make() -> tuple[int, Read]:
        found = tuple(parts())
        bounds = tuple(accumulate((part.size for part in found), initial=0))

        def read(start: int, stop: int) -> bytes:
            return b"".join(
                part.read(max(start, begin) - begin, min(stop, end) - begin)
                for part, (begin, end) in zip(found, pairwise(bounds), strict=True)
                if begin < stop and start < end
            )

        return bounds[-1], read

    return Content(make)


# Bits of a random element to keep and to set, so that every float is finite and as small as a weight.
_FLOAT_BITS = {
    "F8_E4M3": (0x8F, 0x20), "F8_E5M2": (0x87, 0x20), "F16": (0x8FFF, 0x1000), "BF16": (0x81FF, 0x3C00),
    "F32": (0x81FFFFFF, 0x3C000000), "F64": (0x801FFFFFFFFFFFFF, 0x3F80000000000000),
}  # fmt: skip
_SCALAR_FORMATS = {**SCALAR_FORMATS, "BOOL": "<?"}
# A multiple of every element size. Tensors repeat the pattern, which is as fast as copying memory.
_PATTERN_BYTES = 128 * 1024


def repeat(pattern: bytes, size: int) -> Content:
    def read(start: int, stop: int) -> bytes:
        stop = min(stop, size)
        first = start - start % len(pattern)
        repeats = -(-(stop - first) // len(pattern))
        return (pattern * max(repeats, 0))[start - first : stop - first]

    return Content(lambda: (size, read))


def zip_archive(paths: Sequence[Path]) -> Content:
    """The files by their own names, stored: the same bytes on every run."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in paths:
            archive.writestr(zipfile.ZipInfo(path.name, (2024, 1, 1, 0, 0, 0)), path.read_bytes())
    return in_memory(buffer.getvalue())


def expand_tensors(blocks: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The `tensors` of a spec from `[{"repeat": [first, stop], "tensors": {"blocks.{}.up": [dtype, shape]}}]`."""
    return {
        name.replace("{}", str(number)): entry
        for block in blocks
        for number in range(*block.get("repeat", (0, 1)))
        for name, entry in block["tensors"].items()
    }


def generate_safetensors(spec: Mapping[str, Any]) -> Content:
    """A file from `{"tensors": {name: [dtype, shape]}, "metadata": {}, "seed": int, "scalars": {name: number}}`.

    A scalar's name may be `*` and the end of many names, such as `*.alpha`. All other tensors are noise.
    """
    return join(partial(_safetensors, spec))


def _safetensors(spec: Mapping[str, Any]) -> Sequence[Content]:
    tensors: Mapping[str, Sequence[Any]] = spec["tensors"]
    scalars: Mapping[str, float] = spec.get("scalars", {})
    endings = {name[1:]: value for name, value in scalars.items() if name.startswith("*")}
    seed = int(spec.get("seed", 0))
    patterns = {dtype: _pattern(dtype, seed) for dtype in sorted({str(dtype) for dtype, _ in tensors.values()})}
    header: dict[str, Any] = {"__metadata__": dict(spec["metadata"])} if spec.get("metadata") else {}
    body: list[Content] = []
    at = 0
    for name, (dtype, shape) in tensors.items():
        by_ending = next((value for ending, value in endings.items() if name.endswith(ending)), None)
        body.append(_tensor(dtype, shape, scalars.get(name, by_ending), patterns[dtype]))
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + body[-1].size]}
        at += body[-1].size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return in_memory(struct.pack("<Q", len(text)) + text), *body


def _tensor(dtype: str, shape: Sequence[int], value: float | None, pattern: bytes) -> Content:
    if value is None:
        return repeat(pattern, (DTYPE_BITS[dtype] * math.prod(shape) + 7) // 8)
    if dtype == "BF16":
        element = struct.pack("<f", value)[2:]
    else:
        element = struct.pack(_SCALAR_FORMATS[dtype], value if dtype in {"F16", "F32", "F64"} else int(value))
    return in_memory(element * math.prod(shape))


def _pattern(dtype: str, seed: int) -> bytes:
    noise = random.Random(f"{seed}:{dtype}").randbytes(_PATTERN_BYTES)
    if dtype == "BOOL":
        return bytes(byte & 1 for byte in noise)
    if dtype not in _FLOAT_BITS:
        return noise
    width = DTYPE_BITS[dtype] // 8
    # One large integer, because a Python loop over the elements takes a second.
    keep, always = (
        int.from_bytes(bits.to_bytes(width, "little") * (_PATTERN_BYTES // width), "little")
        for bits in _FLOAT_BITS[dtype]
    )
    return ((int.from_bytes(noise, "little") & keep) | always).to_bytes(_PATTERN_BYTES, "little")


LORA_MEMBER = "output/flux_train_replicate/lora.safetensors"
_OTHER_MEMBERS = {
    "output/flux_train_replicate/config.yaml": b"job: extension\nconfig:\n  name: flux_train_replicate\n",
    "output/flux_train_replicate/captions/0.txt": b"a photo in the style of TOK\n",
}


def model_tar(lora: Content) -> Content:
    return join(partial(_tar, lora))


def _tar(lora: Content) -> Sequence[Content]:
    members = {**{name: in_memory(data) for name, data in _OTHER_MEMBERS.items()}, LORA_MEMBER: lora}
    parts: list[Content] = []
    for name, content in members.items():
        info = tarfile.TarInfo(name)
        info.size = content.size
        padding = in_memory(b"\0" * (-content.size % tarfile.BLOCKSIZE))
        parts += [in_memory(info.tobuf(format=tarfile.USTAR_FORMAT)), content, padding]
    end = sum(part.size for part in parts) + 2 * tarfile.BLOCKSIZE
    return *parts, in_memory(b"\0" * (2 * tarfile.BLOCKSIZE + -end % tarfile.RECORDSIZE))


@dataclass(frozen=True, kw_only=True)
class Origins:
    """A client that keeps its token on a redirect to `delivery`, the hubs' CDN, leaks it as on the real hubs."""

    huggingface: str
    civitai: str
    replicate: str
    delivery: str

    def as_env(self) -> dict[str, str]:
        return {
            "HF_ENDPOINT": self.huggingface,
            "CIVITAI_ENDPOINT": self.civitai,
            "REPLICATE_ENDPOINT": self.replicate,
        }

    def fill(self, text: str) -> str:
        """Replaces the placeholders for origins, whose ports are known only once the hubs run."""
        for name, url in {**self.as_env(), "DELIVERY": self.delivery}.items():
            text = text.replace("{" + name + "}", url)
        return text


Json = dict[str, Any]
PACKAGE = Path(__file__).parent.parent
SAMPLES = PACKAGE / "data" / "samples"
_DAY = re.compile(r"\b\d{4}-\d\d-\d\d(?=T\d\d:\d\d)")


class DataFolderError(ValueError):
    """The data folder is invalid."""


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """`access` is None, "login", "gated", "private", "paid", "disabled" or "archived"."""

    content: Content
    access: str | None = None


@dataclass(frozen=True, kw_only=True)
class Access:
    """The valid tokens and what each may access. Without a list, any non-empty token is valid."""

    tokens: Mapping[str, frozenset[str]] = field(default_factory=dict)
    grants: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def is_signed_in(self, hub: str, token: str | None) -> bool:
        return bool(token) and (hub not in self.tokens or token in self.tokens[hub])

    def is_granted(self, token: str | None, *names: str) -> bool:
        return bool(token) and not self.grants.get(token or "", frozenset()).isdisjoint(names)

    def owns(self, token: str | None, name: str) -> bool:
        """Whether the private thing is this token's: one that nobody was granted is everybody's."""
        return self.is_granted(token, name) or not any(name in names for names in self.grants.values())


@dataclass(frozen=True, kw_only=True)
class DataFolder:
    """Sample dates are shifted to `today`."""

    path: Path
    origins: Origins
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    def text(self, path: Path) -> str:
        """The text with the origins filled in. Line endings are unchanged."""
        text = self.origins.fill(path.read_bytes().decode("utf-8"))
        if not self.age:
            return text
        return _DAY.sub(lambda day: (date.fromisoformat(day.group()) + self.age).isoformat(), text)

    @cached_property
    def age(self) -> timedelta:
        """The time by which sample dates are shifted. Zero for recordings."""
        path = self.path / "dates.json"
        if not path.is_file():
            return timedelta()
        return self.today - date.fromisoformat(json.loads(path.read_bytes())["written"])

    def json(self, path: Path) -> Any:
        try:
            return json.loads(self.text(path))
        except ValueError as error:
            raise DataFolderError(f"{path.name} is not JSON: {error}") from error

    def each(self, pattern: str) -> Iterator[tuple[Path, Any]]:
        for path in sorted(self.path.glob(pattern)):
            yield path, self.json(path)

    def objects(self, pattern: str) -> Iterator[Json]:
        """The matching files that contain one JSON object, sorted by name."""
        return (data for _, data in self.each(pattern) if isinstance(data, dict))

    def optional(self, name: str, otherwise: Any) -> Any:
        path = self.path / name
        return self.json(path) if path.is_file() else otherwise

    @cached_property
    def files(self) -> Json:
        files: Json = self.optional("files.json", {})
        return files

    @cached_property
    def access(self) -> Access:
        raw = self.optional("access.json", {})
        return Access(
            tokens={hub: frozenset(tokens) for hub, tokens in raw.get("tokens", {}).items()},
            grants={token: frozenset(map(str, names)) for token, names in raw.get("grants", {}).items()},
        )

    def ghosts(self, hub: str) -> frozenset[str]:
        """Deleted but still in lists, as on a cached page."""
        return frozenset(map(str, self.optional("deleted.json", {}).get("ghosts", {}).get(hub, [])))

    def hub_file(self, spec: Mapping[str, Any]) -> HubFile:
        content: Content
        if "path" in spec:
            content = on_disk(inside(self.path, spec["path"]))
        elif "package" in spec:
            content = on_disk(inside(PACKAGE, spec["package"]))
        elif "safetensors" in spec:
            content = self._safetensors(spec["safetensors"])
        elif "zip" in spec:
            content = zip_archive([inside(self.path, name) for name in spec["zip"]])
        elif "text" in spec:
            content = in_memory(str(spec["text"]).encode())
        else:
            raise DataFolderError(f"a file needs one of path, package, safetensors, zip or text, not {sorted(spec)}")
        return HubFile(content=content, access=spec.get("access"))

    def _safetensors(self, spec: Mapping[str, Any]) -> Content:
        """The tables of the samples have tens of thousands of tensors, so each is read only on first use."""
        if not isinstance(spec["tensors"], str):
            return generate_safetensors(spec)
        table = inside(self.path, spec["tensors"])
        return join(lambda: [generate_safetensors({**spec, "tensors": expand_tensors(self.json(table))})])


def inside(folder: Path, name: str) -> Path:
    """Raises DataFolderError for a path outside `folder`: a foreign data folder must not serve the rest of the disk."""
    try:
        path = (folder / name).resolve()
        is_file = path.is_file()
    except (OSError, ValueError) as error:
        raise DataFolderError(f"{name[:80]} is no file name") from error
    if not path.is_relative_to(folder.resolve()):
        raise DataFolderError(f"{name} lies outside {folder.name}")
    if not is_file:
        raise DataFolderError(f"{name} is not a file in {folder.name}")
    return path
