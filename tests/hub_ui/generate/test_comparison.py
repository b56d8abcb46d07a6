from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.generate import comparison
from hub_ui.generate.comparison import Comparison
from hub_ui.generate.request import GenerationRequest, LoraInput


def lora(title: str = "Ink", **fields: Any) -> LoraInput:
    values: dict[str, Any] = {"ref": Ref.parse("civitai:1@2#3"), "path": Path("x"), "title": title, "weight": 0.8}
    return LoraInput(**{**values, **fields})


def job(*adapters: LoraInput, **fields: Any) -> GenerationRequest:
    return GenerationRequest(adapters=adapters, **{"prompt": "a cat", **fields})


INK, PAPER = lora(), lora("Paper", weight=0.5)


def weights(sheet: Comparison) -> list[tuple[float, ...]]:
    return [cell.weights for cell in sheet.cells]


def test_one_picture_has_all_the_loras() -> None:
    sheet = comparison.one(job(INK, PAPER))
    assert (sheet.columns, weights(sheet)) == (("Ink 0.8 + Paper 0.5",), [(0.8, 0.5)])


def test_one_picture_without_loras_is_the_base() -> None:
    assert comparison.one(job()).columns == ("the base alone",)


def test_a_pair_is_without_and_with() -> None:
    sheet = comparison.pair(job(INK))
    assert (sheet.columns, weights(sheet)) == (("without", "with Ink 0.8"), [(0.0,), (0.8,)])


def test_trigger_words_are_in_both_pictures_of_a_pair() -> None:
    sheet = comparison.pair(job(lora(trigger_words=("sks style",))))
    assert [cell.prompt for cell in sheet.cells] == ["sks style, a cat"] * 2


def test_a_strip_turns_the_first_lora_up_and_leaves_the_others() -> None:
    sheet = comparison.strip(job(INK, PAPER))
    assert weights(sheet) == [(0.0, 0.5), (0.3, 0.5), (0.6, 0.5), (0.9, 0.5), (1.2, 0.5)]
    assert (sheet.rows, sheet.columns) == (("Ink, with Paper 0.5",), ("0", "0.3", "0.6", "0.9", "1.2"))


def test_any_lora_can_be_the_one_that_is_varied() -> None:
    sheet = comparison.strip(job(INK, PAPER), (0.0, 1.0), varied=1)
    assert (weights(sheet), sheet.rows, comparison.varied(job(INK, PAPER), sheet)) == (
        [(0.8, 0.0), (0.8, 1.0)],
        ("Paper, with Ink 0.8",),
        1,
    )
    assert weights(comparison.grid(job(INK, PAPER), ["a cat"], (0.0, 1.0), varied=1)) == [(0.8, 0.0), (0.8, 1.0)]


@pytest.mark.parametrize("prompt", ["a cat", "sks style, a cat", "a cat, SKS  style"])
def test_the_trigger_word_is_in_the_second_prompt_only_whatever_was_typed(prompt: str) -> None:
    sheet = comparison.trigger(job(lora(trigger_words=("sks style",)), prompt=prompt))
    assert [cell.prompt for cell in sheet.cells] == ["a cat", "sks style, a cat"]
    assert (sheet.columns, weights(sheet)) == (("without “sks style”", "with “sks style”"), [(0.8,), (0.8,)])


def test_two_loras_are_shown_apart_and_together() -> None:
    sheet = comparison.both(job(INK, PAPER))
    assert sheet.columns == ("without", "Ink 0.8", "Paper 0.5", "Ink 0.8 + Paper 0.5")
    assert weights(sheet) == [(0, 0), (0.8, 0), (0, 0.5), (0.8, 0.5)]


def test_a_grid_has_a_row_for_each_prompt_and_a_column_for_each_weight() -> None:
    sheet = comparison.grid(job(lora(trigger_words=("sks",))), ["a cat", " ", "a  dog"], (0, 1))
    assert (sheet.rows, sheet.columns) == (("a cat", "a dog"), ("0", "1"))
    assert [cell.prompt for cell in sheet.cells] == ["sks, a cat", "sks, a cat", "sks, a dog", "sks, a dog"]
    assert weights(sheet) == [(0,), (1,), (0,), (1,)]


def test_steps_stand_at_equal_distances() -> None:
    assert comparison.steps(0, 1.2, 5) == comparison.USUAL_STRIP
    assert comparison.steps(-1, 1, 3) == (-1, 0, 1)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: comparison.pair(job()), "Choose one"),
        (lambda: comparison.strip(job()), "Choose one"),
        (lambda: comparison.grid(job(), ["a"]), "Choose one"),
        (lambda: comparison.both(job(INK)), "Choose two"),
        (lambda: comparison.both(job(INK, INK, INK)), "Choose two"),
        (lambda: comparison.trigger(job(INK)), "Try a pair instead"),
        (lambda: comparison.grid(job(INK), ["", " "]), "Write one in each line"),
        (lambda: comparison.grid(job(INK), ["a"] * 10), "50 pictures, and a sheet has room for 48"),
        (lambda: comparison.strip(job(INK), ()), "at least one"),
        (lambda: comparison.strip(job(INK), (float("nan"),)), "such as 0, 0.5"),
        (lambda: comparison.steps(1, 0, 3), "from a lower weight"),
        (lambda: comparison.steps(0, 1, 1), "2 to 48"),
    ],
)
def test_what_makes_no_comparison_is_told_with_a_way_out(make: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make()


def test_long_titles_are_cut_in_labels() -> None:
    assert comparison.one(job(lora("x" * 60, weight=1))).columns == ("x" * 39 + "… 1",)


@pytest.mark.parametrize("kind", ["one", "pair", "strip", "trigger", "grid"])
def test_a_comparison_is_made_by_its_name(kind: comparison.SheetKind) -> None:
    asked = job(lora(trigger_words=("inkstyle",)))
    assert comparison.of_kind(kind, asked, ("a boat",), (0.0, 1.0)).kind == kind


HIGH, LOW = lora("Boats"), lora("Boats", follows=True)


def test_a_lora_in_two_files_is_turned_up_as_one() -> None:
    sheet = comparison.strip(job(HIGH, LOW, PAPER), (0.0, 0.6))
    assert (sheet.rows, weights(sheet)) == (("Boats, with Paper 0.5",), [(0.0, 0.0, 0.5), (0.6, 0.6, 0.5)])
    assert weights(comparison.grid(job(HIGH, LOW), ["a"], (0.3,))) == [(0.3, 0.3)]
    assert comparison.pair(job(HIGH, LOW)).columns == ("without", "with Boats 0.8")


def test_a_lora_in_two_files_is_one_of_two_that_are_compared() -> None:
    assert weights(comparison.both(job(HIGH, LOW, PAPER))) == [(0, 0, 0), (0.8, 0.8, 0), (0, 0, 0.5), (0.8, 0.8, 0.5)]
    with pytest.raises(UsageError, match="needs two LoRAs, and there are 1"):
        comparison.both(job(HIGH, LOW))
