"""One base model, and what is known of its parts; connectors/base_models.toml has the blocks that table.py reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.claims.base_model import TABLES

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
class PipelineSpec:
    """`source` is a Hugging Face repo in diffusers' layout, or a folder. `pipeline` names a class of diffusers.

    `lineage` is the id in connectors.claims.base_models whose LoRAs prefer this base. `revision` is the pinned commit;
    None pins the one found at the first download. `gigabytes` is the download's size (10^9 bytes), `memory` what a
    device needs for all parts at half precision and one image, in GB. `scheduler` replaces the repo's, with
    `scheduler_options` over its settings. `dtype` is the precision for GPUs. `video` is None for bases that make
    images. `flow_shifts` are the scheduler's for clips of 480p and of 720p. `decodes_in_float32`: the autoencoder does,
    whatever the rest computes in. `needs_image`: it edits an image. `assumed`: a user's own base that has not been read
    yet; its `architecture` may be "". `precision` is an id of precision.py: how the network's weights are stored.
    """

    id: str
    label: str
    architecture: str
    source: str
    pipeline: str
    steps: int
    guidance: float
    width: int
    height: int
    gigabytes: float
    lineage: str = ""
    revision: str | None = None
    license: str = ""
    gated: bool = False
    memory: float = 0.0
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

    @property
    def is_modular(self) -> bool:
        """Built of diffusers' modular blocks: the call returns `.images`, and a guider holds the guidance."""
        return self.pipeline.endswith("ModularPipeline")

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
    """What happens to LoRAs made for models that no base is. They run on `base` (empty: the default), and
    `reason` is said, a sentence in which {base} and {made_for} may stand; or they are refused for it, if not `runs`.
    """

    made_for: tuple[str, ...]
    reason: str
    base: str = ""
    runs: bool = True


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
class NetworkFile:
    """A GGUF file of a base's network in `repo`. `gigabytes` is its size (10^9 bytes). `second` is the file of a second
    network of the same size.
    """

    precision: str
    repo: str
    file: str
    gigabytes: float
    second: str | None = None
