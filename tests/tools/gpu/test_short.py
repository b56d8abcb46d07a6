"""`make gpu` in short, on the CPU: that every section works, and finds what is wrong."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from hub_ui.generate.lora.manager import AdapterManager
from tests.tools.gpu import __main__ as gpu
from tests.tools.gpu import attention, correctness, offloading, short, small_cards, speed
from tests.tools.gpu.card import GIGABYTE, Card, cpu
from tests.tools.gpu.results import Budget, Line, Section, judged, table, write_between_markers


def verdicts(lines: list[Line]) -> set[str]:
    return {line.verdict for line in lines}


def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([], page=tmp_path / "gpu.md", found=lambda: None) == 0
    assert capsys.readouterr().out == "skipped: no CUDA or MPS device\n"
    assert list(tmp_path.iterdir()) == []


def test_loras_are_compared_in_both_precisions() -> None:
    lines = list(correctness.lines(cpu(), Budget(seconds=60), correctness.BASES[:1]))
    assert [line.figure for line in lines] == ["1 of 1", "1 of 1"]
    assert verdicts(lines) == {"good"}


@pytest.mark.tools
def test_a_lora_at_another_weight_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    spread = AdapterManager._spread
    monkeypatch.setattr(AdapterManager, "_spread", lambda self, weights: tuple(3 * w for w in spread(self, weights)))
    lines = list(correctness.lines(cpu(), Budget(seconds=60), correctness.BASES[:1]))
    assert [line.verdict for line in lines] == ["bad", "bad", "bad", "bad"]


@pytest.mark.tools
def test_every_level_restores_the_weights() -> None:
    lines = list(offloading.lines(cpu(), Budget(seconds=60), offloading.ROWS[1:2]))
    assert [line.figure for line in lines] == ["restored bit for bit"] * len(lines)


@pytest.mark.tools
def test_weights_that_stay_changed_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "hub_ui.generate.lora.merge.Originals._restore", lambda self, _original: self._originals.clear()
    )
    line = next(iter(offloading.lines(cpu(), Budget(seconds=60), offloading.ROWS[-1:])))
    assert (line.verdict, "its weights are not what they were" in line.figure) == ("bad", True)


@pytest.mark.tools
def test_each_attention_is_timed_against_torch_s_own_or_says_why_not() -> None:
    pipe = short.flux("cpu", torch.float32)
    found = attention.lines(
        cpu(), Budget(seconds=60), pipe, size=64, steps=1, backends=("native", "_native_math", "xformers")
    )
    own, same, exact, missing = found
    assert own.what == "1 steps of 64 x 64 by torch's own attention"
    assert (same.figure.endswith("by at most 0.0000"), exact.verdict) == (True, "figure")
    assert (missing.verdict, missing.figure.startswith("Xformers Attention backend")) == ("left out", True)


@pytest.mark.tools
def test_speed_is_a_ratio_to_stock_diffusers(tmp_path: Path) -> None:
    lines = list(speed.lines(short.measured(cpu(), tmp_path), Budget(seconds=60)))
    assert [line.what for line in lines] == [
        "tiny SDXL: an image without a LoRA, 1 steps",
        "an image with a LoRA, of one without (aim 1.1)",
        "switch to a LoRA used before, of stock diffusers with PEFT (aim 0.1)",
        "an image with a LoRA, of stock diffusers with PEFT (aim 1)",
        "a strip of five weights, of stock diffusers with PEFT (aim 1)",
        "peak memory",
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredCard(Card):
    """Says what the peak was."""

    measured: int

    def peak(self, do: Callable[[], object]) -> int:
        do()
        return self.measured


@pytest.mark.tools
@pytest.mark.parametrize(("share", "verdict"), [(1.0, "good"), (1.14, "good"), (1.16, "bad"), (0.84, "bad")])
def test_a_peak_far_from_the_plan_is_found(share: float, verdict: str) -> None:
    base = short.real()[0]
    planned = small_cards.choose_level(
        small_cards.footprint_of(base.build("cpu", base.dtype), base), 24 * GIGABYTE, "cpu"
    )[1]
    card = MeasuredCard(kind="cpu", label="x", total=24 * GIGABYTE, measured=round(planned * share))
    [line] = small_cards.lines(card, Budget(seconds=60), [base], [24])
    assert line.verdict == verdict


@pytest.mark.tools
def test_a_simulated_peak_stands_beside_the_plan() -> None:
    card, base = replace(cpu(), total=24 * GIGABYTE), short.real()[0]
    [line] = small_cards.lines(card, Budget(seconds=60), [base], [24])
    assert line.figure == "0.0 GB simulated, 10.6 GB planned, the peak can't be measured here"
    pipe = base.build("meta", base.dtype)
    weights = sum(value.nbytes for part in (pipe.unet, pipe.vae) for value in part.parameters())
    assert weights < small_cards.simulated_peak(base, "whole") < 3 * weights


@pytest.mark.tools
def test_memory_that_runs_out_on_a_small_card_is_found() -> None:
    def draw(_pipe: object, _steps: int, _card: Card) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    card = replace(cpu(), total=24 * GIGABYTE)
    [line] = small_cards.lines(card, Budget(seconds=60), [replace(short.real()[1], draw=draw)], [24])
    assert (line.verdict, line.figure.startswith("memory ran out")) == ("bad", True)


def test_memory_that_runs_out_ends_a_section_only() -> None:
    def full(_budget: Budget) -> list[Line]:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    tasks = [gpu.Task(title="a", seconds=1, lines=full), gpu.Task(title="b", seconds=1, lines=lambda _budget: [])]
    assert [(section.title, len(section.lines)) for section in gpu.run(cpu(), tasks)] == [("a", 1), ("b", 0)]


def test_the_table_replaces_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "gpu.md"
    page.write_text("# GPUs\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nend\n")
    section = Section(title="Speed", seconds=9.6, lines=(judged("a | b", "0.5", good=True),))
    write_between_markers(page, table([section], device="a card", versions="torch 2"))
    assert page.read_text() == (
        "# GPUs\n<!-- figures: begin -->\nOn a card (torch 2), 10 seconds in all:\n\n| | | |\n| --- | --- | --- |\n"
        "| **Speed** | 10 s | |\n| a \\| b | 0.5 | good |\n<!-- figures: end -->\nend\n"
    )
