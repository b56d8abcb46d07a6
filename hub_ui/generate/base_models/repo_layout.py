"""How many numbers a base has, counted in the files of a folder: only their headers are read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import SafetensorError, safe_open

from connectors.errors import NoBase

_NETWORKS = ("unet", "transformer")


def in_base(folder: Path) -> int:
    """Of all parts; 0 where there is no such folder."""
    return sum(map(_count, folder.glob("*/*.safetensors")))


def in_network(folder: Path) -> int:
    """Of the part that is run in every step."""
    return sum(_count(path) for name in _NETWORKS for path in folder.glob(f"{name}/*.safetensors"))


def _count(path: Path) -> int:
    try:
        with safe_open(path, framework="np") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return 0


PLAIN_INDEX, MODULAR_INDEX = "model_index.json", "modular_model_index.json"
INDEXES = (PLAIN_INDEX, MODULAR_INDEX)
# The checker is left out: it is a gigabyte, and rates what a person asked to see on their own machine.
LEFT_OUT = ("safety_checker", "feature_extractor", "image_encoder")
_TEXTS = (".json", ".txt", ".model", ".jinja")
# Classes of parts that are settings and vocabularies only.
# transformers 5 saves a tokenizer without a class of its own as TokenizersBackend.
_WEIGHTLESS = ("Scheduler", "Tokenizer", "TokenizerFast", "Backend", "Processor", "Extractor", "Guidance", "Guider")
# "model.fp16-00001-of-00002.safetensors", "diffusion_pytorch_model-00001-of-00003.fp16.safetensors"
_WEIGHTS = re.compile(
    r"(?P<stem>[\w-]+?)(?:\.(?P<variant>\w+))?(?:-(?P<at>\d{5})-of-(?P<of>\d{5}))?(?:\.(?P<last>\w+))?\.safetensors"
)
_STEMS = ("model", "diffusion_pytorch_model")
# Half the bytes for the same picture; which half comes first depends on what the network is run in.
_VARIANTS: Mapping[str, tuple[str, ...]] = {"bfloat16": ("bf16", "fp16"), "float16": ("fp16", "bf16")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part as the index names it. `repo` and `folder` say where it lies when that is not here, under its name."""

    library: str
    kind: str
    repo: str | None = None
    folder: str = ""

    @property
    def has_weights(self) -> bool:
        return not self.kind.endswith(_WEIGHTLESS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """`pipeline` is the class of diffusers that it is for. Parts that are switched off in the index are left out."""

    pipeline: str
    parts: Mapping[str, Part]


def read_index(folder: Path) -> Index | None:
    """None where there is no index, or one that can't be read."""
    for name in INDEXES:
        try:
            index = parse_index(json.loads((folder / name).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
        return at_home(index, "", (f"{path.name}/" for path in folder.iterdir() if path.is_dir()))
    return None


def parse_index(data: Any) -> Index:
    """Raises ValueError for JSON that is no index."""
    if not isinstance(data, dict):
        raise ValueError("no index")
    parts = {str(name): found for name, value in data.items() if (found := _part(value)) is not None}
    kept = {name: part for name, part in parts.items() if name not in LEFT_OUT}
    return Index(pipeline=str(data.get("_class_name", "")), parts=kept)


def at_home(index: Index, repo: str, names: Iterable[str]) -> Index:
    """The index with all parts that the repo itself holds counted as its own: a copy still names the original's."""
    folders = {PurePosixPath(name).parts[0] for name in names if "/" in name}
    parts = {
        name: replace(part, repo=None, folder="") if part.repo == repo or name in folders else part
        for name, part in index.parts.items()
    }
    return Index(pipeline=index.pipeline, parts=parts)


def _part(value: Any) -> Part | None:
    """["transformers", "CLIPTextModel"]; a modular index adds a third: repo, subfolder and the like, by name."""
    if not isinstance(value, list) or len(value) not in (2, 3):
        return None
    where = value[2] if len(value) == 3 and isinstance(value[2], dict) else {}
    library, kind = value[0], value[1]
    hint = where.get("type_hint")
    if not library and isinstance(hint, list) and len(hint) == 2:
        library, kind = hint
    if not isinstance(library, str) or not isinstance(kind, str):
        return None
    repo = where.get("pretrained_model_name_or_path") or where.get("repo")
    return Part(
        library=library,
        kind=kind,
        repo=repo if isinstance(repo, str) else None,
        folder=str(where.get("subfolder") or "") if repo else "",
    )


def wanted(
    files: Iterable[str], index: Index | None, dtype: str, *, brought: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """The settings of all parts, and each part's weights once: half precision where there is one, and no pickles.

    `index` is None while nobody may read it; every folder counts as a part then. The weights of parts in `brought` come
    from elsewhere. Raises NoBase for a repo that can't be used.
    """
    names = tuple(files)
    texts = [name for name in names if name in INDEXES or _is_text(name, index)]
    weights = _weights(names, index, brought)
    if not any(name in INDEXES for name in texts) or (not weights and not brought):
        raise NoBase(
            "The repository holds no model in diffusers' layout with safetensors weights. Choose another base."
        )
    lacking = () if index is None else tuple(sorted(_own(index) - brought - weights.keys()))
    if lacking:
        raise NoBase(
            f"The repository has no safetensors weights for {_named(lacking)}; other formats can run code and are not "
            "loaded. Choose another base."
        )
    variant = variant_of(weights, dtype)
    return tuple(sorted([*texts, *(name for listed in weights.values() for name in _chosen(listed, variant))]))


def of_part(files: Iterable[str], folder: str, dtype: str, *, kind: str) -> tuple[str, ...]:
    """The same for one part that lies in another repo: the files of a folder there, "" for the top one."""
    names = [name for name in files if str(PurePosixPath(name).parent) == (folder or ".")]
    texts = [name for name in names if name.endswith(_TEXTS) and name not in INDEXES]
    if not Part(library="", kind=kind).has_weights:
        return tuple(sorted(texts))
    weights = [name for name in names if name.endswith(".safetensors")]
    return tuple(sorted([*texts, *_chosen(weights, variant_of({"": weights}, dtype))]))


def variant_of(weights: Mapping[str, Iterable[str]], dtype: str) -> str | None:
    """What diffusers is to ask for: it falls back to the plain files for parts that have no such variant."""
    there = {_variant(name) for listed in weights.values() for name in listed}
    return next((variant for variant in _VARIANTS.get(dtype, ()) if variant in there), None)


def variant_in(folder: Path, dtype: str) -> str | None:
    return variant_of({"": [path.name for path in folder.glob("*/*.safetensors")]}, dtype)


def missing(folder: Path, index: Index, brought: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Parts of the index that are not, or not whole, in a folder."""
    return tuple(
        name
        for name, part in index.parts.items()
        if part.repo is None and not _is_there(folder / name, part.has_weights and name not in brought)
    )


def _is_there(folder: Path, with_weights: bool) -> bool:
    if not folder.is_dir():
        return False
    names = [path.name for path in folder.iterdir()]
    if not with_weights:
        return bool(names)
    found = [match for name in names if (match := _WEIGHTS.fullmatch(name))]
    counted = {match["of"]: {each["at"] for each in found if each["of"] == match["of"]} for match in found}
    return "config.json" in names and any(of is None or len(at) >= int(of) for of, at in counted.items())


def _own(index: Index) -> set[str]:
    """Parts whose weights must be in the repo itself."""
    return {name for name, part in index.parts.items() if part.repo is None and part.has_weights}


def _is_text(name: str, index: Index | None) -> bool:
    path = PurePosixPath(name)
    return len(path.parts) == 2 and path.suffix in _TEXTS and _is_part(path.parts[0], index)


def _is_part(name: str, index: Index | None) -> bool:
    return name not in LEFT_OUT if index is None else name in index.parts and index.parts[name].repo is None


def _weights(names: Iterable[str], index: Index | None, brought: frozenset[str]) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        if len(path.parts) != 2 or path.suffix != ".safetensors" or path.parts[0] in brought:
            continue
        if _is_part(path.parts[0], index):
            parts.setdefault(path.parts[0], []).append(name)
    return parts


def _chosen(names: Iterable[str], variant: str | None) -> list[str]:
    """One set of weights: the variant, else the plain one; in one file rather than in many."""
    usual = [name for name in names if _stem(name) in _STEMS] or list(names)
    same = [name for name in usual if _variant(name) == variant] or [name for name in usual if not _variant(name)]
    whole = [name for name in same if "-of-" not in PurePosixPath(name).name]
    return whole or same or usual


def _stem(name: str) -> str:
    match = _WEIGHTS.fullmatch(PurePosixPath(name).name)
    return match["stem"] if match else ""


def _variant(name: str) -> str | None:
    match = _WEIGHTS.fullmatch(PurePosixPath(name).name)
    return (match["variant"] or match["last"]) if match else None


def _named(parts: tuple[str, ...]) -> str:
    return ", ".join(part.replace("_", " ") for part in parts)
