"""The table of base models, and the facts about the parts of each.

The rows are the blocks of connectors/base_models.toml with which images can be generated.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from connectors.claims.base_models import FILE, TABLES, Block, Tables, read_block
from connectors.errors import UsageError
from hub_ui.base.i18n import N_
from hub_ui.generate.base_models.repo_layout import count_parameters

DType = Literal["bfloat16", "float16"]
Method = Literal["full", "gguf", "fp8", "bitsandbytes", "sdnq"]
Quality = Literal["fast", "balanced", "full"]
# The parts that can be stored in fewer bits.
NETWORKS = ("unet", "transformer", "transformer_2", "unconditional_transformer")
# A number of pixels that separates frames of 480p from frames of 720p.
_BETWEEN_480P_AND_720P = 640_000


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoSpec:
    """The default clip of a base. It is short, because every frame costs as much as an image."""

    frames: int
    fps: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedComponent:
    """A part of the pipeline from `folder` of another repo. `kind` is a class of transformers."""

    part: str
    kind: str
    repo: str
    revision: str | None = None
    folder: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A .safetensors or .gguf file whose weights replace those of the parts in `brings`.

    The file is local if `repo` is None. `beside` are pairs of a part and a file of the same repo, for further networks.
    Their parts are in `brings` too.
    """

    file: str
    brings: frozenset[str]
    repo: str | None = None
    revision: str | None = None
    beside: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftLora:
    """A step-distilled LoRA in `repo`, with its own licence and the settings that its card recommends.

    `sampler` is a name of samplers.py. `scheduler_options` override options of the base. `gigabytes` is 0 if the size
    is unknown.
    """

    repo: str
    file: str
    license: str
    steps: int
    guidance: float
    gigabytes: float = 0.0
    revision: str | None = None
    weight: float = 1.0
    sampler: str | None = None
    scheduler_options: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """The quick way to generate with a base.

    The sides are multiplied by `scale`. `lora` needs few steps, and `decoder` is the repo of diffusers'
    AutoencoderTiny. Without a LoRA, `cache` is the threshold of diffusers' first-block cache; 0 is no cache.
    """

    scale: float = 0.75
    decoder: str = ""
    cache: float = 0.0
    lora: DraftLora | None = None


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The parameters of a part of a pipeline.

    `largest` counts the largest single layer. In a text encoder, that is the table of words.
    """

    parameters: int
    largest: int


# Sizes by the names of the parts in diffusers' pipeline.
Parts = Mapping[str, ModelSize]


@dataclass(frozen=True, slots=True)
class Decoding:
    """The memory for decoding, in bytes.

    `pixel` is per pixel of an image or frame, and `frame_pixel` per pixel of each latent frame in addition. `tiled` is
    the total for decoding piece by piece. `upcast`: a base in float16 is decoded in float32.
    """

    pixel: float
    tiled: int
    frame_pixel: float = 0.0
    upcast: bool = False


@dataclass(frozen=True, slots=True)
class Activations:
    """The memory for activations, in bytes.

    Denoising takes `fixed` bytes, and `pixel` bytes for each pixel of an image or latent frame. `encoding` is for the
    embeddings of a prompt and the tensors of a text encoder. `prefetched` counts layers that are copied for some runs
    of a step without being used, so that they stay on the device.
    """

    fixed: int
    pixel: float
    decoding: Decoding
    encoding: int = 300_000_000
    prefetched: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkFiles:
    """GGUF files of a base's network in `repo`.

    `gigabytes` maps each type to the size of its file (10^9 bytes). `name` is the start of all file names, up to the
    type. `second` is the start for the files of a second network.
    """

    repo: str
    name: str
    gigabytes: Mapping[str, float]
    second: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Precision:
    """How the weights of a network are stored.

    `bits` are per weight, including its share of the scales. `devices` are torch's names of devices that support it.
    `package` is a package that it needs and that may be missing. `in_float16`: layers compute in float16, also in bases
    of another type. `unpacking` is in bytes of device memory per weight of a layer; None is the width of the type.

    `levels` is the number of offload levels that it supports. bitsandbytes can't offload 8-bit layers at all, and
    leaves the scales of other layers on the device. `is_rough`: "balanced" does not choose it, because a file of as
    many bits is rounded with more care.
    """

    id: str
    label: str
    method: Method
    bits: float
    devices: tuple[str, ...] = ("cuda", "xpu", "mps", "cpu")
    package: str | None = None
    in_float16: bool = False
    levels: int = 4
    is_rough: bool = False
    unpacking: float | None = None

    def runs_on(self, device: str) -> bool:
        return device in self.devices and (self.package is None or find_spec(self.package) is not None)


_PRECISIONS = tomllib.loads(Path(__file__).with_name("precisions.toml").read_text(encoding="utf-8"))
# Sorted with the best precision first.
PRECISIONS = msgspec.convert(_PRECISIONS["precision"], tuple[Precision, ...])
FULL = PRECISIONS[0]
KEPT_OF_T5 = {int(parameters): int(kept) for parameters, kept in _PRECISIONS["kept_of_t5"].items()}
NOT_LINEAR = {int(parameters): int(kept) for parameters, kept in _PRECISIONS["not_linear"].items()}
# The parameters from which a text encoder is worth rounding. CLIP is smaller, T5-XXL is larger.
WORTH_STORING = 1_000_000_000


def precision_by_id(name: str) -> Precision | None:
    return next((precision for precision in PRECISIONS if precision.id == name), None)


def precision_name(name: str) -> str:
    """Return the label of a precision by its id, or the id itself if a later version wrote it."""
    precision = precision_by_id(name)
    return precision.label if precision else name


def stores_text_encoders(device: str) -> bool:
    """Return whether large text encoders of a quantised base are stored in 8-bit floats on that device."""
    return any(precision.method == "fp8" and precision.runs_on(device) for precision in PRECISIONS)


# The activations of a base with an unknown pipeline: those of a large one.
_UNKNOWN = Activations(100_000_000, 600.0, Decoding(3459.0, 238_000_000))


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineSpec:
    """A base model with its pipeline.

    `source` is a Hugging Face repo in diffusers' layout, or a folder. `pipeline` is the name of a class of diffusers.
    `lineage` is the id in connectors.claims.base_models whose LoRAs prefer this base. `revision` is the pinned commit;
    if it is None, the first download pins its commit. `gigabytes` is the size of the download (10^9 bytes).

    `scheduler` replaces the scheduler of the repo, and `scheduler_options` override its settings. `dtype` is the type
    for GPUs. `video` is None for bases that make images. `flow_shifts` are the shifts of the scheduler for clips of
    480p and of 720p. `decodes_in_float32`: the autoencoder always computes in float32. `needs_image`: the base edits an
    image, or its clips begin with one.

    `assumed`: a user's own base whose files have not been read; its `architecture` may be "". `precision` is an id of
    PRECISIONS. `draft` describes drafts. `parts` and `activations` are its need of memory (see with_sizes).
    `estimated`: they are derived from its total size. `gguf` are the files of its network in fewer bits.
    """

    id: str
    label: str
    architecture: str
    source: str
    pipeline: str
    steps: int
    guidance: float
    gigabytes: float
    width: int = 1024
    height: int = 1024
    # The sides of images have to be multiples of this.
    grid: int = 16
    lineage: str = ""
    revision: str | None = None
    license: str = ""
    gated: bool = False
    dtype: DType = "bfloat16"
    scheduler: str | None = None
    scheduler_options: Mapping[str, object] = field(default_factory=dict, hash=False)
    video: VideoSpec | None = None
    flow_shifts: tuple[float, float] | None = None
    decodes_in_float32: bool = False
    needs_image: bool = False
    shared_components: tuple[SharedComponent, ...] = ()
    checkpoint: Checkpoint | None = None
    assumed: bool = False
    precision: str = "full"
    draft: Draft = Draft()
    parts: Parts = field(default_factory=dict, hash=False)
    activations: Activations = _UNKNOWN
    estimated: bool = False
    gguf: NetworkFiles | None = field(default=None, hash=False)

    @property
    def is_modular(self) -> bool:
        """Whether the pipeline consists of diffusers' modular blocks.

        The call of such a pipeline returns `.images`, and a guider holds its guidance.
        """
        return self.pipeline.endswith("ModularPipeline")

    @property
    def begins_with_image(self) -> bool:
        """Whether clips begin with a given image."""
        return self.needs_image and self.video is not None

    @property
    def brings(self) -> frozenset[str]:
        """The parts whose weights are in the `checkpoint`."""
        return self.checkpoint.brings if self.checkpoint else frozenset()

    @property
    def storage(self) -> Precision:
        """The precision of the network's weights."""
        return precision_by_id(self.precision) or FULL

    @property
    def precise_label(self) -> str:
        """The label with the precision: "FLUX.1 dev in Q4".

        It is the label alone in full precision, and if the network is a user's own file.
        """
        is_own = self.checkpoint is not None and self.checkpoint.repo is None
        return self.label if is_own or self.storage == FULL else f"{self.label} in {self.storage.label}"

    def file_gigabytes(self, precision: str) -> float | None:
        """Return the size of the network's GGUF file in that precision, or None if there is no file."""
        return self.gguf.gigabytes.get(_file_type(precision)) if self.gguf else None

    def in_precision(self, precision: str) -> PipelineSpec | None:
        """Return the base with its network in another precision.

        Return None if the precision is unknown or has no GGUF file, the network is a user's own file, or the base is
        modular.
        """
        if precision == self.precision:
            return self
        known, size = precision_by_id(precision), self.file_gigabytes(precision)
        own = self.checkpoint if self.file_gigabytes(self.precision) is None else None
        if known is None or own is not None or self.is_modular or (known.method == "gguf" and size is None):
            return None
        checkpoint = None
        if self.gguf is not None and size is not None:
            ending = f"-{_file_type(precision)}.gguf"
            beside = (("transformer_2", self.gguf.second + ending),) if self.gguf.second else ()
            brings = frozenset({"transformer", *(part for part, _ in beside)})
            checkpoint = Checkpoint(repo=self.gguf.repo, file=self.gguf.name + ending, brings=brings, beside=beside)
        return replace(self, precision=precision, checkpoint=checkpoint)

    def precisions_on(self, device: str) -> list[PipelineSpec]:
        """Return the base in each precision that the device supports without overflow, the best first."""
        specs = (
            self.in_precision(precision.id)
            for precision in PRECISIONS
            if precision.runs_on(device) and (self.runs_in_float16 or not precision.in_float16)
        )
        return [spec for spec in specs if spec is not None]

    @property
    def runs_in_float16(self) -> bool:
        known = TABLES.architectures.get(self.architecture)
        return self.dtype == "float16" or known is None or known.runs_in_float16

    def flow_shift(self, width: int, height: int) -> float | None:
        """Return the shift for that size, or None to keep the scheduler's own."""
        return None if self.flow_shifts is None else self.flow_shifts[width * height > _BETWEEN_480P_AND_720P]

    @property
    def page(self) -> str:
        return f"https://huggingface.co/{self.source}"


def _file_type(precision: str) -> str:
    """Return the type in file names, such as "Q8_0" for gguf-q8_0."""
    return precision.removeprefix("gguf-").upper()


@dataclass(frozen=True, kw_only=True, slots=True)
class Substitution:
    """A rule for LoRAs that were made for models that are not bases here.

    If `runs` is true, they run on the default base of their architecture, with `reason` as a note. Otherwise they are
    refused for that reason. `reason` is a sentence with the placeholders {base} and {made_for}. If the architecture has
    no base, it says why.
    """

    made_for: tuple[str, ...]
    reason: str
    runs: bool = True


PACKAGED = Path(__file__).parents[2] / "demo" / "data" / "weights" / "base"
T = TypeVar("T")


def read_pipelines(tables: Tables) -> tuple[PipelineSpec, ...]:
    """Read the bases, the default of each architecture first.

    Raises UsageError, with the block and the key, if a value is missing, unknown or of the wrong type.
    """
    bases: list[PipelineSpec] = []
    # Values that later blocks may refer to by the id of their block.
    above: dict[str, dict[str, Any]] = {"parts": {}, "activations": {}, "draft": {}}
    for model, own in ((model, own) for model, blocks in tables.pipelines for own in blocks):
        defaults = {"id": model.id, "label": model.label, "architecture": model.architecture, "lineage": model.id}
        block: Block = {**defaults, "license": model.license or "", "draft": {}, **own}
        at = f"pipeline {block['id']}"
        for key, known in above.items():
            if isinstance(same := block.get(key), str):
                block[key] = _entry(known, same, f"{at}, {key}")
        if isinstance(parts := block.get("parts"), dict):
            block["parts"] = {
                part: _entry(tables.components, size, f"{at}, parts.{part}") if isinstance(size, str) else size
                for part, size in parts.items()
            }
        needs = block.get("activations")
        if isinstance(needs, dict) and isinstance(decoder := needs.get("decoding"), str):
            decoding = _entry(tables.decoders, decoder, f"{at}, activations.decoding")
            block["activations"] = {**needs, "decoding": decoding}
        for key in above.keys() & block.keys():
            above[key][block["id"]] = block[key]
        spec = read_block(PipelineSpec, block, "pipeline")
        bases.append(replace(spec, source=str(PACKAGED)) if spec.source == "packaged" else spec)
    own = {base.pipeline: base.activations for base in reversed(bases) if base.activations != _UNKNOWN}
    return tuple(
        replace(base, activations=own[base.pipeline]) if base.activations == _UNKNOWN and base.pipeline in own else base
        for base in bases
    )


def _entry(table: Mapping[str, T], name: str, at: str) -> T:
    if name not in table:
        raise UsageError(f"{FILE.name}, {at}: nothing above is called {name}. Mend the name.")
    return table[name]


BASES = read_pipelines(TABLES)
# The shares of the parts of an unknown base that is not on this disk. Most bases here have similar shares.
_SHARES: Mapping[str, float] = {"transformer": 0.66, "text_encoder": 0.32, "vae": 0.02}
# The share of the largest layer in a part: the table of words in a text encoder, or a layer in a network.
_LARGEST = 0.12


def with_sizes(spec: PipelineSpec) -> PipelineSpec:
    """Return a user's own base with the sizes of its parts and its activations.

    The sizes are those of its files on this disk, or else of a base with the same architecture and pipeline, or else
    estimated from `gigabytes`. The activations are those of the first base with the same pipeline.
    """
    folder = Path(spec.source)
    names = [path.name for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
    counts: Mapping[str, float] = {name: count for name in names if (count := count_parameters(folder, name))}
    same = [base for base in BASES if base.pipeline == spec.pipeline]
    base_sizes = next((base.parts for base in same if base.architecture == spec.architecture), {})
    if is_unknown := not (counts or base_sizes):
        counts = {part: spec.gigabytes * 1e9 / 2 * share for part, share in _SHARES.items()}
    parts = {part: ModelSize(round(count), round(count * _LARGEST)) for part, count in counts.items()} or base_sizes
    return replace(spec, parts=parts, estimated=is_unknown, activations=same[0].activations if same else _UNKNOWN)


SUBSTITUTIONS = msgspec.convert(
    tomllib.loads(Path(__file__).with_name("substitutions.toml").read_text(encoding="utf-8"))["substitution"],
    tuple[Substitution, ...],
)
OTHER_LINEAGE = Substitution(made_for=(), reason=N_("Images can differ from its examples."))
