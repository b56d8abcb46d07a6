from pathlib import Path
from typing import Any

import pytest

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.generate.compare import comparison
from hub_ui.generate.compare.comparison import Comparison, add_words, prompt_as_used, remove_words, trigger_words
from hub_ui.generate.request import GenerationRequest, LoraInput


@pytest.mark.parametrize(
    ("prompt", "words", "used"),
    [
        ("a cat", ["sks style"], "sks style, a cat"),
        ("a cat, SKS  Style", ["sks style"], "a cat, SKS  Style"),
        ("drinking a cup", ["ink"], "ink, drinking a cup"),
        ("a cat", ["b", "a", "b"], "b, a cat"),
        ("x", ["b", "a"], "b, a, x"),
        ("x", ["ink generating", "ink"], "ink generating, x"),
        ("", ["b"], "b"),
        ("  ", [], ""),
        ("a cat", [" , ", ""], "a cat"),
        ("a (TOK:1.2)", ["TOK"], "a (TOK:1.2)"),
        ("x", ["c++ (style)"], "c++ (style), x"),
        ("絵 の 猫", ["猫"], "絵 の 猫"),
    ],
)
def test_each_word_is_there_exactly_once(prompt: str, words: list[str], used: str) -> None:
    assert add_words(prompt, words) == used


def test_words_of_all_loras_go_in_unless_the_person_says_no() -> None:
    adapters = tuple(
        LoraInput(ref=None, path=Path("x"), title="x", trigger_words=words)  # type: ignore[arg-type]
        for words in (("one",), ("two",))
    )
    assert prompt_as_used(GenerationRequest(adapters=adapters, prompt="a cat")) == "one, two, a cat"
    assert prompt_as_used(GenerationRequest(adapters=adapters, prompt="a cat", use_trigger_words=False)) == "a cat"


@pytest.mark.parametrize(
    ("prompt", "words", "left"),
    [
        ("sks style, a cat", ["sks style"], "a cat"),
        ("a cat, SKS  Style", ["sks style"], "a cat"),
        ("a sks cat", ["sks"], "a cat"),
        ("drinking a cup", ["ink"], "drinking a cup"),
        ("ink generating, a cat", ["ink", "ink generating"], "a cat"),
        ("a cat", [], "a cat"),
    ],
)
def test_words_are_taken_out_again(prompt: str, words: list[str], left: str) -> None:
    assert remove_words(prompt, words) == left


def test_each_word_of_all_loras_counts_once() -> None:
    adapters = [LoraInput(ref=None, path=Path("x"), title="x", trigger_words=words) for words in (("a", " b,"), ("a",))]  # type: ignore[arg-type]
    assert trigger_words(adapters) == ("a", "b")


def lora(title: str = "Ink", **fields: Any) -> LoraInput:
    values: dict[str, Any] = {"ref": Ref.parse("civitai:1@2#3"), "path": Path("x"), "title": title, "weight": 0.8}
    return LoraInput(**{**values, **fields})


def job(*adapters: LoraInput, **fields: Any) -> GenerationRequest:
    return GenerationRequest(adapters=adapters, **{"prompt": "a cat", **fields})


INK, PAPER = lora(), lora("Paper", weight=0.5)


def weights(sheet: Comparison) -> list[tuple[float, ...]]:
    return [cell.weights for cell in sheet.cells]


def test_one_picture_has_all_the_loras_and_without_any_is_the_base() -> None:
    sheet = comparison.single(job(INK, PAPER))
    assert (sheet.columns, weights(sheet)) == (("Ink 0.8 + Paper 0.5",), [(0.8, 0.5)])
    assert comparison.single(job()).columns == ("the base alone",)


def test_a_pair_is_without_and_with_and_has_the_trigger_words_in_both_pictures() -> None:
    sheet = comparison.before_after(job(INK))
    assert (sheet.columns, weights(sheet)) == (("without", "with Ink 0.8"), [(0.0,), (0.8,)])
    sheet = comparison.before_after(job(lora(trigger_words=("sks style",))))
    assert [cell.prompt for cell in sheet.cells] == ["sks style, a cat"] * 2


def test_a_strip_turns_the_first_lora_up_and_leaves_the_others() -> None:
    sheet = comparison.weight_sweep(job(INK, PAPER))
    assert weights(sheet) == [(0.0, 0.5), (0.3, 0.5), (0.6, 0.5), (0.9, 0.5), (1.2, 0.5)]
    assert (sheet.rows, sheet.columns) == (("Ink, with Paper 0.5",), ("0", "0.3", "0.6", "0.9", "1.2"))
    assert [cell.label for cell in sheet.cells[:2]] == ["without Ink", "Ink 0.3"]


def test_any_lora_can_be_the_one_that_is_varied() -> None:
    sheet = comparison.weight_sweep(job(INK, PAPER), (0.0, 1.0), varied=1)
    assert (weights(sheet), sheet.rows, comparison.find_swept_lora(job(INK, PAPER), sheet)) == (
        [(0.8, 0.0), (0.8, 1.0)],
        ("Paper, with Ink 0.8",),
        1,
    )
    assert weights(comparison.weight_sweep(job(INK, PAPER), (0.0, 1.0), 1, ["a cat"])) == [(0.8, 0.0), (0.8, 1.0)]


@pytest.mark.parametrize("prompt", ["a cat", "sks style, a cat", "a cat, SKS  style"])
def test_the_trigger_word_is_in_the_second_prompt_only_whatever_was_typed(prompt: str) -> None:
    sheet = comparison.trigger_comparison(job(lora(trigger_words=("sks style",)), prompt=prompt))
    assert [cell.prompt for cell in sheet.cells] == ["a cat", "sks style, a cat"]
    assert (sheet.columns, weights(sheet)) == (("without “sks style”", "with “sks style”"), [(0.8,), (0.8,)])


def test_two_loras_are_shown_apart_and_together() -> None:
    sheet = comparison.lora_combinations(job(INK, PAPER))
    assert sheet.columns == ("without", "Ink 0.8", "Paper 0.5", "Ink 0.8 + Paper 0.5")
    assert weights(sheet) == [(0, 0), (0.8, 0), (0, 0.5), (0.8, 0.5)]


def test_loras_are_columns_each_alone_with_its_own_words_and_weight() -> None:
    asked = job(lora(trigger_words=("sks",)), PAPER, seed=7)
    sheet = comparison.lora_columns(asked, ["a cat", "a dog"], seeds=2)
    assert sheet.rows == ("a cat · seed 7", "a cat · seed 8", "a dog · seed 7", "a dog · seed 8")
    assert (sheet.columns, weights(sheet)) == (("Ink 0.8", "Paper 0.5"), [(0.8, 0.0), (0.0, 0.5)] * 4)
    assert [(cell.prompt, cell.seed) for cell in sheet.cells[1:4]] == [("a cat", 7), ("sks, a cat", 8), ("a cat", 8)]


def test_trigger_words_alone_are_a_prompt_to_compare_loras_with() -> None:
    sheet = comparison.lora_columns(job(lora(trigger_words=("sks",)), PAPER, prompt=""), [" "])
    assert [cell.prompt for cell in sheet.cells] == ["sks", ""]


def test_each_lora_can_have_several_weights_and_epochs_are_told_apart_by_their_files() -> None:
    epochs = (lora(path=Path("ink-01.safetensors")), lora(path=Path("ink-02.safetensors")))
    sheet = comparison.lora_columns(job(*epochs), weights=(0.5, 1.0))
    assert sheet.columns == ("Ink (ink-01) 0.5", "Ink (ink-01) 1", "Ink (ink-02) 0.5", "Ink (ink-02) 1")
    assert weights(sheet) == [(0.5, 0.0), (1.0, 0.0), (0.0, 0.5), (0.0, 1.0)]


def test_a_grid_has_a_row_for_each_prompt_and_a_column_for_each_weight() -> None:
    sheet = comparison.weight_sweep(job(lora(trigger_words=("sks",))), (0, 1), prompts=["a cat", " ", "a  dog"])
    assert (sheet.rows, sheet.columns) == (("a cat", "a dog"), ("0", "1"))
    assert [cell.prompt for cell in sheet.cells] == ["sks, a cat", "sks, a cat", "sks, a dog", "sks, a dog"]
    assert weights(sheet) == [(0,), (1,), (0,), (1,)]


def test_steps_stand_at_equal_distances() -> None:
    assert comparison.weight_range(0, 1.2, 5) == comparison.DEFAULT_SWEEP
    assert comparison.weight_range(-1, 1, 3) == (-1, 0, 1)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: comparison.before_after(job()), "Choose one"),
        (lambda: comparison.weight_sweep(job()), "Choose one"),
        (lambda: comparison.weight_sweep(job(), prompts=["a"]), "Choose one"),
        (lambda: comparison.lora_combinations(job(INK)), "Choose two"),
        (lambda: comparison.lora_combinations(job(INK, INK, INK)), "Choose two"),
        (lambda: comparison.lora_columns(job(INK)), "2 to 32 LoRAs can be compared, and there are 1"),
        (lambda: comparison.lora_columns(job(INK, PAPER), ["a"] * 7, seeds=7), "That would be 98 images"),
        (lambda: comparison.trigger_comparison(job(INK)), "Try a pair instead"),
        (lambda: comparison.weight_sweep(job(INK), prompts=["", " "]), "Write one in each line"),
        (lambda: comparison.weight_sweep(job(INK), prompts=["a"] * 20), "100 images, and a comparison has room for 96"),
        (lambda: comparison.weight_sweep(job(INK), ()), "at least one"),
        (lambda: comparison.weight_sweep(job(INK), (float("nan"),)), "such as 0, 0.5"),
    ],
)
def test_what_makes_no_comparison_is_told_with_a_way_out(make: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make()


def test_long_titles_are_cut_in_labels() -> None:
    assert comparison.single(job(lora("x" * 60, weight=1))).columns == ("x" * 39 + "… 1",)


@pytest.mark.parametrize("kind", ["one", "pair", "strip", "trigger", "grid"])
def test_a_comparison_is_made_by_its_name(kind: comparison.ComparisonKind) -> None:
    asked = job(lora(trigger_words=("inkstyle",)))
    assert comparison.make_comparison(kind, asked, ("a boat",), (0.0, 1.0)).kind == kind


HIGH, LOW = lora("Boats"), lora("Boats", follows=True)


def test_a_lora_in_two_files_is_turned_up_as_one() -> None:
    sheet = comparison.weight_sweep(job(HIGH, LOW, PAPER), (0.0, 0.6))
    assert (sheet.rows, weights(sheet)) == (("Boats, with Paper 0.5",), [(0.0, 0.0, 0.5), (0.6, 0.6, 0.5)])
    assert weights(comparison.weight_sweep(job(HIGH, LOW), (0.3,), prompts=["a"])) == [(0.3, 0.3)]
    assert comparison.before_after(job(HIGH, LOW)).columns == ("without", "with Boats 0.8")


def test_a_lora_in_two_files_is_one_of_two_that_are_compared() -> None:
    assert weights(comparison.lora_combinations(job(HIGH, LOW, PAPER))) == [
        (0, 0, 0),
        (0.8, 0.8, 0),
        (0, 0, 0.5),
        (0.8, 0.8, 0.5),
    ]
    with pytest.raises(UsageError, match="needs two LoRAs, and there are 1"):
        comparison.lora_combinations(job(HIGH, LOW))
