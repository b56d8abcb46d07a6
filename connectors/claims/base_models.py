"""The base models of connectors/base_models.toml: lineages on an architecture, with their spellings and licences.

`identify` maps every spelling to a base model. Spellings are compared by letters and digits only ("Flux.1 D",
"flux.1-d"). A repo is looked up by its whole id, then by its name without the owner, then without the suffixes of
quantised and converted copies. Unlisted names are kept as written.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from connectors.errors import UsageError
from connectors.record import Claim, Source
from connectors.registry import HubName

FILE = Path(__file__).parents[1] / "base_models.toml"
Block = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseModel:
    """A base model. `architecture` is None if its weights are not published, because then a file can't prove it.

    `parent` is the lineage that it was derived from. `is_general`: any model of the architecture may have this name.
    `repos` are Hugging Face ids to search LoRAs by, the author's own repo first; `also` are other repos that are only
    recognised. `license` is the base model's licence, which binds its LoRAs too. `width` is the width of the network if
    models of the architecture differ in it. `ss_versions`, `modelspecs` and `simpletuner` are the words of trainers in
    a file's metadata. If `written_for_all` is set, scripts write these words for every file of the architecture.
    """

    id: str
    label: str
    architecture: str | None = None
    parent: str | None = None
    is_general: bool = False
    width: int | None = None
    license: str | None = None
    civitai: tuple[str, ...] = ()
    repos: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    ss_versions: tuple[str, ...] = ()
    modelspecs: tuple[str, ...] = ()
    simpletuner: tuple[str, ...] = ()
    written_for_all: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """A published size of an architecture. All sizes of an architecture have the same containers.

    `width` is the width of the hidden state. `blocks` has the number of blocks by container, 0 if it is unknown. `text`
    is the width of the text embedding if one layer reads it for all blocks.
    """

    width: int
    blocks: Mapping[str, int]
    text: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """An architecture. `label` is empty if its label is that of its first base model.

    `runs_in_float16`: its values stay in the range of float16. Other architectures generate black images in float16.
    """

    id: str
    label: str = ""
    network: tuple[Network, ...] = ()
    runs_in_float16: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class FamilyRow:
    """A base model of a family, which follows from the version or the words after the family's name.

    `versions` are the versions that mean it, and `words` is a pattern that must match after the version.
    """

    versions: tuple[str, ...]
    base: str
    words: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """A family of base models. `name` is a pattern."""

    name: str
    row: tuple[FamilyRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """The content of base_models.toml.

    `series` are names for several architectures. `pipelines` are the pipeline blocks of each base model; they may refer
    to `components` and `decoders`. `hub_ui.generate.base_models.table` reads all three.
    """

    models: tuple[BaseModel, ...]
    architectures: Mapping[str, Architecture]
    families: tuple[Family, ...]
    series: Mapping[str, tuple[str, ...]]
    checkpoints: Mapping[str, str]
    pipelines: tuple[tuple[BaseModel, tuple[Block, ...]], ...]
    components: Mapping[str, Block]
    decoders: Mapping[str, Block]


def read_tables(text: str) -> Tables:
    """Parse the file. Raises UsageError, with the block and the key, for a missing or unknown key or a wrong type."""
    file = _read(_File, tomllib.loads(text), FILE.name)
    models, pipelines = [], []
    for block in file.base:
        rows = block.pop("pipeline", [])
        model = read_block(BaseModel, block, "base")
        models.append(model)
        pipelines.append((model, read_block(tuple[Block, ...], rows, f"base {model.id}, pipeline")))
    families = tuple(read_block(Family, block, "family", key="name") for block in file.family)
    named = {*file.checkpoints.values(), *(row.base for family in families for row in family.row)}
    named |= {model.parent for model in models if model.parent}
    if unknown := named - {model.id for model in models}:
        raise UsageError(
            f"{FILE.name}: a parent, family or checkpoint is {min(unknown)}, which is no base. Mend its id."
        )
    architectures = [read_block(Architecture, block, "architecture") for block in file.architecture]
    return Tables(
        models=tuple(models),
        architectures={architecture.id: architecture for architecture in architectures},
        families=families,
        series=file.series,
        checkpoints=file.checkpoints,
        pipelines=tuple(pipelines),
        components=file.components,
        decoders=file.decoders,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    base: tuple[Block, ...]
    architecture: tuple[Block, ...] = ()
    family: tuple[Block, ...] = ()
    series: dict[str, tuple[str, ...]] = field(default_factory=dict)
    checkpoints: dict[str, str]
    components: dict[str, Block]
    decoders: dict[str, Block]


def read_block(kind: type[T], block: object, name: str, *, key: str = "id") -> T:
    """Return the block `name` as a dataclass. `key` is the field that identifies a block in messages."""
    block_id = block.get(key) if isinstance(block, dict) else None
    return _read(kind, block, f"{FILE.name}, {name} {block_id}" if block_id else f"{FILE.name}, {name}")


def _read(kind: type[T], block: object, where: str) -> T:
    try:
        read = msgspec.convert(block, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {error}. Mend the block.") from error
    if unknown := next(_unknown(block, msgspec.to_builtins(read), ""), None):
        raise UsageError(f"{where}: there is no key `{unknown}`. Mend the block.")
    return read


def _unknown(block: object, read: object, at: str) -> Iterator[str]:
    """Yield the keys of a block that were not read."""
    if isinstance(block, dict) and isinstance(read, dict):
        for key, value in block.items():
            if key in read:
                yield from _unknown(value, read[key], f"{at}{key}.")
            else:
                yield at + key
    elif isinstance(block, list) and isinstance(read, list | tuple):
        for value, known in zip(block, read, strict=False):
            yield from _unknown(value, known, at)


TABLES = read_tables(FILE.read_text(encoding="utf-8"))
BASE_MODELS = TABLES.models


_BY_ID: Mapping[str, BaseModel] = {model.id: model for model in BASE_MODELS}
# Labels. An architecture without its own label has that of its first base model.
ARCHITECTURES: Mapping[str, str] = {
    **{model.architecture: model.label for model in reversed(BASE_MODELS) if model.architecture},
    **{name: architecture.label for name, architecture in TABLES.architectures.items() if architecture.label},
}
# Words for no base model: authors on CivitAI choose them for an unknown or unlisted base, and tools write them.
_NO_BASE = ("other", "unknown", "upscaler", "undefined", "none", "null", "na")
# Longer names are not looked up, because removing the suffixes below one by one is slow for a hostile name.
_LONGEST_NAME = 200
# Suffixes of repos that copy a model: black-forest-labs/FLUX.1-dev-fp8, ...-bnb-4bit, ...-GGUF.
_COPY = re.compile(
    r"[-_.](?:fp8(?:-?e4m3fn)?|fp16|bf16|fp32|int[48]|[48]-?bits?|(?:bnb-)?(?:nf4|[48]-?bits?)|bnb|nvfp4|mxfp8|gguf|awq"
    r"|gptq|hqq|torchao|sdnq[\w-]*|nunchaku|svdq[\w-]*|quanti[sz]ed|quanto|diffusers|comfyui|repackaged|onnx|mlx"
    r"|mirror|copy|clone|safetensors|single-?file|non-?ema|official|hf)$",
    re.IGNORECASE,
)


def by_id(model_id: str) -> BaseModel | None:
    return _BY_ID.get(model_id)


def architecture_of(model_id: str) -> str | None:
    model = by_id(model_id)
    return model.architecture if model else None


def identify(name: str) -> BaseModel | None:
    """Return the base model that a hub, card or person calls `name`, or None for an unlisted name."""
    if len(name) > _LONGEST_NAME:
        return None
    model = _by_spelling().get(spelling_key(name))
    # "Pony / Illustrious" is not a repo.
    if model is not None or "/" not in name or "/ " in name:
        return model
    repo = name.rstrip("/").rpartition("/")[2]
    while (model := _by_spelling().get(spelling_key(repo))) is None:
        shorter = _COPY.sub("", repo)
        if shorter == repo:
            return None
        repo = shorter
    return model


def find_id(name: str) -> str:
    """Return the id of the architecture or base model that a person calls `name`. Return an unlisted name unchanged."""
    folded = name.casefold()
    if folded in ARCHITECTURES:
        return folded
    model = by_id(folded) or identify(name)
    return model.id if model else name


def unfold_series(name: str) -> tuple[str, ...]:
    """Return the architectures of the series `name`, or `name` alone if it is not a series.

    A series may have one architecture only, such as "FLUX.1", which is also spelled like an alias of a base model.
    """
    return TABLES.series.get(spelling_key(name), (name,))


def label(name: str) -> str:
    """Return the label of a base model's id or an architecture. Return an unlisted name unchanged."""
    model = by_id(name)
    return model.label if model else architecture_label(name)


def architecture_label(architecture: str) -> str:
    return ARCHITECTURES.get(architecture, architecture)


def architecture_labels(architectures: Iterable[str]) -> str:
    """Return the labels as one text: "Chroma, FLUX.1 or HunyuanVideo"."""
    *first, last = sorted(map(architecture_label, architectures), key=str.casefold)
    return " or ".join(filter(None, (", ".join(first), last)))


def spellings(id_or_architecture: str, hub: HubName) -> tuple[str, ...]:
    """Return how `hub` spells a base model, or the base models of an architecture, for a search.

    Return an unlisted name unchanged.
    """
    models = _find(id_or_architecture)
    names: Mapping[HubName, Iterable[str]] = {
        "civitai": (name for model in models for name in model.civitai),
        "huggingface": (repo for model in models for repo in model.repos),
    }
    return tuple(names.get(hub, ())) or (() if models else (id_or_architecture,))


def is_listed(name: str) -> bool:
    """Return whether `name` is a base model or an architecture of these tables, in any spelling."""
    return bool(_find(name))


def choices() -> tuple[str, ...]:
    """Return the names to choose from: architectures, ids and labels."""
    return (
        *ARCHITECTURES,
        *(name for model in BASE_MODELS if model.id not in _NO_BASE for name in (model.id, model.label)),
    )


def base_claims(raw: str, source: Source, where: str, *, is_mention: bool = False) -> tuple[Claim, ...]:
    """Return claims of base_model, architecture and raw_base_model, from the name that a hub or card gives.

    A name that a text only mentions (`is_mention`) makes no raw_base_model claim.
    """
    model = identify(raw)
    base = model.id if model else raw if spelling_key(raw) not in _NO_BASE else None
    if base in _NO_BASE:
        model = base = None
    values = {
        "raw_base_model": "" if is_mention else raw,
        "base_model": base,
        "architecture": model.architecture if model else None,
    }
    return tuple(
        Claim(field=field, value=value, source=source, where=where) for field, value in values.items() if value
    )


def matches(
    record_base_model: str | None, record_architecture: str | None, raw: str | None, bases: tuple[str, ...]
) -> bool:
    """Return whether a record is on one of the `bases`: ids, architectures, or names as a hub writes them."""
    if not bases:
        return True
    names = {name.casefold() for name in (record_base_model, record_architecture, raw) if name}
    return any(name.casefold() in names or find_id(name) in names for name in bases)


def _find(name: str) -> tuple[BaseModel, ...]:
    """Return the base models of the architecture `name`, or the base model that it names."""
    known_id = find_id(name)
    return tuple(model for model in BASE_MODELS if known_id in (model.id, model.architecture))


def spelling_key(name: str) -> str:
    """Return only the letters and digits of `name`, in lower case, so that different spellings have the same key."""
    return "".join(char for char in name.casefold() if char.isalnum())


@cache
def _by_spelling() -> Mapping[str, BaseModel]:
    """Return all base models by spelling key. A hub's own name wins over another model's alias."""
    models: dict[str, BaseModel] = {}
    for model in BASE_MODELS:
        for name in (model.id, *model.civitai, *model.repos, *model.also):
            models.setdefault(spelling_key(name), model)
    for model in BASE_MODELS:
        for name in (model.label, *model.aliases, *(repo.partition("/")[2] for repo in model.repos)):
            models.setdefault(spelling_key(name), model)
    return models


# A number right after a name, with a letter ("i1") or without; or a year and a month. A size or a number of steps is
# not a version. Authors number their own work as "v2", so "v" counts only if the family lists it.
_VERSION = re.compile(
    r"[- _.]?(2[4-9](?:0[1-9]|1[0-2])|[a-uw-z]\d(?![a-z\d])|v?(?:0|[1-9]\d?)[._]\d{1,2}|v?[1-9]-\d(?![a-z\d])"
    r"|v?[1-9]\d?)(?![.,]?\d|[bkmpx](?![a-z])|px|[- _]?(?:bits?|steps?|epochs?)(?![a-z]))",
    re.IGNORECASE,
)
_LONGEST = 1_000


def find_base_name(text: str) -> tuple[str, str] | None:
    """Return the base model that a text mentions, and the words that name it. Return None for an unlisted version."""
    text = text[:_LONGEST]
    unknown: list[re.Match[str]] = []
    for family in TABLES.families:
        for match in re.finditer(family.name, text, re.IGNORECASE):
            # Skip matches within an unlisted version: "HiDream-I2" must not count as HiDream without a version.
            if any(match.start() < other.end() and other.start() < match.end() for other in unknown):
                continue
            number = _VERSION.match(text, match.end())
            version = re.sub("[-_]", ".", number[1].casefold()) if number else "-"
            version = "-" if version in ("v1", "v1.0") else version
            end = number.end() if number else match.end()
            for row in family.row:
                is_listed = version in row.versions or "*" in row.versions
                if is_listed and (words := re.compile(row.words, re.IGNORECASE).match(text, end)):
                    return row.base, text[match.start() : words.end()]
            if number:
                unknown.append(match)
                break
    return None
