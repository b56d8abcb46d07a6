from typing import Any

import pytest
from starlette.testclient import TestClient

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.app.services import Services
from hub_ui.generate.compare import comparison
from hub_ui.generate.try_fields import TrySettings
from hub_ui.web.try_page import form
from hub_ui.web.try_page.form import PageState, TryFields, apply_act, fill, read_address
from tests.hub_ui.catalog.builders import claim, lora, version
from tests.hub_ui.web.conftest import read, with_settings

TYPED: dict[str, Any] = {
    "lora": ["civitai:2"], "weight": ["1"], "prompt": "a  boat", "seed": "7", "steps": "4", "size": "64 x 32",
    "strength": "0.6", "sheet": "pair", "filled": "1",
}  # fmt: skip


def fields_of(**changes: Any) -> TryFields:
    values = {**TYPED, **changes}
    listed = {name: value if isinstance(value, list) else [value] for name, value in values.items()}
    return TryFields([(name, each) for name, several in listed.items() for each in several])


def typed(**changes: Any) -> PageState:
    return fields_of(**changes).state()


def filled(built: Services, address: str = "lora=civitai:2", *, asks: bool = True) -> dict[str, Any]:
    return fill(built, read_address(address), asks=asks)


def test_an_example_suggests_the_prompt_and_the_base_the_rest_but_the_address_leads(built: Services) -> None:
    assert filled(built)["texts"]["prompt"] == "a cat"
    shown = filled(built)
    assert (shown["texts"]["steps"], shown["texts"]["size"], shown["texts"]["seed"]) == ("20", "128 × 128", "417")
    assert (shown["base"]["id"], shown["base"]["choices"]) == ("tiny-shapes", (("tiny-shapes", "Tiny Shapes"),))
    texts = filled(built, "lora=civitai:2&prompt=a+dog&seed=3&steps=5&size=64")["texts"]
    assert [texts[name] for name in ("prompt", "seed", "steps", "size")] == ["a dog", "3", "5", "64 × 64"]


def test_a_lora_that_can_not_be_drawn_here_or_beside_the_first_says_so_in_place(built: Services) -> None:
    shown = filled(built, "lora=civitai:1")
    assert "needs FLUX.1 dev, and the demo brings only its tiny base." in shown["stack"][0]["problem"]
    assert (shown["base"]["line"], shown["base"]["is_problem"]) == ("No base model for this LoRA here", True)
    assert (filled(built, asks=False)["unseen"], filled(built)["unseen"]) == (True, False)
    shown = filled(with_settings(built, demo=False), "lora=civitai:2&lora=civitai:1")
    assert "LoRA: does not fit Tiny Shapes. Take one of them away" in shown["stack"][1]["problem"]


def test_what_a_person_says_of_a_lora_counts_here_too(built: Services) -> None:
    built.catalog.add(
        [lora(2, base="Tiny Shapes", versions=(version("civitai:2@20", claims=(claim("weight", 0.6),)),))]
    )
    built.annotations.change(Ref.parse("civitai:2"), trigger_words=("own ink",), weight=0.4)
    shown = filled(built, asks=False)
    assert (shown["words"], shown["stack"][0]["line"].endswith("usually 0.4")) == (("own ink",), True)


def test_after_a_wrong_base_the_right_ones_are_offered_and_ones_own_has_no_size(built: Services) -> None:
    shown = filled(built, "lora=civitai:2&on=sdxl-1.0")
    assert shown["base"]["choices"] == (("tiny-shapes", "Tiny Shapes"),)
    assert "no part of it would fit" in shown["base"]["line"]
    shown = filled(built, "lora=civitai:2&on=maker/own")
    assert ("GB" in shown["base"]["line"], shown["base"]["choices"][-1]) == (False, ("maker/own", "maker/own"))


@pytest.mark.parametrize("base", ["/etc", "/etc/passwd.safetensors", "maker/own"])
def test_strangers_choose_among_the_bases_of_the_list(built: Services, base: str) -> None:
    shown = filled(with_settings(built, hosted=True), f"lora=civitai:2&on={base}")
    assert "A shared page generates with the bases of its list." in shown["base"]["line"]


def test_replicate_is_offered_where_it_can_run_the_lora(built: Services) -> None:
    built = with_settings(built, tokens={"replicate": "r8_x"})
    assert [filled(built, f"lora=civitai:{n}")["runs_there"] for n in (1, 2)] == [True, False]


def test_a_lora_is_first_tried_at_its_authors_weight(built: Services) -> None:
    assert built.generation.default_weight(Ref.parse("civitai:404")) == 1.0
    built.catalog.add([lora(2, versions=(version("civitai:2@20", claims=(claim("weight", 0.6),)),))])
    assert built.generation.default_weight(Ref.parse("civitai:2")) == 0.6
    assert built.generation.highest_usual_weight(Ref.parse("civitai:2")) == 1.0
    built.catalog.add([lora(2, versions=(version("civitai:2@20", claims=(claim("weight", 1.2),)),))])
    assert built.generation.highest_usual_weight(Ref.parse("civitai:2")) == 1.2


def test_a_sweep_suggests_weights_and_shows_their_range(built: Services) -> None:
    shown = filled(built, "lora=civitai:2&sheet=strip")
    assert (shown["usual"], shown["range"]) == ((0.0, 0.3, 0.6, 0.9, 1.2), (0.0, 1.2, 5))
    assert filled(built, "lora=civitai:2&sheet=strip&weights=0,0.4,0.8")["range"] == (0.0, 0.8, 3)
    assert filled(built)["usual"] == ()


def test_the_form_becomes_the_address_with_the_search_of_the_other_page() -> None:
    state = typed(cfg="3", sampler="Euler a", sheet="strip", weights="0, .5; 1")
    assert state.settings == TrySettings(
        prompt="a boat", seed=7, steps=4, size=(64, 32), guidance=3.0, sampler="Euler a", sheet="strip",
        weights=(0.0, 0.5, 1.0),
    )  # fmt: skip
    assert read_address(state.to_address()).view == state.view
    assert "q=robot" in typed(q="robot", kind=["style"]).to_address()


def test_each_lora_has_the_weight_beside_it_and_another_base_suggests_its_own_numbers() -> None:
    state = typed(lora=["civitai:2", "civitai:1"], weight=["0.4", "-1"])
    assert state.view.stack_texts == ("civitai:2*0.4", "civitai:1*-1")
    with pytest.raises(UsageError, match="A weight is a number from -1 to 2"):
        typed(weight=["much"])
    state = typed(on="sdxl-1.0", was="tiny-shapes", negative="blur", cfg="3")
    assert state.settings == TrySettings(prompt="a boat", negative="blur", seed=7, base="sdxl-1.0")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("size", "big", "width × height"),
        ("size", "9000", "up to 4096 pixels"),
        ("seed", "-1", "Press ⟳"),
        ("seed", "1.5", "Press ⟳"),
        ("seed", str(2**60), "Press ⟳"),
        ("steps", "0", "between 1 and 500 steps"),
        ("steps", "many", "between 1 and 500 steps"),
        ("cfg", "101", "Guidance is a number"),
        ("strength", "2", "Strength is a number"),
        ("clip", "5", "A clip weight is a number from -1 to 2"),
        ("blocks", "1;;2", "Block weights are a name such as OUTALL"),
        ("weights", "much", "for example 0"),
    ],
)
def test_what_can_not_be_meant_is_said_at_its_field_and_stays_there(name: str, text: str, said: str) -> None:
    state = typed(**{name: text})
    assert said in state.problems[name]
    assert read_address(state.to_address()).problems == state.problems
    with pytest.raises(UsageError, match=said):
        state.check()


def act(text: str, **changes: Any) -> PageState:
    fields = fields_of(**changes)
    return apply_act(fields.state(), text, fields)


def test_a_lora_is_taken_away_or_moves_with_its_sweep_and_trigger_words_are_left_out_and_put_in() -> None:
    left = act("remove civitai:2", lora=["civitai:2", "civitai:1"], weight=["1", "1"])
    assert left.view.stack_texts == ("civitai:1",)
    moved = act("down civitai:2", lora=["civitai:2", "civitai:1"], weight=["1", "1"], varied="0")
    assert moved.view.stack_texts == ("civitai:1", "civitai:2")
    assert moved.settings.varied == 1
    assert act("words off").settings.use_trigger_words is False
    assert act("words on", words="off").settings.use_trigger_words is True


def test_another_comparison_has_no_images_another_seed_replaces_a_wrong_one_and_a_range_becomes_weights() -> None:
    state = act("sheet strip", job="abc", shown="2")
    assert (state.settings.sheet, state.job, state.shown) == ("strip", "", None)
    state = act("dice", seed="-1")
    assert (state.settings.seed is not None, dict(state.problems)) == (True, {})
    assert act("range", sheet="strip", low="0", high="1.2", count="4").settings.weights == (0.0, 0.4, 0.8, 1.2)


@pytest.mark.parametrize("values", [("1", "0", "3"), ("0", "3", "3"), ("0", "1", "1"), ("0", "1", "9"), ("", "1", "3")])
def test_what_is_no_range_is_refused_with_a_way_out(values: tuple[str, str, str]) -> None:
    with pytest.raises(UsageError, match=r"from a lower weight to a higher one|2 to 8 images"):
        form.weights_in(*values)


@pytest.mark.parametrize(
    ("recommended", "weights"),
    [(None, (0, 0.3, 0.6, 0.9, 1.2)), (0.6, (0, 0.3, 0.6, 0.9, 1.2)), (0.4, (0, 0.2, 0.4, 0.6, 0.8)),
     (0.9, (0, 0.3, 0.6, 0.9, 1.2)), (1.2, (0, 0.4, 0.8, 1.2, 1.6)), (-1, (0, 0.3, 0.6, 0.9, 1.2))],
)  # fmt: skip
def test_a_sweep_goes_around_the_authors_weight(recommended: float | None, weights: tuple[float, ...]) -> None:
    assert comparison.sweep_around(recommended) == pytest.approx(weights)


def test_the_page_does_not_wait_for_what_the_images_will_take(client: TestClient, built: Services) -> None:
    client.get("/ask")
    line = read(client.get("/try?lora=civitai:2").text).select_one("#estimate")
    assert (line["hx-get"], line["hx-trigger"]) == ("try/price?view=try&lora=civitai%3A2", "load")


@pytest.mark.parametrize(("lora", "images"), [("civitai:1", False), ("civitai:2", True)])
def test_for_what_does_not_run_here_no_time_is_worked_out(client: TestClient, lora: str, images: bool) -> None:
    client.get("/ask")
    line = read(client.get(f"/try/price?view=try&lora={lora}").text).select_one("#estimate").text
    assert ("for 2 images" in line, bool(line)) == (images, images)
