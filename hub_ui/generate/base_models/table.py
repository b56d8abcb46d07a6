"""The table of base models, and what is known of the parts of each.

They are the blocks of connectors/base_models.toml that images are generated with.
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
# The parts that are stored in fewer bits.
NETWORKS = ("unet", "transformer", "transformer_2", "unconditional_transformer")
# Pixels of a frame.
_BETWEEN_480P_AND_720P = 640_000


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoSpec:
    """The default clip of a base. It is short, since every frame costs as much as an image."""

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
    """A .safetensors or .gguf file (local, or in `repo`) whose weights replace those of the parts it `brings`.

    `beside` are files of further networks in the same repo, by the names of the parts, which are in `brings` too.
    """

    file: str
    brings: frozenset[str]
    repo: str | None = None
    revision: str | None = None
    beside: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftLora:
    """A step-distilled LoRA in `repo`, with its own licence, and the settings that its card names: a `sampler` of
    samplers.py, and `scheduler_options` that go over those of the base. `gigabytes` 0 is an unknown size.
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
    """The quick way of a base: its sides times `scale`, the few steps of `lora`, and diffusers' AutoencoderTiny in the
    repo `decoder`. Without a LoRA, `cache` is the threshold of diffusers' first-block cache; 0 is none.
    """

    scale: float = 0.75
    decoder: str = ""
    cache: float = 0.0
    lora: DraftLora | None = None


@dataclass(frozen=True, slots=True)
class ModelSize:
    """`largest` are the parameters of the largest single layer: a text encoder's is the table of its words."""

    parameters: int
    largest: int


# By the names of the parts in diffusers' pipeline.
Parts = Mapping[str, ModelSize]


@dataclass(frozen=True, slots=True)
class Decoding:
    """Bytes for each pixel of an image or of one frame, and once more for each latent frame. `tiled` are all bytes of
    decoding piece by piece. `upcast`: where the base runs in float16, it is decoded in float32.
    """

    pixel: float
    tiled: int
    frame_pixel: float = 0.0
    upcast: bool = False


@dataclass(frozen=True, slots=True)
class Activations:
    """Denoising takes `fixed` bytes, and so many for each pixel of an image, or of each latent frame of a video.
    Encoding takes the embeddings of a prompt and a text encoder's own tensors. `prefetched` are the layers that are
    copied for some of the runs in a step and not needed there, so that they stay.
    """

    fixed: int
    pixel: float
    decoding: Decoding
    encoding: int = 300_000_000
    prefetched: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkFiles:
    """GGUF files of a base's network in `repo`. `gigabytes` are their sizes (10^9 bytes) by their types; `name` is what
    all are called up to the type, `second` the same of a second network's files.
    """

    repo: str
    name: str
    gigabytes: Mapping[str, float]
    second: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Precision:
    """How a network's weights are stored. `bits` are those of one weight with its share of the scales. `devices` are
    torch's names of what it runs on. `unpacking` is what unpacking a layer takes for each of its weights, in bytes of
    the GPU; None is the type's width.

    `package` is the one it needs that is not always installed. `in_float16`: layers compute in it, whatever the base
    does. `levels`: how many offload levels it has. Of bitsandbytes' layers in 8 bits all stays behind, else the scales.
    `is_rough`: "balanced" does not take it, since it rounds what a file of as many bits has rounded with care.
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
# The best first.
PRECISIONS = msgspec.convert(_PRECISIONS["precision"], tuple[Precision, ...])
FULL = PRECISIONS[0]
KEPT_OF_T5 = {int(parameters): int(kept) for parameters, kept in _PRECISIONS["kept_of_t5"].items()}
NOT_LINEAR = {int(parameters): int(kept) for parameters, kept in _PRECISIONS["not_linear"].items()}
# Below this, in parameters, a text encoder is too small to be worth the rounding: CLIP is, T5-XXL is not.
WORTH_STORING = 1_000_000_000


def precision_by_id(name: str) -> Precision | None:
    return next((precision for precision in PRECISIONS if precision.id == name), None)


def precision_name(name: str) -> str:
    """The label of a precision by its id; the id of one that a later version has."""
    found = precision_by_id(name)
    return found.label if found else name


def stores_text_encoders(device: str) -> bool:
    """Whether the large text encoders of a quantised base are stored in 8-bit floats, as they are where these exist."""
    return any(precision.method == "fp8" and precision.runs_on(device) for precision in PRECISIONS)


# What a base counts as whose pipeline is not known: a large one.
_UNKNOWN = Activations(100_000_000, 600.0, Decoding(3459.0, 238_000_000))


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineSpec:
    """`source` is a Hugging Face repo in diffusers' layout, or a folder. `pipeline` names a class of diffusers.

    `lineage` is the id in connectors.claims.base_models whose LoRAs prefer this base. `revision` is the pinned commit;
    None pins the one found at the first download. `gigabytes` is the download's size (10^9 bytes). `scheduler` replaces
    the repo's, with `scheduler_options` over its settings. `dtype` is the precision for GPUs. `video` is None for bases
    that make images. `flow_shifts` are the scheduler's for clips of 480p and of 720p. `decodes_in_float32`: the
    autoencoder does, whatever the rest computes in. `needs_image`: it edits an image, or its clips begin with one.
    `assumed`: a user's own base that has not been read yet; its `architecture` may be "". `precision` is an id of
    PRECISIONS. `draft` is how drafts are made. `parts` and `activations` are what it takes of memory (see with_sizes),
    where `estimated` only from its size as a whole. `gguf` are the files of its network in fewer bits.
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
    # The sides of its images have to be multiples of it.
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
        """Built of diffusers' modular blocks: the call returns `.images`, and a guider holds the guidance."""
        return self.pipeline.endswith("ModularPipeline")

    @property
    def begins_with_image(self) -> bool:
        """Clips go on from the image that they are given."""
        return self.needs_image and self.video is not None

    @property
    def brings(self) -> frozenset[str]:
        """The parts whose weights are in the `checkpoint`."""
        return self.checkpoint.brings if self.checkpoint else frozenset()

    @property
    def storage(self) -> Precision:
        """Of the network's weights."""
        return precision_by_id(self.precision) or FULL

    @property
    def precise_label(self) -> str:
        """ "FLUX.1 dev in Q4"; the label alone in full precision, and where the network is a user's own file."""
        is_own = self.checkpoint is not None and self.checkpoint.repo is None
        return self.label if is_own or self.storage == FULL else f"{self.label} in {self.storage.label}"

    def file_gigabytes(self, precision: str) -> float | None:
        """The size of the network's GGUF file; None where there is none."""
        return self.gguf.gigabytes.get(_file_type(precision)) if self.gguf else None

    def in_precision(self, precision: str) -> PipelineSpec | None:
        """With its network in another precision; None where there is no such file, or the network is a file."""
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
        """It in every precision that it has on such a device and does not overflow in, the best first."""
        found = (
            self.in_precision(precision.id)
            for precision in PRECISIONS
            if precision.runs_on(device) and (self.runs_in_float16 or not precision.in_float16)
        )
        return [one for one in found if one is not None]

    @property
    def runs_in_float16(self) -> bool:
        known = TABLES.architectures.get(self.architecture)
        return self.dtype == "float16" or known is None or known.runs_in_float16

    def flow_shift(self, width: int, height: int) -> float | None:
        """None keeps the scheduler's own."""
        return None if self.flow_shifts is None else self.flow_shifts[width * height > _BETWEEN_480P_AND_720P]

    @property
    def page(self) -> str:
        return f"https://huggingface.co/{self.source}"


def _file_type(precision: str) -> str:
    """As files are named: "Q8_0" of gguf-q8_0."""
    return precision.removeprefix("gguf-").upper()


@dataclass(frozen=True, kw_only=True, slots=True)
class Substitution:
    """What happens to LoRAs made for models that no base is. They run on the default of their architecture, and
    `reason` is said, a sentence in which {base} and {made_for} may stand; or they are refused for it, if not `runs`.
    Where there is no base of the architecture, it says why.
    """

    made_for: tuple[str, ...]
    reason: str
    runs: bool = True


PACKAGED = Path(__file__).parents[2] / "demo" / "data" / "weights" / "base"
T = TypeVar("T")


def read_pipelines(tables: Tables) -> tuple[PipelineSpec, ...]:
    """The bases, the default of each architecture first. What a block leaves out is its base's. Raises UsageError, with
    the block and the key, for what is missing, unknown or of the wrong type.
    """
    bases: list[PipelineSpec] = []
    # What blocks may have in common with one above, by its id.
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
# The shares of a base that is in no table and not on this disk: those of most bases here.
_SHARES: Mapping[str, float] = {"transformer": 0.66, "text_encoder": 0.32, "vae": 0.02}
# A word table's share of a text encoder, a layer's of a network.
_LARGEST = 0.12


def with_sizes(spec: PipelineSpec) -> PipelineSpec:
    """A base of one's own with its parts as they are on this disk, else those of the base of its architecture that is
    built alike, else estimated from `gigabytes`; and with the activations of the first base with its pipeline's class.
    """
    folder = Path(spec.source)
    names = [path.name for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
    counts: Mapping[str, float] = {name: count for name in names if (count := count_parameters(folder, name))}
    same = [base for base in BASES if base.pipeline == spec.pipeline]
    alike = next((base.parts for base in same if base.architecture == spec.architecture), {})
    if is_unknown := not (counts or alike):
        counts = {part: spec.gigabytes * 1e9 / 2 * share for part, share in _SHARES.items()}
    parts = {part: ModelSize(round(count), round(count * _LARGEST)) for part, count in counts.items()} or alike
    return replace(spec, parts=parts, estimated=is_unknown, activations=same[0].activations if same else _UNKNOWN)


SUBSTITUTIONS = msgspec.convert(
    tomllib.loads(Path(__file__).with_name("substitutions.toml").read_text(encoding="utf-8"))["substitution"],
    tuple[Substitution, ...],
)
OTHER_LINEAGE = Substitution(made_for=(), reason=N_("Images can differ from its examples."))
