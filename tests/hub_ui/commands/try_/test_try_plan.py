"""hub-ui try --plan: what a base takes of memory, told without loading or asking for anything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub_ui import cli
from hub_ui.commands.options import memory_size
from tests.hub_ui.commands.try_.images import REF

GIBIBYTE = 2**30


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer with 64 GB."""
    monkeypatch.setattr("hub_ui.commands.try_plan.total_memory", lambda: 64 * GIBIBYTE)


def plan(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert cli.main(["try", "--plan", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_plan_for_a_card_says_how_the_base_runs_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["try", "--plan", "--base", "flux.1-dev", "--memory", "24GB", "--quality", "full"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "FLUX.1 dev on a GPU with 24 GB, 1024 x 1024, bfloat16: layer by layer.",
        "At most 2.2 GB of 25.0 GB of its memory, and 33.7 GB of the computer's own.",
        "  transformer         23.8 GB",
        "  text_encoder         0.2 GB",
        "  text_encoder_2       9.5 GB",
        "  vae                  0.2 GB",
    ]
    assert told.err.splitlines() == [
        "A GPU with 32 GB: FLUX.1 dev, part by part.",
        "A GPU with 48 GB: FLUX.1 dev, whole.",
    ]


def test_a_small_card_gets_a_precision_that_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["try", "--plan", "--base", "flux.1-dev", "--memory", "12GB"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("FLUX.1 dev in Q6 on a GPU with 12 GB, 1024 x 1024, bfloat16: part by part.\n")
    assert told.err.splitlines() == [
        "A GPU with 16 GB: FLUX.1 dev in Q8, part by part.",
        "A GPU with 24 GB: FLUX.1 dev in Q8, whole.",
        "A GPU with 32 GB: FLUX.1 dev, part by part.",
        "A GPU with 48 GB: FLUX.1 dev, whole.",
    ]


def test_a_plan_as_json_has_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    told = plan(capsys, "--base", "qwen-image", "--memory", "48", "--quality", "full")
    assert (told["level"], told["tiled"], told["fits"]) == ("model_offload", False, True)
    assert told["parts"] == {"transformer": 40860802176, "text_encoder": 16584333312, "vae": 253785062}
    assert [(one["card"], one["level"]) for one in told["larger"]] == [(80, "whole")]


def test_a_plan_for_a_lora_takes_the_base_that_it_would_run_on(capsys: pytest.CaptureFixture[str], base: str) -> None:
    told = plan(capsys, REF, "--base", base)
    assert (told["device"], told["level"], told["fits"]) == ("this CPU", "whole", True)


def test_a_larger_image_takes_more(capsys: pytest.CaptureFixture[str]) -> None:
    small, large = (
        plan(capsys, "--base", "sdxl-1.0", "--memory", "24GB", "--size", size)["peak"]
        for size in ("1024x1024", "2048x2048")
    )
    assert large - small == 9_666_822_144


@pytest.mark.parametrize("words", [[], ["--base", "nothing-known"], ["--base", "sd-1.5", "--memory", "much"]])
def test_a_plan_of_nothing_is_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["try", "--plan", *words]) == 2


def test_memory_without_a_plan_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["try", REF, "--prompt", "a cat", "--memory", "12GB", "--out", "x.png"]) == 2
    assert capsys.readouterr().err == "hub-ui: --memory goes with --plan.\n"


@pytest.mark.parametrize("text", ["12GB", "12", "12 gb", "12GiB"])
def test_memory_is_said_as_cards_are_sold(text: str) -> None:
    assert memory_size(text) == 12 * GIBIBYTE
