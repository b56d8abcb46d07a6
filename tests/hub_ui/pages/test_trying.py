from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

import connectors
from connectors.connector import Connector
from connectors.errors import NoBase, UsageError
from connectors.record import Example
from connectors.ref import Ref
from hub_ui import services
from hub_ui.library.progress import Progress
from hub_ui.pages import trying
from hub_ui.pages.view import Stacked, View
from hub_ui.preview.job import Step
from hub_ui.services import Services
from hub_ui.settings import from_environment
from hub_ui.widgets.render import Renderer
from tests.hub_ui.catalog.builders import lora, version
from tests.hub_ui.stand_ins import Hub

ASKED = trying.Wish(
    refs=(Ref.parse("civitai:1"),), weights=(1.0,), prompt="a boat", use_trigger_words=True, seed=1, steps=None
)


@pytest.fixture
def built(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    pictured = version("civitai:2@20", base="Tiny Shapes", examples=(Example(url="x", prompt="a cat <lora:x:1>"),))
    loras = [lora(1, base="Flux.1 D"), lora(2, versions=(pictured,))]
    hubs: tuple[Connector, ...] = (Hub(name="civitai", loras=loras),)
    monkeypatch.setattr(connectors, "build", lambda endpoints, tokens: hubs)
    settings = replace(from_environment({"HUB_UI_HOME": str(home)}), demo=True)
    with services.build(settings) as made:
        yield made


def show(built: Services, *refs: str, before: tuple[str, ...] = ()) -> Any:
    view = View(page="try", stack=tuple(Stacked(ref=ref) for ref in refs))
    return trying.show(built, Renderer(), view, before)


def test_the_first_example_suggests_the_prompt_without_other_tools_tags(built: Services) -> None:
    assert show(built, "civitai:2")[2] == "a cat"


def test_a_prompt_already_written_is_left_alone_while_weights_change(built: Services) -> None:
    assert show(built, "civitai:2", before=("civitai:2",))[2:5] == (gr.skip(), gr.skip(), gr.skip())


def test_a_lora_the_demo_can_not_draw_says_so_in_place(built: Services) -> None:
    assert "This LoRA needs FLUX.1 dev, and the demo brings only its tiny base." in show(built, "civitai:1")[0]


def test_a_lora_that_does_not_fit_is_refused_before_anything_is_downloaded(built: Services) -> None:
    made = trying.make(built, Renderer(), ASKED, ordered=True, cache="")
    assert next(made)[3] is False
    assert next(made)[0] == ""
    with pytest.raises(NoBase, match="hub-ui serve"):
        next(made)
    assert built.library.entries() == ()


def test_without_an_order_nothing_is_made(built: Services) -> None:
    assert list(trying.make(built, Renderer(), ASKED, ordered=False, cache="")) == [(gr.skip(),) * 4]


def test_without_a_lora_there_is_nothing_to_try(built: Services) -> None:
    with pytest.raises(UsageError, match="Open one on the Browse page"):
        next(trying.make(built, Renderer(), replace(ASKED, refs=(), weights=()), ordered=True, cache=""))


def test_a_weight_must_be_a_number() -> None:
    view = View(stack=(Stacked(ref="civitai:1"),))
    assert trying.act(view, {"act": "weigh", "ref": "civitai:1", "value": "0.4"}).stack[0].weight == 0.4
    with pytest.raises(UsageError):
        trying.act(view, {"act": "weigh", "ref": "civitai:1", "value": "much"})


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (Progress(done=500_000, total=2_000_000, seconds=1.0), ("Downloading: 500 kB of 2.0 MB", 0.25)),
        (Step(stage="Drawing", done=5, total=20), ("Drawing", 0.25)),
        (Step(stage="Loading", done=0, total=0), ("Loading", None)),
    ],
)
def test_steps_are_told_in_words(step: Progress | Step, told: tuple[str, float | None]) -> None:
    assert trying.step_words(step) == told
