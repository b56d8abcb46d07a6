"""Provenance: everything an image was made from, as data and as the JSON in its PNG."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from connectors.ref import Ref
from hub_ui.base import disk
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.request import DEFAULT_STRENGTH, GenerationRequest, LoraInput
from hub_ui.generate.result import GenerationReport, GenerationResult

_VERSION = 2
_LIBRARIES = ("hub-ui", "torch", "diffusers", "transformers")
# What a request and an image have alike, what a LoRA has before and after, and what a report says once more.
_REQUESTED = ("prompt", "negative", "seed", "base", "use_trigger_words", "emphasis", "sampler", "frames")
OF_LORA = ("title", "trigger_words", "architecture", "base_model", "text_encoder_scale", "block_weights")
_SHARED = ("seed", "steps", "guidance", "width", "height")
_REPORT = (
    "base", "base_revision", "sampler", "device", "place", "notes", "coverage", "dtype", "rows", "adapters",
    "precision", "base_sha256", "draft", "measures", "attention",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraProvenance:
    """A LoRA of an image. `weight` was used for this image; `asked` is the full weight in the request.

    `text_encoder_scale` and `block_weights` are explained at LoraInput.
    """

    ref: Ref
    weight: float
    asked: float | None = None
    title: str = ""
    sha256: str | None = None
    size: int | None = None
    trigger_words: tuple[str, ...] = ()
    architecture: str | None = None
    base_model: str | None = None
    text_encoder_scale: float = 1.0
    block_weights: tuple[float, ...] = ()

    @property
    def full_weight(self) -> float:
        return self.weight if self.asked is None else self.asked


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlProvenance:
    """The control image before processing. `name` has no folder, because images are shared."""

    kind: str
    name: str
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StartProvenance:
    """The input image of image to image, before it was resized. `name` has no folder."""

    strength: float
    name: str
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiles:
    """The positions of the images on a contact sheet, in the order of its cells.

    All images are `width` by `height` pixels; `corners` are their upper left corners, `sha256` the hashes of their RGB
    bytes. `paper` is the height of the sheet without the ranking below it.
    """

    width: int
    height: int
    corners: tuple[tuple[int, int], ...]
    sha256: tuple[str, ...]
    paper: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftProvenance:
    """The requested settings of an image that was generated as a draft. None is the base's default."""

    steps: int | None = None
    guidance: float | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """All settings that reproduce an image.

    `prompt` is the prompt as used, `typed` the user's text, and `typed_with_words` tells whether trigger words were
    added to it. A `sampler` of None is the base's own. `emphasis` is explained at GenerationRequest. `cell` is the
    image's position in `sheet`, or None for a contact sheet, which has `tiles`. `votes` are blind choices between its
    columns (generate/compare/judging.py). `draft` is None unless the image is a draft; all numbers are as used.
    """

    loras: tuple[LoraProvenance, ...]
    prompt: str
    negative: str
    seed: int
    steps: int
    guidance: float
    width: int
    height: int
    base: str | None
    use_trigger_words: bool = False
    emphasis: bool = False
    typed: str = ""
    typed_with_words: bool = True
    sampler: str | None = None
    frames: int | None = None
    control: ControlProvenance | None = None
    image: StartProvenance | None = None
    draft: DraftProvenance | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)
    sheet: Comparison | None = None
    cell: int | None = 0
    tiles: Tiles | None = None
    votes: str = ""
    report: GenerationReport | None = None

    @property
    def whole_comparison(self) -> Comparison | None:
        """The comparison, if the image shows all of it."""
        return self.sheet if self.cell is None else None

    def job(
        self, adapter: Callable[[Ref, float], LoraInput], control: Path | None = None, image: Path | None = None
    ) -> GenerationRequest:
        """Return the request that generates the image again. `adapter` finds the file of a pinned ref."""
        # A model of Replicate that takes no such number is recorded with 0.
        unknown = self.report is not None and self.report.place != "local"
        numbers = self.draft or self
        return GenerationRequest(
            adapters=tuple(
                replace(
                    adapter(lora.ref, lora.weight),
                    text_encoder_scale=lora.text_encoder_scale,
                    block_weights=lora.block_weights,
                )
                for lora in self.loras
            ),
            **{name: getattr(self, name) for name in _REQUESTED},
            steps=numbers.steps or None,
            guidance=None if unknown and not self.guidance else numbers.guidance,
            width=numbers.width,
            height=numbers.height,
            draft=self.draft is not None,
            precision=self.report.precision if self.report and self.report.place == "local" else None,
            control=control,
            control_kind=self.control.kind if self.control else "canny",
            image=image,
            strength=self.image.strength if self.image else DEFAULT_STRENGTH,
        )


@cache
def library_versions() -> Mapping[str, str]:
    """Return the versions of the libraries that affect an image."""
    versions: dict[str, str] = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def to_json(result: GenerationResult, cell: int | None) -> dict[str, Any]:
    request, report = result.request, result.report
    shown = result.comparison.cells[-1 if cell is None else cell]
    control, image = (
        path and {"name": path.name, "sha256": sha256_of(path)} for path in (request.control, request.image)
    )
    asked = {name: getattr(request, name) for name in DraftProvenance.__slots__}
    return {
        "version": _VERSION,
        "loras": [_lora_json(*pair) for pair in zip(request.adapters, shown.weights, strict=True)],
        "prompt": shown.prompt,
        "typed": request.prompt,
        "typed_with_words": request.use_trigger_words,
        **{name: getattr(request, name) for name in ("emphasis", "negative", "sampler")},
        **{name: getattr(report, name) for name in _SHARED},
        **({} if cell is None or shown.seed is None else {"seed": shown.seed}),
        # As used, not as requested: the default base may change with the next release.
        "base": report.base_id or request.base,
        "frames": len(result.images[cell or 0].frames) or None,
        "control": control and {"kind": request.control_kind, **control},
        "image": image and {"strength": request.strength, **image},
        "draft": None if report.draft is None else asked,
        "libraries": library_versions() if report.place == "local" else {},
        "sheet": msgspec.to_builtins(result.comparison),
        "cell": cell,
        "report": {name: msgspec.to_builtins(getattr(report, name)) for name in _REPORT},
    }


def _lora_json(adapter: LoraInput, weight: float) -> dict[str, Any]:
    exists = adapter.path.is_file()
    lora = LoraProvenance(
        ref=adapter.ref,
        weight=weight,
        asked=adapter.weight,
        sha256=adapter.sha256 or (sha256_of(adapter.path) if exists else None),
        size=adapter.path.stat().st_size if exists else None,
        **{name: getattr(adapter, name) for name in OF_LORA},
    )
    return {**msgspec.to_builtins(lora), "ref": str(lora.ref)}


def sha256_of(path: Path) -> str | None:
    """Hash a file, or return None if it can't be read."""
    with suppress(OSError):
        return disk.sha256_of(path)
    return None


def from_json(data: Mapping[str, Any]) -> Provenance:
    """Parse provenance. Raises ValueError, KeyError, TypeError, AttributeError or BadRef if it is damaged."""
    if data["version"] not in (1, _VERSION):
        raise ValueError(f"version {data['version']}")
    fields = {**data, "loras": [{**lora, "ref": Ref.parse(lora["ref"])} for lora in data["loras"]]}
    if data["version"] == _VERSION:
        shared = {name: data[name] for name in _SHARED}
        fields["report"] = {**data["report"], **shared, "base_id": data["base"] or "", "switch_seconds": 0.0}
    provenance = msgspec.convert(fields, Provenance)
    comparison = provenance.sheet
    if data["version"] == 1:
        return replace(provenance, sheet=None, report=None, control=None, image=None)
    if (
        comparison is None
        or not 0 < len(comparison.cells) == len(comparison.rows) * len(comparison.columns)
        or any(len(cell.weights) != len(provenance.loras) for cell in comparison.cells)
    ):
        raise ValueError("a comparison with other cells than rows and columns")
    if provenance.cell is not None and not 0 <= provenance.cell < len(comparison.cells):
        raise ValueError(f"cell {provenance.cell}")
    if provenance.tiles is not None and len(provenance.tiles.corners) != len(comparison.cells):
        raise ValueError("a sheet with other images than its comparison")
    measures = provenance.report.measures if provenance.report else None
    for each in (measures.change, measures.seen_change, measures.prompt) if measures else ():
        if len(each) not in (0, len(comparison.columns)):
            raise ValueError("measures of other columns than its comparison's")
    # Cut folders from the names, which would otherwise be read outside the image's folder.
    control = provenance.control and replace(provenance.control, name=Path(provenance.control.name).name)
    image = provenance.image and replace(provenance.image, name=Path(provenance.image.name).name)
    return replace(provenance, use_trigger_words=False, control=control, image=image)
