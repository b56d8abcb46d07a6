from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from connectors.errors import DoesNotFit, HubDown, NoBase, NotWeights, UsageError
from hub_ui.preview import stamp
from hub_ui.preview.job import Picture, PreviewCancelled, Step
from hub_ui.preview.studio import Studio
from tests.hub_ui.preview.building import adapter, job, save_kohya, save_peft


@pytest.fixture
def kohya(tmp_path: Path) -> Path:
    return save_kohya(tmp_path / "kohya.safetensors")


def pixels(picture: Picture) -> NDArray[np.int64]:
    return np.asarray(picture.image, dtype=np.int64)


def same(one: Picture, other: Picture) -> bool:
    return bool((pixels(one) == pixels(other)).all())


def test_a_pair_differs_by_the_lora_alone(studio: Studio, base: str, kohya: Path) -> None:
    pair = studio.make_pair(job(adapter(kohya), base=base))
    assert pair.without.image.size == (32, 32)
    assert np.abs(pixels(pair.without) - pixels(pair.with_loras)).mean() > 2


def test_weight_0_is_the_base_bit_for_bit(studio: Studio, base: str, kohya: Path) -> None:
    pair = studio.make_pair(job(adapter(kohya, weight=0.0), base=base))
    assert same(pair.without, pair.with_loras)


def test_without_is_the_picture_of_the_base_alone(studio: Studio, base: str, kohya: Path) -> None:
    alone = studio.make_one(job(base=base))
    pair = studio.make_pair(job(adapter(kohya), base=base))
    assert same(alone.picture, pair.without)


def test_the_same_job_makes_the_same_pair_in_another_studio(studio: Studio, base: str, kohya: Path) -> None:
    first = studio.make_pair(job(adapter(kohya), base=base))
    studio.close()
    second = studio.make_pair(job(adapter(kohya), base=base))
    assert same(first.without, second.without)
    assert same(first.with_loras, second.with_loras)


def test_another_seed_makes_another_pair(studio: Studio, base: str, kohya: Path) -> None:
    first = studio.make_pair(job(adapter(kohya), base=base))
    second = studio.make_pair(job(adapter(kohya), base=base, seed=8))
    assert not same(first.without, second.without)


def test_the_weight_turns_the_effect_up(studio: Studio, base: str, kohya: Path) -> None:
    pairs = [studio.make_pair(job(adapter(kohya, weight=weight), base=base)) for weight in (0.2, 1.0)]
    low, high = (np.abs(pixels(pair.without) - pixels(pair.with_loras)).mean() for pair in pairs)
    assert 0 < low < high


def test_only_the_weight_changed_so_the_base_is_not_drawn_again(studio: Studio, base: str, kohya: Path) -> None:
    first = studio.make_pair(job(adapter(kohya), base=base))
    second = studio.make_pair(job(adapter(kohya, weight=0.5), base=base))
    assert second.without is first.without


def test_loras_stack_and_their_order_does_not_matter(studio: Studio, base: str, kohya: Path, tmp_path: Path) -> None:
    both = adapter(kohya), adapter(save_peft(tmp_path / "peft.safetensors", seed=5), weight=0.5)
    one = studio.make_one(job(*both, base=base))
    other = studio.make_one(job(*reversed(both), base=base))
    assert (one.report.applied, one.report.total) == (72 + 48, 72 + 48)
    assert np.abs(pixels(one.picture) - pixels(other.picture)).max() <= 1


def test_the_base_is_untouched_after_all_of_it(studio: Studio, base: str, kohya: Path, tmp_path: Path) -> None:
    before = studio.make_one(job(base=base))
    for seed in range(8):
        studio.make_one(job(adapter(save_peft(tmp_path / f"{seed}.safetensors", seed=seed)), base=base, steps=1))
    assert same(studio.make_one(job(base=base)).picture, before.picture)


def test_switching_reloads_nothing(studio: Studio, base: str, kohya: Path) -> None:
    studio.make_one(job(adapter(kohya), base=base))
    stages: list[Step] = []
    again = studio.make_one(job(adapter(kohya, weight=0.3), base=base), report=stages.append)
    assert "Loading" not in " ".join(step.stage for step in stages)
    assert again.report.switch_seconds < 1


def test_the_report_says_how_it_came_about(studio: Studio, base: str, kohya: Path) -> None:
    asked = job(adapter(kohya, trigger_words=("sks",)), base=base, seed=3, steps=None, guidance=5.0)
    report = studio.make_pair(asked).report
    assert (report.prompt, report.seed, report.steps, report.guidance) == ("sks, a red cat", 3, 25, 5.0)
    assert (report.applied, report.total, report.unmatched, report.device) == (72, 72, (), "CPU")


def test_every_step_is_told(studio: Studio, base: str, kohya: Path) -> None:
    steps: list[Step] = []
    studio.make_pair(job(adapter(kohya), base=base), report=steps.append)
    told = [(step.stage, step.done, step.total) for step in steps]
    assert told == [
        (f"Loading {base}", 0, 0),
        ("Putting the LoRA on", 0, 0),
        *(("Drawing without", done, 2) for done in range(3)),
        *(("Drawing with the LoRA", done, 2) for done in range(3)),
    ]


def test_a_picture_is_stopped_between_steps(studio: Studio, base: str, kohya: Path) -> None:
    steps: list[Step] = []
    with pytest.raises(PreviewCancelled):
        studio.make_pair(
            job(adapter(kohya), base=base, steps=20),
            report=steps.append,
            cancelled=lambda: steps[-1].done >= 2,
        )
    assert steps[-1].done == 2
    assert studio.make_one(job(base=base)).picture.image.size == (32, 32)


def test_who_comes_meanwhile_waits_and_may_give_up(studio: Studio, base: str, kohya: Path) -> None:
    entered, leave, seen = threading.Event(), threading.Event(), list[str]()

    def hold(_step: Step) -> None:
        entered.set()
        leave.wait(10)

    first = threading.Thread(target=studio.make_one, args=(job(base=base),), kwargs={"report": hold})
    first.start()
    entered.wait(10)
    with pytest.raises(PreviewCancelled):
        studio.make_one(job(base=base), report=lambda step: seen.append(step.stage), cancelled=lambda: True)
    leave.set()
    first.join()
    assert seen == ["Waiting for another picture"]


@pytest.mark.parametrize("fields", [{"width": 48}, {"prefix": "lora_unet_nobody."}, {"prefix": "transformer."}])
def test_a_lora_of_which_nothing_applies_is_refused(
    studio: Studio, base: str, tmp_path: Path, fields: dict[str, Any]
) -> None:
    save = save_kohya if "width" in fields else save_peft
    path = save(tmp_path / "wrong.safetensors", **fields)
    with pytest.raises(DoesNotFit, match=r"(72|48) tensors"):
        studio.make_pair(job(adapter(path), base=base))
    assert studio.make_one(job(base=base)).report.total == 0


def test_loras_of_two_architectures_do_not_go_together(studio: Studio, base: str, kohya: Path) -> None:
    with pytest.raises(DoesNotFit):
        studio.make_pair(job(adapter(kohya), adapter(kohya, architecture="sdxl"), base="sd-1.5"))


def test_only_safetensors_are_loaded(studio: Studio, base: str, tmp_path: Path) -> None:
    (tmp_path / "lora.bin").write_bytes(b"\x80\x02")
    (tmp_path / "lora.safetensors").write_bytes(b"\x80\x02")
    for name in ("lora.bin", "lora.safetensors"):
        with pytest.raises(NotWeights):
            studio.make_pair(job(adapter(tmp_path / name), base=base))


def test_a_base_that_cannot_be_fetched_is_told(studio: Studio, kohya: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(HubDown, match=r"SD 1\.5 could not be fetched"):
        studio.make_pair(job(adapter(kohya)))


def test_a_folder_without_a_model_is_no_base(studio: Studio, kohya: Path, tmp_path: Path) -> None:
    with pytest.raises(NoBase):
        studio.make_pair(job(adapter(kohya), base=str(tmp_path)))


@pytest.mark.parametrize(
    "fields", [{"steps": 0}, {"steps": 1000}, {"width": 9000}, {"height": -1}, {"seed": -1}, {"seed": 2**64}]
)
def test_what_cannot_be_drawn_is_told_at_once(studio: Studio, base: str, fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        studio.make_one(job(base=base, **fields))


def test_a_weight_that_is_no_number_is_told(studio: Studio, base: str, kohya: Path) -> None:
    with pytest.raises(UsageError, match=r"such as 0\.8"):
        studio.make_one(job(adapter(kohya, weight=float("nan")), base=base))


def test_sides_are_brought_to_what_latents_can_be_cut_into(studio: Studio, base: str) -> None:
    assert studio.make_one(job(base=base, width=47, height=33, steps=1)).picture.image.size == (32, 32)


def test_a_picture_is_made_again_from_its_file(studio: Studio, base: str, kohya: Path, tmp_path: Path) -> None:
    asked = job(adapter(kohya, weight=0.7, trigger_words=("sks",)), base=base)
    first = studio.make_one(asked)
    stamp.save(first, asked, tmp_path / "a.png")
    again = stamp.read(tmp_path / "a.png").job(
        lambda _ref, weight: adapter(kohya, weight=weight, trigger_words=("sks",))
    )
    assert same(studio.make_one(again).picture, first.picture)


def test_nothing_to_draw_with_is_told(studio: Studio) -> None:
    with pytest.raises(UsageError, match="neither a LoRA nor a base"):
        studio.make_one(job())
