import math
from unittest.mock import Mock

import pytest
import torch
from torch import nn

from hub_ui.generate.base_models import choose_base
from hub_ui.generate.lora.algorithms import LOW_RANK, Rows
from hub_ui.generate.lora.merge import ModuleChange, Originals, choose_merged
from hub_ui.generate.lora.parameters import ParamHandle, param_handles
from hub_ui.generate.lora.patch import Patch
from hub_ui.generate.memory.plan import MERGED_AT_ONCE, footprint
from tests.hub_ui.generate.lora.naming import patch
from tests.hub_ui.generate.simulated_cuda import Card, simulated_cuda


def change(value: torch.Tensor, **bias: torch.Tensor) -> Patch:
    return patch("diff", diff=value, **bias)


def params(module: nn.Module) -> dict[str, ParamHandle]:
    return dict(param_handles(nn.ModuleDict({"a": module}), "a"))


def test_weights_and_biases_gain_and_are_restored_bit_for_bit() -> None:
    module, kept = nn.Linear(3, 2), Originals()
    own, parameter = {name: value.clone() for name, value in module.state_dict().items()}, module.weight
    kept.merge(params(module), [(change(torch.ones(2, 3), diff_b=torch.ones(2)), 0.5)])
    torch.testing.assert_close(module.weight.data, own["weight"] + 0.5)
    torch.testing.assert_close(module.bias.data, own["bias"] + 0.5)
    kept.restore_all()
    assert all(torch.equal(value, own[name]) for name, value in module.state_dict().items())
    assert module.weight is parameter


def test_merging_again_starts_from_the_modules_own_weights() -> None:
    module, kept = nn.Linear(3, 2), Originals()
    own = module.weight.data.clone()
    for amount in (1.0, -0.3):
        kept.merge(params(module), [(change(torch.ones(2, 3)), amount)])
    torch.testing.assert_close(module.weight.data, own - 0.3)


def test_an_amount_of_zero_is_the_modules_own_weight() -> None:
    module, kept = nn.Linear(3, 2), Originals()
    own = module.weight.data.clone()
    kept.merge(params(module), [(change(torch.ones(2, 3)), 1.0)])
    kept.merge(params(module), [(change(torch.ones(2, 3)), 0.0)])
    assert torch.equal(module.weight.data, own)
    assert len(kept) == 0


def test_without_a_device_to_compute_on_it_is_the_very_gpu_that_has_the_values() -> None:
    with simulated_cuda(Card(), Card()) as cuda:
        module, kept = nn.Linear(3, 2).to("cuda:1"), Originals()
        own = module.weight.data.clone()
        kept.merge(params(module), [(change(torch.ones(2, 3)), 0.5)])
        torch.testing.assert_close(module.weight.data.cpu(), own.cpu() + 0.5)
    assert (cuda.cards[0].allocations, cuda.unindexed) == (0, [])


def test_what_could_not_be_put_back_is_put_back_later(monkeypatch: pytest.MonkeyPatch) -> None:
    module, kept = nn.Linear(3, 2), Originals()
    own = module.weight.data.clone()
    kept.merge(params(module), [(change(torch.ones(2, 3)), 1.0)])
    with monkeypatch.context() as failing:
        failing.setattr(ParamHandle, "write", Mock(side_effect=torch.OutOfMemoryError))
        with pytest.raises(torch.OutOfMemoryError):
            kept.restore_all()
    kept.restore_all()
    assert torch.equal(module.weight.data, own)


def test_sums_are_taken_in_full_precision_and_rounded_once() -> None:
    module, kept = nn.Linear(1, 1).to(torch.bfloat16), Originals()
    module.weight.data.fill_(256.0)
    small = [(change(torch.full((1, 1), 0.75)), 1.0)] * 2
    kept.merge(params(module), small)
    # Each by itself would be lost: bfloat16 knows no number between 256 and 258.
    assert module.weight.item() == 258.0


def test_the_same_again_is_not_computed_again() -> None:
    module, kept, one = nn.Linear(3, 2), Originals(), change(torch.ones(2, 3))
    kept.merge(params(module), [(one, 1.0)])
    before = module.weight.data_ptr()
    kept.merge(params(module), [(one, 1.0)])
    assert module.weight.data_ptr() == before


def test_weights_merged_while_a_picture_is_drawn_can_be_used_for_anything_later() -> None:
    module, kept = nn.Linear(3, 2), Originals()
    with torch.inference_mode():
        kept.merge(params(module), [(change(torch.ones(2, 3)), 1.0)])
    assert not module.weight.data.is_inference()


FORMULAS: dict[str, tuple[str, dict[str, tuple[int, ...]]]] = {
    "lora": ("lora", {"up": (12, 2), "down": (2, 8)}),
    "loha": ("loha", {"hada_w1_a": (12, 2), "hada_w1_b": (2, 8), "hada_w2_a": (12, 2), "hada_w2_b": (2, 8)}),
    "lokr": ("lokr", {"lokr_w1": (3, 2), "lokr_w2": (4, 4)}),
    "glora": ("glora", {"a1": (8, 2), "a2": (2, 8), "b1": (12, 2), "b2": (2, 8)}),
    "oft": ("oft", {"oft": (4, 3, 3)}),
    "boft": ("boft", {"oft": (1, 3, 4, 4)}),
    "diff": ("diff", {"diff": (12, 8)}),
    "dora": ("lora", {"up": (12, 2), "down": (2, 8), "magnitude": (12, 1)}),
    "dora by input": ("lora", {"up": (12, 2), "down": (2, 8), "magnitude": (1, 8)}),
}


@pytest.mark.parametrize("rows", [None, ((0, 3), (6, 12))], ids=["whole", "part"])
@pytest.mark.parametrize("name", FORMULAS)
def test_a_large_weight_is_merged_row_by_row(name: str, rows: Rows | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if rows and name in ("boft", "dora by input"):
        rows = None  # they change the outputs of a fused layer together
    torch.manual_seed(0)
    algorithm, shapes = FORMULAS[name]
    one = patch(algorithm, rows, **{part: torch.randn(shape) * 0.3 for part, shape in shapes.items()})
    module, kept = nn.Linear(8, 9 if rows else 12), Originals()
    own = module.weight.data
    expected = own + one.delta(own, 0.7)  # type: ignore[operator]
    monkeypatch.setattr("hub_ui.generate.lora.merge.MERGED_AT_ONCE", 5 * 8)
    kept.merge(params(module), [(one, 0.7)])
    torch.testing.assert_close(module.weight.data, expected, atol=1e-6, rtol=1e-5)


def test_merging_a_dora_into_a_large_weight_takes_of_a_gpu_what_is_planned() -> None:
    down, up, magnitude = torch.zeros(16, 640, 3, 3), torch.zeros(640, 16, 1, 1), torch.ones(640, 1, 1, 1)
    dora = patch("lora", down=down, up=up, magnitude=magnitude)
    with simulated_cuda(Card()) as cuda, torch.no_grad():
        module = nn.Conv2d(640, 640, 3, bias=False, dtype=torch.float16).to("cuda:0")
        before = cuda.cards[0].used
        Originals("cuda:0").merge(params(module), [(dora, 1.0)])
    planned = footprint(choose_base("sdxl", None, None), "float16").merging / MERGED_AT_ONCE * module.weight.numel()
    assert cuda.cards[0].peak - before == pytest.approx(planned, rel=0.05)


def test_weight_0_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair with a merged LoRA begins with it."""
    module, kept = nn.Linear(3, 2), Originals()
    monkeypatch.setattr("hub_ui.generate.lora.merge._plus", None)
    kept.merge(params(module), [(change(torch.ones(2, 3)), 0.0)])
    assert len(kept) == 0


def test_a_convolution_keeps_its_memory_format() -> None:
    module, kept = nn.Conv2d(4, 4, 3), Originals()
    module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    kept.merge(params(module), [(change(torch.ones(4, 4, 3, 3)), 1.0)])
    assert module.weight.is_contiguous(memory_format=torch.channels_last)


def test_merging_pays_with_more_steps_and_in_layers_that_are_not_wide_at_both_ends() -> None:
    deep, shallow = (1280, 1280, 3, 3), (320, 320)
    assert [is_merged(lora(deep, 16), steps) for steps in (2, 30, None)] == [False, True, True]
    assert [is_merged(lora(shallow, 16), steps) for steps in (2, 30, None)] == [True, True, True]


def is_merged(change: ModuleChange, steps: int | None) -> bool:
    return bool(choose_merged({}, {("unet", "a"): change}, math.inf if steps is None else steps))


def lora(shape: tuple[int, ...], rank: int) -> ModuleChange:
    """In half precision."""
    down, up = torch.empty(rank, *shape[1:], device="meta"), torch.empty(shape[0], rank, device="meta")
    return ModuleChange(shape=shape, itemsize=2, patches=[patch(LOW_RANK, down=down, up=up)])


def module_change(side: int) -> ModuleChange:
    return lora((side, side), 4)


def test_a_lokr_of_unequal_factors_is_merged_sooner_than_one_of_equal_ones() -> None:
    def lokr(first: int) -> ModuleChange:
        one, other = (torch.empty(side, side, device="meta") for side in (first, 1024 // first))
        return ModuleChange(shape=(1024, 1024), itemsize=2, patches=[patch("lokr", lokr_w1=one, lokr_w2=other)])

    assert [is_merged(lokr(first), 1) for first in (2, 32)] == [True, False]


def test_what_takes_more_memory_than_the_budget_is_not_merged_for_speed() -> None:
    small, large = ("unet", "small"), ("unet", "large")
    assert choose_merged({}, {small: module_change(1000), large: module_change(10_000)}, math.inf) == {small, large}
    assert choose_merged({}, {small: module_change(1000), large: module_change(100_000)}, math.inf) == set()
    assert choose_merged({large: module_change(100_000)}, {small: module_change(1000)}, math.inf) == set()
