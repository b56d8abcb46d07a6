"""A stamp: everything a picture was made from, as data, and as the JSON that its PNG holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import file_digest
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

from connectors.ref import Ref
from hub_ui.generate.comparison import Cell, Comparison, SheetKind
from hub_ui.generate.coverage import Coverage, Missed
from hub_ui.generate.request import GenerationReport, GenerationRequest, GenerationResult, LoraInput

_VERSION = 2
_LIBRARIES = ("hub-ui", "torch", "diffusers", "transformers")


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraProvenance:
    """`weight` is what it had in this picture, `asked` what it was to have in full."""

    ref: Ref
    weight: float
    asked: float | None = None
    title: str = ""
    sha256: str | None = None
    size: int | None = None
    trigger_words: tuple[str, ...] = ()
    architecture: str | None = None
    base_model: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlProvenance:
    """The picture that steered, before edges or the like were made of it. `name` has no folder: pictures get shared."""

    kind: str
    name: str
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """`prompt` is as used and `typed` as written. Stamps of version 1 know only the latter: then `use_trigger_words`.

    `typed_with_words`: whether trigger words were put into `typed`. `sampler` is what was asked for, None for the
    base's own. `sheet` is what the picture is a part of, `cell` which part of it, None for all of it on one picture.
    `report` is what was told about how it came about.
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
    typed: str = ""
    typed_with_words: bool = True
    sampler: str | None = None
    frames: int | None = None
    control: ControlProvenance | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)
    sheet: Comparison | None = None
    cell: int | None = 0
    report: GenerationReport | None = None

    @property
    def refs(self) -> tuple[Ref, ...]:
        return tuple(lora.ref for lora in self.loras)

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(lora.weight for lora in self.loras)

    @property
    def whole_sheet(self) -> Comparison | None:
        """What is to be made again where the picture shows all of a comparison."""
        return self.sheet if self.cell is None else None

    def job(self, adapter: Callable[[Ref, float], LoraInput], control: Path | None = None) -> GenerationRequest:
        """The job again. `adapter` finds the file of a pinned ref."""
        # A model elsewhere that takes no such number says 0 of it.
        unsaid = self.report is not None and self.report.place != "local"
        return GenerationRequest(
            adapters=tuple(adapter(lora.ref, lora.weight) for lora in self.loras),
            prompt=self.prompt,
            negative=self.negative,
            seed=self.seed,
            steps=self.steps or None,
            guidance=None if unsaid and not self.guidance else self.guidance,
            width=self.width,
            height=self.height,
            base=self.base,
            use_trigger_words=self.use_trigger_words,
            sampler=self.sampler,
            frames=self.frames,
            control=control,
            control_kind=self.control.kind if self.control else "canny",
        )


def libraries() -> dict[str, str]:
    """Versions that decide how a picture comes out."""
    found: dict[str, str] = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def written(made: GenerationResult, cell: int | None) -> dict[str, Any]:
    job, report = made.job, made.report
    shown = made.sheet.cells[-1 if cell is None else cell]
    return {
        "version": _VERSION,
        "loras": [_lora_json(*pair) for pair in zip(job.adapters, shown.weights, strict=True)],
        "prompt": shown.prompt,
        "typed": job.prompt,
        "typed_with_words": job.use_trigger_words,
        "negative": job.negative,
        "seed": report.seed,
        "steps": report.steps,
        "guidance": report.guidance,
        "width": report.width,
        "height": report.height,
        # As used, not as asked: which base is picked by itself may change with the next release.
        "base": report.base_id or job.base,
        "sampler": job.sampler,
        "frames": len(made.pictures[cell or 0].frames) or None,
        "control": _control_json(job),
        "libraries": libraries() if report.place == "local" else {},
        "sheet": _sheet_json(made.sheet),
        "cell": cell,
        "report": _report_json(report),
    }


def _lora_json(adapter: LoraInput, weight: float) -> dict[str, Any]:
    there = adapter.path.is_file()
    return {
        "ref": str(adapter.ref),
        "weight": weight,
        "asked": adapter.weight,
        "title": adapter.title,
        "sha256": adapter.sha256 or (sha256_of(adapter.path) if there else None),
        "size": adapter.path.stat().st_size if there else None,
        "trigger_words": list(adapter.trigger_words),
        "architecture": adapter.architecture,
        "base_model": adapter.base_model,
    }


def _control_json(job: GenerationRequest) -> dict[str, Any] | None:
    if job.control is None:
        return None
    return {"kind": job.control_kind, "name": job.control.name, "sha256": sha256_of(job.control)}


def _sheet_json(sheet: Comparison) -> dict[str, Any]:
    cells = [{"label": c.label, "prompt": c.prompt, "weights": list(c.weights)} for c in sheet.cells]
    return {"kind": sheet.kind, "rows": list(sheet.rows), "columns": list(sheet.columns), "cells": cells}


def _report_json(report: GenerationReport) -> dict[str, Any]:
    return {
        "base": report.base,
        "base_revision": report.base_revision,
        "sampler": report.sampler,
        "device": report.device,
        "place": report.place,
        "notes": list(report.notes),
        "coverage": [
            {
                "title": one.title,
                "applied": one.applied,
                "total": one.total,
                "missed": [{"reason": missed.reason, "keys": list(missed.keys)} for missed in one.missed],
            }
            for one in report.coverage
        ],
    }


def sha256_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def parsed(data: Mapping[str, Any]) -> Provenance:
    if data["version"] not in (1, _VERSION):
        raise ValueError(f"version {data['version']}")
    stamp = Provenance(
        loras=tuple(_lora(lora) for lora in data["loras"]),
        prompt=str(data["prompt"]),
        negative=str(data["negative"]),
        seed=int(data["seed"]),
        steps=int(data["steps"]),
        guidance=float(data["guidance"]),
        width=int(data["width"]),
        height=int(data["height"]),
        base=_text(data["base"]),
        use_trigger_words=bool(data["use_trigger_words"]) if data["version"] == 1 else False,
    )
    return stamp if data["version"] == 1 else _with_more(stamp, data)


def _with_more(stamp: Provenance, data: Mapping[str, Any]) -> Provenance:
    """What came with version 2."""
    sheet, cell = _sheet(data["sheet"], len(stamp.loras)), data["cell"]
    if cell is not None and not 0 <= int(cell) < len(sheet.cells):
        raise ValueError(f"cell {cell}")
    return replace(
        stamp,
        typed=str(data["typed"]),
        typed_with_words=bool(data["typed_with_words"]),
        sampler=_text(data["sampler"]),
        frames=None if data["frames"] is None else int(data["frames"]),
        control=None if data["control"] is None else _control(data["control"]),
        libraries={str(name): str(value) for name, value in data["libraries"].items()},
        sheet=sheet,
        cell=None if cell is None else int(cell),
        report=_report(stamp, data["report"]),
    )


def _lora(data: Mapping[str, Any]) -> LoraProvenance:
    return LoraProvenance(
        ref=Ref.parse(data["ref"]),
        weight=float(data["weight"]),
        asked=None if data.get("asked") is None else float(data["asked"]),
        title=str(data.get("title", "")),
        sha256=_text(data.get("sha256")),
        size=None if data.get("size") is None else int(data["size"]),
        trigger_words=tuple(str(word) for word in data.get("trigger_words", ())),
        architecture=_text(data.get("architecture")),
        base_model=_text(data.get("base_model")),
    )


def _control(data: Mapping[str, Any]) -> ControlProvenance:
    # A name with a folder in it would be looked for there.
    return ControlProvenance(kind=str(data["kind"]), name=Path(str(data["name"])).name, sha256=_text(data["sha256"]))


def _sheet(data: Mapping[str, Any], loras: int) -> Comparison:
    cells = tuple(
        Cell(label=str(c["label"]), prompt=str(c["prompt"]), weights=tuple(float(w) for w in c["weights"]))
        for c in data["cells"]
    )
    rows, columns = tuple(map(str, data["rows"])), tuple(map(str, data["columns"]))
    if (
        data["kind"] not in get_args(SheetKind)
        or not cells
        or len(cells) != len(rows) * len(columns)
        or any(len(cell.weights) != loras for cell in cells)
    ):
        raise ValueError("a sheet with other cells than rows and columns")
    return Comparison(kind=data["kind"], rows=rows, columns=columns, cells=cells)


def _report(stamp: Provenance, data: Mapping[str, Any]) -> GenerationReport:
    return GenerationReport(
        base=str(data["base"]), base_id=stamp.base or "", base_revision=_text(data["base_revision"]),
        device=str(data["device"]), place=str(data["place"]), sampler=str(data["sampler"]),
        coverage=tuple(_coverage(one) for one in data["coverage"]), switch_seconds=0.0, seed=stamp.seed,
        steps=stamp.steps, guidance=stamp.guidance, width=stamp.width, height=stamp.height,
        notes=tuple(map(str, data["notes"])),
    )  # fmt: skip


def _coverage(data: Mapping[str, Any]) -> Coverage:
    missed = tuple(Missed(reason=str(m["reason"]), keys=tuple(map(str, m["keys"]))) for m in data["missed"])
    return Coverage(title=str(data["title"]), applied=int(data["applied"]), total=int(data["total"]), missed=missed)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
