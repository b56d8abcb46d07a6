"""One base model; the rows are in table.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connectors.claims import base_models

DType = Literal["bfloat16", "float16"]
# Architectures whose values leave the range of float16, so that images are black there.
_WIDE_RANGE = frozenset(
    [
        "anima", "cogvideox", "hidream", "hunyuan-image", "hunyuan-video", "hunyuan-video-1.5", "ltx-video",
        "ltx-video-2", "lumina2", "mochi", "qwen-image", "qwen-image-2", "sana", "z-image",
    ]
)  # fmt: skip
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
        return self.dtype == "float16" or self.architecture not in _WIDE_RANGE

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


def base(
    id: str,
    label: str,
    architecture: str,
    source: str,
    pipeline: str,
    *,
    size: tuple[int, int] = (1024, 1024),
    gigabytes: float,
    **more: Any,
) -> PipelineSpec:
    """A row with its taxonomy's licence; `memory` defaults to 7/6 of the files' size and a gigabyte."""
    fields = {"lineage": id, "memory": round(gigabytes * 7 / 6 + 1, 1), **more}
    known = base_models.by_id(fields["lineage"])
    fields.setdefault("license", (known.license if known else None) or "")
    return PipelineSpec(
        id=id,
        label=label,
        architecture=architecture,
        source=source,
        pipeline=pipeline,
        width=size[0],
        height=size[1],
        gigabytes=gigabytes,
        **fields,
    )
