"""Damaged safetensors headers, and what comes of reading one."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from math import prod
from pathlib import Path
from random import Random
from typing import Any

from connectors.weights import header, key_formats, lora_facts
from connectors.weights.header import DTYPE_BITS, MAX_HEADER_BYTES
from connectors.weights.inspect import Facts
from connectors.weights.key_formats import ENDINGS
from tests.connectors.weights.building import Shapes, lora
from tests.connectors.weights.test_architectures import rows
from tests.connectors.weights.test_file_type import CASES, LANGUAGE, NAMED, SHAPED
from tests.corpus import HEADERS
from tests.tools.fuzz.mutations import corrupted, damaged, respelled, written

# So many tensors of a header show how it is made; a hundred thousand whole ones would take hours.
_KEPT = 40
# What names begin and end with, and what only looks like it.
SUFFIXES = (*ENDINGS, ".weight", ".lora_A", ".lora_A.other.weight", "_lora1.down.weight", ":down", ":up", ".bias", "")
PREFIXES = (
    *(prefix.text for prefix in key_formats.PREFIXES), "lllite_unet_", "controlnet_", "ip_adapter.", "unet:0",
    "first_stage_model.", "bundle_emb.", "",
)  # fmt: skip
_WORDS = (
    "lora", "down", "up", "blocks", "attn", "unet", "te1", "_A", "_B", "weight", "alpha", "transformer", "0", "1", "19",
)  # fmt: skip
_DTYPES = ("F16", "BF16", "F32", "F8_E4M3", "F16")
# As kohya, PEFT, ai-toolkit, OneTrainer and others write it.
_METADATA: tuple[Mapping[str, str], ...] = (
    {},
    {
        "ss_network_module": "networks.lora", "ss_network_dim": "8", "ss_network_alpha": "4.0", "ss_v2": "False",
        "ss_output_name": "inkdrop", "ss_sd_model_name": "model.safetensors", "ss_base_model_version": "sdxl_base_v1-0",
        "ss_network_args": '{"conv_dim": "4", "algo": "lora"}',
        "ss_dataset_dirs": '{"10_inkdrop style": {"n_repeats": 10, "img_count": 20}}',
        "ss_tag_frequency": '{"10_inkdrop style": {"inkdrop": 20, "1girl": 12, "ink": 7}}',
    },
    {
        "format": "pt",
        "lora_adapter_metadata": '{"unet.r": 8, "unet.lora_alpha": 8, "unet.rank_pattern": {"to_q": 16}, '
        '"unet.alpha_pattern": {"^x": 4}, "unet.peft_type": "LORA"}',
    },
    {"software": '{"name":"ai-toolkit"}', "modelspec.architecture": "flux-1-dev/lora"},
    {"ot_branch": "master", "modelspec.trigger_phrase": "inkdrop", "unet:0:rank": "4"},
)  # fmt: skip
_LENGTHS = (0, 1, 2, 7, 8, 100, MAX_HEADER_BYTES, MAX_HEADER_BYTES + 1, 2**31, 2**32 - 1, 2**53, 2**63, 2**64 - 1)
_FILLS = (b"\x00", b"\xff", b"\x7f", b"\x80\x3f", b"\x00\x7c", b"<script>")
_EXTENTS = (
    0, 1, 2, 3, 4, 8, 16, 64, 128, 320, 640, 768, 1024, 1280, 2048, 3072, 3840, 4096, 5120, 6144, 9216, 2**20, 2**40,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Damaged:
    """A file: `data` at its start, then `fill` again and again up to `size`."""

    data: bytes
    size: int | None
    fill: bytes = b"\x00"

    @property
    def name(self) -> str:
        return "header.safetensors"

    def read(self, start: int, stop: int) -> bytes:
        stop = min(stop, len(self.data) if self.size is None else self.size)
        own = self.data[start:stop]
        missing = max(stop - max(start, len(self.data)), 0)
        return own + (self.fill * (missing // len(self.fill) + 1))[:missing]


def outcome(file: Damaged) -> None:
    """Reads it. Whatever but a HubUiError leaves here is a fault."""
    read = header.read_header(file)
    found = lora_facts.read(read, file.read)
    json.dumps(Facts(adapter=found).to_json(), allow_nan=False).encode()


def kept(data: bytes) -> Damaged:
    """A file again of which only the start was kept."""
    try:
        size = len(data) + end_of(json.loads(data[8:]))
    except (ValueError, RecursionError):
        size = len(data)
    return Damaged(data=data, size=size)


def file_of(document: Any, fill: bytes) -> Damaged:
    """A whole file with this header."""
    laid = laid_out(document)
    text = json.dumps(laid).encode()
    return Damaged(data=len(text).to_bytes(8, "little") + text, size=8 + len(text) + end_of(laid), fill=fill)


def seeds() -> list[dict[str, Any]]:
    """Headers that are well: those that tests of connectors/weights know, and recorded ones if they are here."""
    said = zip(_known(), cycle(_METADATA), cycle(_DTYPES))
    made = [
        _thinned({name: {"dtype": dtype, "shape": list(shape)} for name, shape in shapes.items()}, metadata)
        for shapes, metadata, dtype in said
    ]
    return [*made, *map(_recorded, sorted(HEADERS.glob("*.json")))]


def _known() -> Iterator[Shapes]:
    """Every algorithm, every network in the names of several trainers, and files that are no LoRA for images."""
    yield from (shapes for shapes, _, _ in CASES)
    yield from (lora(row.layers, style=row.style) for row in rows())
    yield from (lora(layers, style="peft") for layers in LANGUAGE)
    yield from (dict.fromkeys(names.split(), (8, 8)) for _, names in NAMED)
    yield from (shapes for _, shapes in SHAPED)


def _recorded(path: Path) -> dict[str, Any]:
    case = json.loads(path.read_text(encoding="utf-8"))
    return _thinned(case["tensors"], case["metadata"])


def _thinned(tensors: Mapping[str, Any], metadata: Mapping[str, str]) -> dict[str, Any]:
    names = sorted(tensors)[:: len(tensors) // _KEPT + 1]
    document = {"__metadata__": dict(metadata)} if metadata else {}
    return dict(laid_out({**document, **{name: tensors[name] for name in names}}))


def damaged_file(draw: Random, healthy: Sequence[dict[str, Any]]) -> Damaged:
    document, other = draw.choice(healthy), draw.choice(healthy)
    if draw.random() < 0.7:
        document = _renamed(draw, document)
    if draw.random() < 0.6:
        document = damaged(draw, document, other)
    if draw.random() < 0.8:
        document = laid_out(document)
    text = written(draw, document)
    return _file(draw, corrupted(draw, text) if draw.random() < 0.15 else text, end_of(document))


def _file(draw: Random, text: bytes, end: int) -> Damaged:
    """Mostly as long as the header says, so that what is in it gets looked at."""
    data = len(text).to_bytes(8, "little") + text
    size: int | None = len(data) + end
    chance = draw.random()
    if chance < 0.05:
        data = draw.choice((*_LENGTHS, max(len(text) - 1, 0), len(text) + 1)).to_bytes(8, "little") + text
    elif chance < 0.1:
        data = corrupted(draw, data)
    elif chance < 0.15:
        size = draw.choice((None, len(data), 0, len(data) // 2, len(data) + end + 1, 2**62))
    return Damaged(data=data, size=size, fill=draw.choice(_FILLS))


def whole(text: bytes) -> Damaged:
    """A file whose header is this text, and that does not say how long it is."""
    return Damaged(data=len(text).to_bytes(8, "little") + text, size=None)


def laid_out(document: Any) -> Any:
    """The tensors one after the other again, wherever type and shape still say how long they are."""
    if not isinstance(document, dict):
        return document
    at, found = 0, {}
    for name, entry in document.items():
        length = _length(entry) if name != "__metadata__" else None
        found[name] = entry if length is None else {**entry, "data_offsets": [at, at + length]}
        at += length or 0
    return found


def _length(entry: Any) -> int | None:
    if not isinstance(entry, dict) or not isinstance(dtype := entry.get("dtype"), str) or dtype not in DTYPE_BITS:
        return None
    shape = entry.get("shape")
    known = isinstance(shape, list) and all(type(extent) is int and 0 <= extent < 2**41 for extent in shape)
    return (prod(shape) * DTYPE_BITS[dtype] + 7) // 8 if known and isinstance(shape, list) and len(shape) < 8 else None


def end_of(document: Any) -> int:
    """Where the tensors end by their own word."""
    entries = document.values() if isinstance(document, dict) else ()
    places = [entry.get("data_offsets") for entry in entries if isinstance(entry, dict)]
    ends = [place[1] for place in places if isinstance(place, list) and len(place) == 2 and type(place[1]) is int]
    return max((end for end in ends if 0 <= end < 2**62), default=0)


def _renamed(draw: Random, document: Mapping[str, Any]) -> dict[str, Any]:
    """The same change to every tensor, or to one in three: it still looks like what somebody's trainer could write."""
    change = _name_change(draw)
    share = draw.choice((1.0, 1.0, 0.3))
    return {
        name if name == "__metadata__" or draw.random() > share else change(name): _reshaped(draw, entry, name)
        for name, entry in document.items()
    }


def _name_change(draw: Random) -> Callable[[str], str]:
    """Another suffix, another prefix, another word, or other letters."""
    suffix, prefix, strip = draw.choice(SUFFIXES), draw.choice(PREFIXES), draw.random() < 0.5
    one, other = draw.choice(_WORDS), draw.choice((*_WORDS, "", "é", "9" * 30))
    changes: tuple[Callable[[str], str], ...] = (
        lambda name: (name.partition(".")[0] if name.count(".") < 3 else name.rpartition(".")[0]) + suffix,
        lambda name: prefix + (name.partition(".")[2] if strip else name),
        lambda name: name.replace(one, other),
        lambda name: respelled(draw, name)[:3_000],
    )
    return draw.choice(changes)


def _reshaped(draw: Random, entry: Any, name: str) -> Any:
    if name == "__metadata__" or draw.random() > 0.05:
        return entry
    shape = [draw.choice(_EXTENTS) for _ in range(draw.choice((0, 1, 2, 2, 3, 4, 5)))]
    return {**entry, "shape": shape, "dtype": draw.choice((*DTYPE_BITS, entry["dtype"], "F17"))}


def _many(entry: str, before: str = "{", after: str = "}", most: int = MAX_HEADER_BYTES) -> Callable[[], bytes]:
    """As much of one thing as fits below the longest header that is read, or just as much as is let through."""

    def build() -> bytes:
        count = min(most, (MAX_HEADER_BYTES - len(before) - len(after) - 1) // len(entry))
        return before.encode() + (entry * count)[: -1 if entry.endswith(",") else None].encode() + after.encode()

    return build


def _tensors() -> bytes:
    """Close to as many tensors as are read, all of them well."""
    names = (f"lora_unet_{n}.lora_down.weight" for n in range(60_000))
    entries = ",".join(f'"{name}":{{"dtype":"F16","shape":[0,8],"data_offsets":[0,0]}}' for name in names)
    return b"{" + entries.encode() + b"}"


def _twice_at_last() -> bytes:
    names = (*range(300_000), 299_999)
    return b'{"__metadata__":{' + ",".join(f'"{name}":""' for name in names).encode() + b"}}"


def _tags() -> bytes:
    tags = ",".join(f'\\"tag {n}\\":{n}' for n in range(300_000))
    return f'{{"__metadata__":{{"ss_tag_frequency":"{{\\"1_a\\":{{{tags}}}}}"}}}}'.encode()


# Headers made to fill memory or time, all but the first few as large as is let through.
BOMBS: tuple[Callable[[], bytes], ...] = (
    _many("["),
    _many('{"a":'),
    _many("[],", '{"a":[', "]}"),
    _many("[],", '{"__metadata__":{"a":[', "]}}"),
    _many("{},", '{"__metadata__":{"a":[', "]}}"),
    _many("1.5,", '{"a":{"dtype":"F16","shape":[', '],"data_offsets":[0,0]}}'),
    _many("1000,", '{"a":{"dtype":"F16","shape":[', '],"data_offsets":[0,0]}}'),
    _many("1000,", '{"__metadata__":[', "]}"),
    _many("[],", '{"a":[', "]}", 499_000),
    _many("{},", '{"a":[', "]}", 199_000),
    _many("[],", '{"__metadata__":{"a":[', "]}}", 499_000),
    _many("1.5,", '{"a":{"dtype":"F16","shape":[', '],"data_offsets":[0,0]}}', 1_499_000),
    _many("1000,", '{"a":{"dtype":"F16","shape":[', '],"data_offsets":[0,0]}}', 1_499_000),
    _many("1000,", '{"__metadata__":[', "]}", 1_499_000),
    _many("1.5,", '{"__metadata__":{"a":', "}}", 1_499_000),
    _many('"a":"b",', '{"__metadata__":{', "}}", 499_000),
    _many("9", '{"a":{"dtype":"F16","shape":[', '],"data_offsets":[0,0]}}'),
    _many('"a":{},'),
    _many('"a",', '{"a":[', "]}"),
    _many("a", '{"__metadata__":{"ss_tag_frequency":"', '"}}'),
    _many("{", '{"__metadata__":{"ss_tag_frequency":"', '"}}'),
    _many("[", '{"__metadata__":{"ss_tag_frequency":"', '"}}'),
    _many("[1,", '{"__metadata__":{"ss_dataset_dirs":"', '"}}'),
    _many("a, ", '{"__metadata__":{"modelspec.trigger_phrase":"', '"}}'),
    _many(" ", "{", "}"),
    _tensors,
    _twice_at_last,
    _tags,
)
