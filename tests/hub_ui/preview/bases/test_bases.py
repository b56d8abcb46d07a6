from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import DoesNotFit, NoBase
from connectors.facts import base_models
from hub_ui.preview.bases import BASES, BaseChoice, choose, for_architecture


@pytest.mark.parametrize(
    ("architecture", "base_model", "asked", "chosen"),
    [
        ("sdxl", "pony", None, "pony"),
        ("sdxl", "sdxl-1.0", None, "sdxl-1.0"),
        ("sdxl", "a lineage nobody knows", None, "sdxl-1.0"),
        ("sdxl", None, None, "sdxl-1.0"),
        (None, "illustrious", None, "illustrious"),
        ("flux1", "flux.1-schnell", None, "flux.1-schnell"),
        ("flux1", "flux.1-dev", "flux.1-krea", "flux.1-krea"),
        ("sd1", "sd-1.5", "sd1", "sd-1.5"),
        ("sdxl", "sdxl-1.0", "Laxhar/noobai-XL-1.1", "noobai"),
        ("tiny-shapes", "tiny-shapes", None, "tiny-shapes"),
        (None, None, "sd-1.5", "sd-1.5"),
        # What the file proves outweighs what the hub calls it.
        ("flux1", "sdxl-1.0", None, "flux.1-dev"),
    ],
)
def test_the_base_is_picked(architecture: str | None, base_model: str | None, asked: str | None, chosen: str) -> None:
    assert choose(architecture, base_model, asked).id == chosen


def test_a_repo_not_listed_is_taken_for_what_the_lora_needs() -> None:
    choice = choose("sdxl", None, "someone/her-model")
    assert (choice.source, choice.pipeline, choice.width) == ("someone/her-model", "StableDiffusionXLPipeline", 1024)


def test_a_folder_is_taken_too(tmp_path: Path) -> None:
    assert choose("sd1", None, str(tmp_path)).source == str(tmp_path)


def test_a_base_of_another_architecture_does_not_fit() -> None:
    with pytest.raises(DoesNotFit, match=r"for sdxl, but FLUX\.1 dev is flux1"):
        choose("sdxl", "pony", "flux.1-dev")


@pytest.mark.parametrize(
    ("architecture", "asked", "said"),
    [
        (None, None, "Choose one yourself"),
        ("wan", None, "no base model here that can draw with LoRAs for wan"),
        ("sdxl", "what?", "Choose one of: sdxl-1.0, pony"),
        ("wan", "someone/wan", "Nothing says what someone/wan is for"),
    ],
)
def test_without_a_base_the_next_step_is_told(architecture: str | None, asked: str | None, said: str) -> None:
    with pytest.raises(NoBase, match=said):
        choose(architecture, None, asked)


def test_a_person_chooses_among_bases_of_the_architecture() -> None:
    assert [base.id for base in for_architecture("sd2")] == ["sd-2.1", "sd-2.1-768"]
    assert for_architecture(None) == BASES


def test_ids_are_told_apart() -> None:
    assert len({base.id for base in BASES}) == len(BASES)


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.id)
def test_every_base_is_the_taxonomy_s_own(base: BaseChoice) -> None:
    known = base_models.by_id(base.id)
    assert known is not None
    assert known.architecture == base.architecture
