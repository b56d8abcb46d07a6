from __future__ import annotations

import json
from pathlib import Path

from connectors.ref import Ref
from hub_ui.generate import comparison
from hub_ui.generate.result import GenerationResult
from hub_ui.images.provenance import Provenance, from_json, to_json
from hub_ui.services import Services
from hub_ui.web.history.routes import describe, group_entries, view_of
from tests.hub_ui.generate.making import adapter, job, made, report


def provenance(result: GenerationResult) -> Provenance:
    return from_json(json.loads(json.dumps(to_json(result, 0))))


def test_a_sweep_of_two_names_the_varied_one_and_the_weight_of_the_other() -> None:
    asked = job(adapter(), adapter(ref=Ref.parse("civitai:9@90#900"), title="Paper", weight=0.5))
    image = provenance(made(asked, comparison.weight_sweep(asked, (0.0, 1.2), varied=1)))
    assert describe(image) == "Weights: Paper 0 … 1.2, with Ink 0.8"


def test_results_of_one_request_are_one_group_with_their_kinds(built: Services) -> None:
    asked = job()
    built.history.add(made(asked, comparison.before_after(asked)))
    built.history.add(made(job(seed=8), report=report(seed=8)))
    built.history.add(made(asked, comparison.weight_sweep(asked, (0.0, 1.0))))
    groups = group_entries(built.history.entries())
    assert [[describe(entry.provenance) for entry in group] for group in groups] == [
        ["Weights: 0 … 1", "Without / with · 0.8"], ["0.8"],
    ]  # fmt: skip


def test_the_weights_of_a_loras_parts_and_the_strength_come_back() -> None:
    parts = adapter(weight=0.8, text_encoder_scale=0.5, block_weights=(1.0, 0.5))
    asked = job(parts, adapter(title="Paper", weight=0.5), image=Path("cat.png"), strength=0.4)
    settings = view_of(provenance(made(asked))).settings
    assert (settings.clip_weights, settings.blocks, settings.strength) == ((0.4, 0.5), ("1,0.5", "ALL"), 0.4)


def test_the_weights_of_a_strip_and_the_lora_that_had_them_come_back() -> None:
    asked = job(adapter(), adapter(title="Paper", weight=0.5))
    back = view_of(provenance(made(asked, comparison.weight_sweep(asked, (0.0, 0.7), varied=1))))
    assert (back.settings.sheet, back.settings.weights, back.settings.varied) == ("strip", (0.0, 0.7), 1)
