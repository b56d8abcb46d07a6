"""The table of base models, and what is known of the parts of each.

They are the blocks of connectors/base_models.toml that images are generated with.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from connectors.claims.base_models import FILE, TABLES, Block, Tables, read_block
from connectors.errors import UsageError
from hub_ui.generate.base_models.repo_layout import count_parameters
from hub_ui.i18n import N_

DType = Literal["bfloat16", "float16"]
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
class PipelineSpec:
    """`source` is a Hugging Face repo in diffusers' layout, or a folder. `pipeline` names a class of diffusers.

    `lineage` is the id in connectors.claims.base_models whose LoRAs prefer this base. `revision` is the pinned commit;
    None pins the one found at the first download. `gigabytes` is the download's size (10^9 bytes). `scheduler` replaces
    the repo's, with `scheduler_options` over its settings. `dtype` is the precision for GPUs. `video` is None for bases
    that make images. `flow_shifts` are the scheduler's for clips of 480p and of 720p. `decodes_in_float32`: the
    autoencoder does, whatever the rest computes in. `needs_image`: it edits an image, or its clips begin with one.
    `assumed`: a user's own base that has not been read yet; its `architecture` may be "". `precision` is an id of
    precision.py: how the network's weights are stored. `draft` is how drafts are made. `parts` and `activations` are
    what the table counts of this very base (see exact_sizes and activations), `gguf` the files of its network in fewer
    bits.
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
    activations: Activations | None = None
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
    def runs_in_float16(self) -> bool:
        known = TABLES.architectures.get(self.architecture)
        return self.dtype == "float16" or known is None or known.runs_in_float16

    def flow_shift(self, width: int, height: int) -> float | None:
        """None keeps the scheduler's own."""
        return None if self.flow_shifts is None else self.flow_shifts[width * height > _BETWEEN_480P_AND_720P]

    @property
    def page(self) -> str:
        return f"https://huggingface.co/{self.source}"


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
    return tuple(bases)


def _entry(table: Mapping[str, T], name: str, at: str) -> T:
    if name not in table:
        raise UsageError(f"{FILE.name}, {at}: nothing above is called {name}. Mend the name.")
    return table[name]


BASES = read_pipelines(TABLES)
# The shares of a base that is in no table and not on this disk: those of most bases here.
_SHARES: Mapping[str, float] = {"transformer": 0.66, "text_encoder": 0.32, "vae": 0.02}
# A word table's share of a text encoder, a layer's of a network.
_LARGEST = 0.12
# A large network's.
_UNKNOWN = Activations(100_000_000, 600.0, Decoding(3459.0, 238_000_000))


def model_sizes(spec: PipelineSpec) -> Parts:
    """Counted, or else estimated from `gigabytes`."""
    parameters = spec.gigabytes * 1e9 / 2
    return exact_sizes(spec) or {
        part: ModelSize(round(parameters * share), round(parameters * share * _LARGEST))
        for part, share in _SHARES.items()
    }


def exact_sizes(spec: PipelineSpec) -> Parts:
    """The parts of the base on this disk, else of the table, else of the base of its architecture that is built alike.
    Empty where only the base's size as a whole is known.
    """
    folder = Path(spec.source)
    names = [path.name for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
    here = {name: count_parameters(folder, name) for name in names}
    if found := {part: ModelSize(count, round(count * _LARGEST)) for part, count in here.items() if count}:
        return found
    alike = (base for base in BASES if (base.pipeline, base.architecture) == (spec.pipeline, spec.architecture))
    return next((base.parts for base in (spec, *alike) if base.parts), {})


def activations(spec: PipelineSpec) -> Activations:
    """Those of the base, of the first one with its pipeline's class, or of a large network for a class that is not
    known here.
    """
    alike = (base for base in BASES if base.pipeline == spec.pipeline)
    return next((base.activations for base in (spec, *alike) if base.activations), _UNKNOWN)


SUBSTITUTIONS = msgspec.convert(
    tomllib.loads(Path(__file__).with_name("substitutions.toml").read_text(encoding="utf-8"))["substitution"],
    tuple[Substitution, ...],
)
OTHER_LINEAGE = Substitution(made_for=(), reason=N_("Images can differ from its examples."))
