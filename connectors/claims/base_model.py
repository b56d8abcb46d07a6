"""What connectors/base_models.toml says: lineages on an architecture, how each is called, its licence."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from connectors.errors import UsageError

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
    """The file. `pipelines` are blocks by the base that they are under; they may name `components` and `decoders`.
    `hub_ui.generate.base_models.table` reads these.
    """

    models: tuple[BaseModel, ...]
    architectures: Mapping[str, Architecture]
    families: tuple[Family, ...]
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
