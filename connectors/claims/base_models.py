"""The taxonomy of connectors/base_models.toml: lineages on an architecture, how each is called, its licence.

Every spelling of a base model -> one base model -> its architecture. A hub's own word is looked up by letters and
digits only ("Flux.1 D", "flux.1-d"). A repo is looked up whole, then by its name without the owner, then without the
endings that quantised and converted copies carry. An unlisted name passes through as written.
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
    """`architecture` is None where the weights are not published, so that no file can prove one.

    `parent` is the lineage that it grew out of. `is_general`: everything on the architecture may be called so.
    `repos` are Hugging Face ids, the author's own first, by which LoRAs are searched; `also` are only recognised.
    `license` is the base's own, which binds its LoRAs too. `width` is the network's, where models of the architecture
    differ in it. `ss_versions`, `modelspecs` and `simpletuner` are the words of trainers in a file's metadata, which
    scripts write for every file on the architecture if `written_for_all`.
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
    """A published size: the `width` of the hidden state, and the number of `blocks` by container, 0 for an unknown one.
    All of an architecture have the same containers.

    `text` is the width of the text embedding, where one layer reads it for all blocks.
    """

    width: int
    blocks: Mapping[str, int]
    text: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """`label` is empty for one that is called like its first base model. `runs_in_float16`: its values stay in the
    range of float16; elsewhere images are black there.
    """

    id: str
    label: str = ""
    network: tuple[Network, ...] = ()
    runs_in_float16: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class FamilyRow:
    """The `versions` and the pattern of `words` that mean the model `base` after the name of a family."""

    versions: tuple[str, ...]
    base: str
    words: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """`name` is a pattern."""

    name: str
    row: tuple[FamilyRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """The file. `series` are names for several architectures. `pipelines` are blocks by the base that they are under;
    they may name `components` and `decoders`. `hub_ui.generate.base_models.table` reads these.
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
    """Raises UsageError, with the block and the key, for a key that is missing or unknown or has the wrong type."""
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
        architectures={each.id: each for each in architectures},
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
    """The block of that name as a dataclass; `key` is the field that tells blocks apart."""
    own = block.get(key) if isinstance(block, dict) else None
    return _read(kind, block, f"{FILE.name}, {name} {own}" if own else f"{FILE.name}, {name}")


def _read(kind: type[T], block: object, where: str) -> T:
    try:
        read = msgspec.convert(block, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {error}. Mend the block.") from error
    if unknown := next(_unknown(block, msgspec.to_builtins(read), ""), None):
        raise UsageError(f"{where}: there is no key `{unknown}`. Mend the block.")
    return read


def _unknown(block: object, read: object, at: str) -> Iterator[str]:
    """The keys of a block that were not read."""
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
# Display names. An architecture without one of its own is called like its first base model.
ARCHITECTURES: Mapping[str, str] = {
    **{model.architecture: model.label for model in reversed(BASE_MODELS) if model.architecture},
    **{name: architecture.label for name, architecture in TABLES.architectures.items() if architecture.label},
}
# What CivitAI's authors choose when they don't know or it isn't listed, and tools write: no base model at all.
_NO_BASE = ("other", "unknown", "upscaler", "undefined", "none", "null", "na")
# Longer than any repo's name: removing the endings below one by one takes long on a hostile name.
_LONGEST_NAME = 200
# Endings of repos that copy the same model: black-forest-labs/FLUX.1-dev-fp8, ...-bnb-4bit, ...-GGUF.
_COPY = re.compile(
    r"[-_.](?:fp8(?:-?e4m3fn)?|fp16|bf16|fp32|int[48]|[48]-?bits?|(?:bnb-)?(?:nf4|[48]-?bits?)|bnb|nvfp4|mxfp8|gguf|awq"
    r"|gptq|hqq|torchao|sdnq[\w-]*|nunchaku|svdq[\w-]*|quanti[sz]ed|quanto|diffusers|comfyui|repackaged|onnx|mlx"
    r"|mirror|copy|clone|safetensors|single-?file|non-?ema|official|hf)$",
    re.IGNORECASE,
)


def by_id(model_id: str) -> BaseModel | None:
    return _BY_ID.get(model_id)


def architecture_of(model_id: str) -> str | None:
    known = by_id(model_id)
    return known.architecture if known else None


def identify(name: str) -> BaseModel | None:
    """The base model that a hub, card or person calls `name`; None for an unlisted name."""
    if len(name) > _LONGEST_NAME:
        return None
    found = _by_spelling().get(spelling_key(name))
    # No repo's name is "Pony / Illustrious".
    if found is not None or "/" not in name or "/ " in name:
        return found
    repo = name.rstrip("/").rpartition("/")[2]
    while (found := _by_spelling().get(spelling_key(repo))) is None:
        shorter = _COPY.sub("", repo)
        if shorter == repo:
            return None
        repo = shorter
    return found


def find_id(name: str) -> str:
    """Return the id of the architecture or base model that a person calls `name`. Return an unlisted name unchanged."""
    folded = name.casefold()
    if folded in ARCHITECTURES:
        return folded
    found = by_id(folded) or identify(name)
    return found.id if found else name


def unfold_series(name: str) -> tuple[str, ...]:
    """Return the architectures of the series `name`, or `name` alone if there is no such series.

    "FLUX.1" is such a name for one architecture: an alias of a base model has the same letters.
    """
    return TABLES.series.get(spelling_key(name), (name,))


def label(name: str) -> str:
    """The name to show for a base model's id or an architecture; an unlisted name stays as it is."""
    found = by_id(name)
    return found.label if found else architecture_label(name)


def architecture_label(architecture: str) -> str:
    return ARCHITECTURES.get(architecture, architecture)


def architecture_labels(architectures: Iterable[str]) -> str:
    """ "Chroma, FLUX.1 or HunyuanVideo"."""
    *first, last = sorted(map(architecture_label, architectures), key=str.casefold)
    return " or ".join(filter(None, (", ".join(first), last)))


def spellings(id_or_architecture: str, hub: HubName) -> tuple[str, ...]:
    """How `hub` spells a base model or an architecture's base models, for its filter; an unlisted name as written."""
    models = _find(id_or_architecture)
    names: Mapping[HubName, Iterable[str]] = {
        "civitai": (name for model in models for name in model.civitai),
        "huggingface": (repo for model in models for repo in model.repos),
    }
    return tuple(names.get(hub, ())) or (() if models else (id_or_architecture,))


def is_listed(name: str) -> bool:
    """Whether `name` is a base model or an architecture of these tables, however it is spelled."""
    return bool(_find(name))


def choices() -> tuple[str, ...]:
    """The names to choose from: architectures, ids and labels."""
    return (
        *ARCHITECTURES,
        *(name for model in BASE_MODELS if model.id not in _NO_BASE for name in (model.id, model.label)),
    )


def base_claims(raw: str, source: Source, where: str, *, is_mention: bool = False) -> tuple[Claim, ...]:
    """Claims of base_model, architecture and raw_base_model, from the name that a hub or card gives.

    A mention in a text gives the name to nothing, so it is no raw name.
    """
    found = identify(raw)
    base = found.id if found else raw if spelling_key(raw) not in _NO_BASE else None
    if base in _NO_BASE:
        found = base = None
    values = {
        "raw_base_model": "" if is_mention else raw,
        "base_model": base,
        "architecture": found.architecture if found else None,
    }
    return tuple(
        Claim(field=field, value=value, source=source, where=where) for field, value in values.items() if value
    )


def matches(
    record_base_model: str | None, record_architecture: str | None, raw: str | None, bases: tuple[str, ...]
) -> bool:
    """Whether a record is on one of the `bases`: ids, architectures, or names as a hub writes them."""
    if not bases:
        return True
    own = {name.casefold() for name in (record_base_model, record_architecture, raw) if name}
    return any(name.casefold() in own or find_id(name) in own for name in bases)


def _find(name: str) -> tuple[BaseModel, ...]:
    """The base models of the architecture `name`, or the one that it spells."""
    known = find_id(name)
    return tuple(model for model in BASE_MODELS if known in (model.id, model.architecture))


def spelling_key(name: str) -> str:
    """Letters and digits only, in lower case: what two spellings of a name have in common."""
    return "".join(char for char in name.casefold() if char.isalnum())


@cache
def _by_spelling() -> Mapping[str, BaseModel]:
    """Every spelling, reduced to letters and digits. A hub's own name wins over another model's alias."""
    found: dict[str, BaseModel] = {}
    for model in BASE_MODELS:
        for name in (model.id, *model.civitai, *model.repos, *model.also):
            found.setdefault(spelling_key(name), model)
    for model in BASE_MODELS:
        for name in (model.label, *model.aliases, *(repo.partition("/")[2] for repo in model.repos)):
            found.setdefault(spelling_key(name), model)
    return found


# A number right after a name, with a letter ("i1") or not; or a year and a month. Not a size, nor a count of steps.
# Authors number their own work as "v2", so a "v" is listed where the family writes it.
_VERSION = re.compile(
    r"[- _.]?(2[4-9](?:0[1-9]|1[0-2])|[a-uw-z]\d(?![a-z\d])|v?(?:0|[1-9]\d?)[._]\d{1,2}|v?[1-9]-\d(?![a-z\d])"
    r"|v?[1-9]\d?)(?![.,]?\d|[bkmpx](?![a-z])|px|[- _]?(?:bits?|steps?|epochs?)(?![a-z]))",
    re.IGNORECASE,
)
_LONGEST = 1_000


def find_base_name(text: str) -> tuple[str, str] | None:
    """The base model that a text mentions, and the words that do. None for a version of a family that is not listed."""
    text = text[:_LONGEST]
    unknown: list[re.Match[str]] = []
    for family in TABLES.families:
        for match in re.finditer(family.name, text, re.IGNORECASE):
            # "HiDream-I2" is no HiDream without a version.
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
