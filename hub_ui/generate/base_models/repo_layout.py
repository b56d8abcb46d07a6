"""Which files of a base model's repo are needed, and what those in a folder hold."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import file_digest, sha256
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import SafetensorError, safe_open

from connectors.errors import NoBase
from hub_ui.base.i18n import _

_SHA256 = re.compile(r"[0-9a-f]{64}")
# What a pipeline is read from.
_FILES_OF_A_BASE = (".safetensors", ".gguf", ".json", ".txt", ".model")


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalBase:
    """Where a base is on this disk. `parts` are folders of parts outside `folder`, by name; weights in `checkpoint`
    replace those of some parts, and those in `beside` of further networks.
    """

    folder: Path
    revision: str | None = None
    parts: Mapping[str, Path] = field(default_factory=dict)
    checkpoint: Path | None = None
    beside: Mapping[str, Path] = field(default_factory=dict)

    def sha256(self) -> str | None:
        """Of what no commit pins: all files of one's own folder, and a checkpoint. None for a base of a hub."""
        found = () if self.revision else self.folder.rglob("*")
        files = [file for file in found if file.suffix in _FILES_OF_A_BASE and file.is_file()]
        files += [self.checkpoint, *self.beside.values()] if self.checkpoint else []
        lines = (f"{self._name(file)} {_sha256_of(file)}" for file in files)
        return sha256("\n".join(sorted(lines)).encode()).hexdigest() if files else None

    @property
    def advice(self) -> str:
        """What to do about files in Hugging Face's cache, which counts even damaged files as downloaded."""
        if self.revision is None:
            return "Choose another base."
        return f"Delete {self.folder.parents[1]} to have it fetched again, or choose another base."

    def index(self, label: str, brings: frozenset[str], dtype: str) -> Index:
        """With the variants of its files that a base of that type is loaded from. What is missing is named, because
        diffusers' own errors don't.
        """
        index = read_index(self.folder)
        if index is None:
            text = _("{folder} holds no model_index.json, so it is no base for diffusers. Choose another base.")
            raise NoBase(text.format(folder=self.folder))
        if missing := [name for name in missing_parts(self.folder, index, brings) if name not in self.parts]:
            parts = ", ".join(missing).replace("_", " ")
            text = _("{label} is not whole: its {parts} can't be found. {fetched}")
            raise NoBase(text.format(label=label, parts=parts, fetched=self.advice))
        for name in index.parts:
            check_packing(label, self.folder / name)
        found = {
            name: choose_variant((path.name for path in self.folder.glob(f"{name}/*.safetensors")), dtype)
            for name in ("*", *index.parts)
        }
        of_parts = {name: replace(part, variant=found[name]) for name, part in index.parts.items()}
        return replace(index, parts=of_parts, variant=found["*"])

    def _name(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix() if file.is_relative_to(self.folder) else file.name


def _sha256_of(file: Path) -> str:
    # Files of Hugging Face's cache are called so.
    if _SHA256.fullmatch(file.resolve().name):
        return file.resolve().name
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()


def count_parameters(folder: Path, part: str) -> int:
    """Of a part in a folder in diffusers' layout; 0 where there is none."""
    count = 0
    for path in folder.glob(f"{part}/*.safetensors"):
        try:
            count += _count_parameters(path, path.stat().st_mtime_ns)
        except (SafetensorError, OSError):
            continue
    return count


# A plan is made many times for the same files.
@lru_cache(maxsize=256)
def _count_parameters(path: Path, changed: int) -> int:
    """Of one file, last `changed` at that time."""
    with safe_open(path, framework="np") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


_FILE = tomllib.loads(Path(__file__).with_name("repo_layout.toml").read_text(encoding="utf-8"))
INDEXES, LEFT_OUT, _TEXTS, _WEIGHTLESS = (
    tuple(map(str, _FILE[name])) for name in ("indexes", "left_out", "texts", "weightless")
)
# "model.fp16-00001-of-00002.safetensors", "diffusion_pytorch_model-00001-of-00003.fp16.safetensors"
_WEIGHTS = re.compile(
    r"(?P<stem>[\w-]+?)(?:\.(?P<variant>\w+))?(?:-(?P<at>\d{5})-of-(?P<of>\d{5}))?(?:\.(?P<last>\w+))?\.safetensors"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part as the index names it. `repo` and `folder` say where it is, if not in this repo under its name. `variant`
    is that of its files which fits best, where they were looked at.
    """

    library: str
    kind: str
    repo: str | None = None
    folder: str = ""
    variant: str | None = None

    @property
    def has_weights(self) -> bool:
        return not self.kind.endswith(_WEIGHTLESS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """`pipeline` is a class of diffusers. Parts that are switched off in the index are left out. `variant` is that of
    all parts together.
    """

    pipeline: str
    parts: Mapping[str, Part]
    variant: str | None = None


def read_index(folder: Path, repo: str = "", names: Iterable[str] | None = None) -> Index | None:
    """None for a missing or unreadable index. `names` are the files of the `repo`, by default those in the folder."""
    for name in INDEXES:
        try:
            data = json.loads((folder / name).read_text(encoding="utf-8"))
            there = (f"{path.name}/" for path in folder.iterdir() if path.is_dir())
            return parse_index(data, repo, there if names is None else names)
        except (OSError, ValueError):
            continue
    return None


def check_packing(label: str, part: Path) -> None:
    """Raises NoBase for a part in a folder whose weights can't be unpacked here, which diffusers says at length."""
    try:
        packing = json.loads((part / "config.json").read_text(encoding="utf-8"))["quantization_config"]
        name = re.sub(r"\W+", " ", str(packing["quant_method"]))[:40]
    except (OSError, ValueError, LookupError, TypeError):
        return
    if name not in _FILE["packers"]:
        text = _("{label} is packed by {name}, which can't be unpacked here. Choose a version in bf16, GGUF or SDNQ.")
        raise NoBase(text.format(label=label, name=name))
    if find_spec(name) is None:
        text = _(
            "{label} is packed by {name}, which is not installed. Install it (pip install {name}), or choose "
            "another base."
        )
        raise NoBase(text.format(label=label, name=name))


def parse_index(data: Any, repo: str, names: Iterable[str]) -> Index:
    """Raises ValueError for JSON that is no index. All parts in the repo, which has files of these `names`, are its
    own: the index of a copy still names the original repo.
    """
    if not isinstance(data, dict):
        raise ValueError("no index")
    pipeline = str(data.get("_class_name", ""))
    left_out, folders = parts_to_leave_out(pipeline), {PurePosixPath(name).parts[0] for name in names if "/" in name}
    parts = {str(name): part for name, value in data.items() if (part := _parse_part(value)) and name not in left_out}
    own = {
        name: replace(part, repo=None, folder="")
        for name, part in parts.items()
        if part.repo == repo or name in folders
    }
    return Index(pipeline=pipeline, parts={**parts, **own})


def parts_to_leave_out(pipeline: str) -> tuple[str, ...]:
    return LEFT_OUT[:1] if pipeline.endswith("ImageToVideoPipeline") else LEFT_OUT


def _parse_part(value: Any) -> Part | None:
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
    folder = str(where.get("subfolder") or "") if repo else ""
    return Part(library=library, kind=kind, repo=repo if isinstance(repo, str) else None, folder=folder)


def select_files(
    files: Iterable[str], index: Index | None, dtype: str, *, replaced_parts: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Settings of all parts, and each part's weights once: half precision if there is one, no pickles.

    Weights of `replaced_parts` come from another file. Raises NoBase.
    """
    parts = index.parts if index else {}
    texts, weights = list[str](), dict[str, list[str]]()
    for path in map(PurePosixPath, files):
        part = path.parts[0]
        own = part in parts and parts[part].repo is None
        if str(path) in INDEXES or (own and len(path.parts) == 2 and path.suffix in _TEXTS):
            texts.append(str(path))
        elif own and len(path.parts) == 2 and path.suffix == ".safetensors" and part not in replaced_parts:
            weights.setdefault(part, []).append(str(path))
    if index is None or not (weights or replaced_parts):
        text = _("The repository holds no model in diffusers' layout with safetensors weights. Choose another base.")
        raise NoBase(text)
    own_parts = (name for name, part in parts.items() if not part.repo and part.has_weights)
    lacking = sorted(set(own_parts) - replaced_parts - weights.keys())
    if lacking:
        text = _(
            "The repository has no safetensors weights for {lacking}; other formats can run code and are "
            "not loaded. Choose another base."
        )
        raise NoBase(text.format(lacking=", ".join(lacking).replace("_", " ")))
    variant = choose_variant((name for names in weights.values() for name in names), dtype)
    return tuple(sorted([*texts, *(name for names in weights.values() for name in _select_weights(names, variant))]))


def select_part_files(files: Iterable[str], folder: str, dtype: str, *, kind: str) -> tuple[str, ...]:
    """The same for one part in another repo: `folder` is where it is there, "" for the top."""
    names = [name for name in files if str(PurePosixPath(name).parent) == (folder or ".")]
    texts = [name for name in names if name.endswith(_TEXTS) and name not in INDEXES]
    if not Part(library="", kind=kind).has_weights:
        return tuple(sorted(texts))
    weights = [name for name in names if name.endswith(".safetensors")]
    return tuple(sorted([*texts, *_select_weights(weights, choose_variant(weights, dtype))]))


def choose_variant(weights: Iterable[str], dtype: str) -> str | None:
    """The variant to request from diffusers, which falls back to the plain files for parts without it."""
    there = {_variant(name) for name in weights}
    return next((variant for variant in _FILE["variants"].get(dtype, ()) if variant in there), None)


def missing_parts(folder: Path, index: Index, replaced_parts: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Parts of the index that are missing from a folder, or incomplete."""
    return tuple(
        name
        for name, part in index.parts.items()
        if part.repo is None and not _is_whole(folder / name, part.has_weights and name not in replaced_parts)
    )


def _is_whole(folder: Path, with_weights: bool) -> bool:
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if not with_weights:
        return bool(names)
    found = [match for name in names if (match := _WEIGHTS.fullmatch(name))]
    counted = {match["of"]: {each["at"] for each in found if each["of"] == match["of"]} for match in found}
    return "config.json" in names and any(of is None or len(at) >= int(of) for of, at in counted.items())


def _select_weights(names: list[str], variant: str | None) -> list[str]:
    """One set of weights: the variant, else the plain one; in one file rather than in many."""
    matches = {name: _WEIGHTS.fullmatch(PurePosixPath(name).name) for name in names}
    usual = [name for name, match in matches.items() if match and match["stem"] in _FILE["stems"]] or names
    same = [name for name in usual if _variant(name) == variant] or [name for name in usual if not _variant(name)]
    whole = [name for name in same if "-of-" not in PurePosixPath(name).name]
    return whole or same or usual


def _variant(name: str) -> str | None:
    match = _WEIGHTS.fullmatch(PurePosixPath(name).name)
    return (match["variant"] or match["last"]) if match else None
