"""One base model that previews can be drawn with. The rows are in image.py and film.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connectors.claims import base_models

DType = Literal["bfloat16", "float16"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoSpec:
    """The clip a base draws unless told otherwise: short, since every frame costs as much as a picture."""

    frames: int
    fps: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedComponent:
    """A part of the pipeline that its own repo leaves out. `kind` is a class of transformers.

    `folder` is where it lies in the other repo.
    """

    part: str
    kind: str
    repo: str
    revision: str | None = None
    folder: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """Weights in one .safetensors file, which replace those of the parts it `brings`.

    `file` is a path on this disk; with a `repo`, the name of a file there.
    """

    file: str
    brings: frozenset[str]
    repo: str | None = None
    revision: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineSpec:
    """`source` is a Hugging Face repo in diffusers' layout, or a folder. `pipeline` names a class of diffusers.

    `lineage` is the id in connectors.claims.base_models whose LoRAs go on this base by preference.
    `revision` is the pinned commit; where it is None, the one that is found at the first download is kept to.
    `gigabytes` is what is fetched (10^9 bytes); it is shown until the hub has told the exact size.
    `memory` is what a device needs to hold all parts at half precision and draw with them, in GB.
    `scheduler` replaces the one a repo ships, with `scheduler_options` over that one's settings.
    `dtype` is what the network can be trusted in on a GPU.
    `video` is None for bases that draw pictures. `needs_image`: it changes a picture and can't draw without one.
    `assumed`: it is a person's own, and nobody has looked yet what it holds; `architecture` is "" where no LoRA tells.
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
    needs_image: bool = False
    shared_components: tuple[SharedComponent, ...] = ()
    checkpoint: Checkpoint | None = None
    assumed: bool = False

    @property
    def is_modular(self) -> bool:
        """Assembled of diffusers' modular blocks: it is called for `.images` and guided by its guider."""
        return self.pipeline.endswith("ModularPipeline")

    @property
    def page(self) -> str:
        return f"https://huggingface.co/{self.source}"


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
    """A row of the tables, with the taxonomy's licence unless one is given.

    Without `memory`: the files as they are, a sixth more for what is in the making, and a gigabyte for the rest.
    """
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
