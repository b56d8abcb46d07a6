"""What `hub-ui try --json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub_ui.commands.try_again import Again
from hub_ui.generate.base_models.download import Plan
from hub_ui.generate.coverage import Coverage
from hub_ui.generate.request import GenerationResult
from hub_ui.terminal import size


def made_json(made: GenerationResult, out: Path, notes: Sequence[str], cells: Sequence[Path]) -> dict[str, Any]:
    """`prompt` and the LoRAs' weights are those of the last picture, which has everything on."""
    report, last = made.report, made.sheet.cells[-1]
    return {
        "out": str(out),
        "loras": [
            {"ref": str(adapter.ref), "weight": weight}
            for adapter, weight in zip(made.job.adapters, last.weights, strict=True)
        ],
        "base": report.base,
        "prompt": last.prompt,
        "seed": report.seed,
        "steps": report.steps,
        "guidance": report.guidance,
        "sampler": report.sampler,
        "width": report.width,
        "height": report.height,
        "device": report.device,
        "place": report.place,
        "seconds": round(sum(picture.seconds for picture in made.pictures), 3),
        "applied": sum(one.applied for one in report.coverage),
        "total": sum(one.total for one in report.coverage),
        "unmatched": [key for one in report.coverage for missed in one.missed for key in missed.keys],
        "coverage": [_coverage(one) for one in report.coverage],
        "notes": list(notes),
        "sheet": None if made.sheet.kind == "one" else _sheet(made, cells),
    }


def estimate_json(asked: Again, sentence: str, plan: Plan | None) -> dict[str, Any]:
    """`fetch` is null where nothing has to be downloaded."""
    missing = plan is not None and plan.missing > 0
    return {
        "estimate": sentence,
        "loras": [{"ref": str(adapter.ref), "weight": adapter.weight} for adapter in asked.job.adapters],
        "notes": list(asked.notes),
        "place": asked.place,
        "pictures": len(asked.sheet.cells),
        "fetch": {
            "base": plan.choice.label,
            "repo": plan.repo,
            "bytes": plan.missing,
            "license": plan.license,
            "gated": plan.gated,
        }
        if plan is not None and missing
        else None,
    }


def fetch_words(plan: Plan) -> str:
    if plan.missing <= 0:
        return f"{plan.choice.label} is on this disk: nothing has to be downloaded."
    license_ = plan.license or "a licence that its page names"
    return f"{plan.choice.label} would be downloaded first: {size(plan.missing)} from {plan.repo}, under {license_}."


def _coverage(one: Coverage) -> dict[str, Any]:
    return {
        "title": one.title,
        "applied": one.applied,
        "total": one.total,
        "missed": [{"reason": missed.reason, "tensors": len(missed.keys)} for missed in one.missed],
        "sentence": one.sentence(),
    }


def _sheet(made: GenerationResult, cells: Sequence[Path]) -> dict[str, Any]:
    sheet = made.sheet
    return {
        "kind": sheet.kind,
        "rows": list(sheet.rows),
        "columns": list(sheet.columns),
        "cells": [
            {
                "label": cell.label,
                "prompt": cell.prompt,
                "weights": list(cell.weights),
                "out": str(cells[i]) if cells else None,
            }
            for i, cell in enumerate(sheet.cells)
        ],
    }
