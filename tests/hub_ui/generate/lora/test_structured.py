"""What is added to outputs is what merging the same patch gives, for one weight and for rows of a batch."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers.models.transformers.transformer_hidream_image import MOEFeedForwardSwiGLU
from diffusers.models.transformers.transformer_krea2 import Krea2TextFusion
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from connectors.weights.key_formats import Part
from hub_ui.generate.lora.algorithms import LOW_RANK, Factors
from hub_ui.generate.lora.hooks import AdapterWeights, NotPerRow, RowsByModule, attach, follow_tokens
from hub_ui.generate.lora.parameters import ParamHandle, is_quantised, param_handles
from hub_ui.generate.lora.patch import Patch
from hub_ui.generate.lora.structured import columns, dequantise, form_of
from hub_ui.generate.memory.offload import Placement, place
from tests.hub_ui.generate.building import CPU
from tests.hub_ui.generate.lora.naming import gguf_linear
from tests.hub_ui.generate.simulated_cuda import Card, simulated_cuda

Made = tuple[str, Mapping[Part, tuple[int, ...]]]
LINEAR: dict[str, Made] = {
    "lokr": ("lokr", {"lokr_w1": (3, 2), "lokr_w2": (4, 4)}),
    "lokr in four factors": (
        "lokr", {"lokr_w1_a": (3, 1), "lokr_w1_b": (1, 2), "lokr_w2_a": (4, 2), "lokr_w2_b": (2, 4)},
    ),
    "loha": ("loha", {"hada_w1_a": (12, 2), "hada_w1_b": (2, 8), "hada_w2_a": (12, 1), "hada_w2_b": (1, 8)}),
    "dora": ("lora", {"down": (2, 8), "up": (12, 2), "magnitude": (12, 1)}),
    "dora of PEFT": ("lora", {"down": (2, 8), "up": (12, 2), "magnitude": (12,)}),
}  # fmt: skip
CONV: dict[str, Made] = {
    "lokr": ("lokr", {"lokr_w1": (3, 2), "lokr_w2": (4, 4, 3, 3)}),
    "loha": ("loha", {"hada_w1_a": (12, 2), "hada_w1_b": (2, 72), "hada_w2_a": (12, 2), "hada_w2_b": (2, 72)}),
    "dora": ("lora", {"down": (2, 8, 3, 3), "up": (12, 2, 1, 1), "magnitude": (12, 1, 1, 1)}),
}


def patch(made: Made, peft: bool = False, **fields: Any) -> Patch:
    algorithm, shapes = made
    parts = {part: torch.randn(shape) * 0.5 for part, shape in shapes.items()}
    keys: dict[Part, str] = {"magnitude": "a.lora_magnitude_vector"} if peft else {}
    return Patch(algorithm=algorithm, factors=Factors(parts=parts, keys=keys, scale=0.5, **fields))


def merged(module: Any, patches: Sequence[Patch], weights: Sequence[float], x: torch.Tensor) -> torch.Tensor:
    """What the module gives with the patches in its weights."""
    other = copy.deepcopy(module)
    for patch, weight in zip(patches, weights, strict=True):
        delta = patch.delta(module.weight.data, weight)
        other.weight.data += 0 if delta is None else delta
    return run(other, x)


def run(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        y: torch.Tensor = module(x)
    return y


def attached(module: Any, *patches: Patch) -> AdapterWeights:
    weights = AdapterWeights()
    weight = ParamHandle(module=module, name="weight")
    read = dequantise if is_quantised(weight.module) else partial(columns, weight)
    bias = None if module.bias is None else ParamHandle(module=module, name="bias")
    attach(module, list(enumerate(patches)), weights, read, bias)
    return weights


def check(module: Any, one: Patch, x: torch.Tensor) -> None:
    assert form_of(one, tuple(module.weight.shape)) is not None
    wanted = {weight: merged(module, [one], [weight], x) for weight in (0.0, 1.0, -0.7)}
    weights = attached(module, one)
    for weight, expected in wanted.items():
        weights.set([weight])
        torch.testing.assert_close(run(module, x), expected, atol=1e-5, rtol=1e-4)
    weights.set([0.0], [[0.0], [-0.7]])
    rows = torch.stack([wanted[weight][i] for i, weight in enumerate((0.0, -0.7) * (len(x) // 2))])
    torch.testing.assert_close(run(module, x), rows, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("bias", [False, True])
def test_a_linear_layer_gains_what_merging_gives(name: str, bias: bool) -> None:
    check(nn.Linear(8, 12, bias=bias), patch(LINEAR[name], peft="PEFT" in name), torch.randn(4, 5, 8))


@pytest.mark.parametrize("name", CONV)
def test_a_convolution_gains_what_merging_gives(name: str) -> None:
    check(nn.Conv2d(8, 12, 3, padding=1, stride=2), patch(CONV[name]), torch.randn(2, 8, 6, 6))


@pytest.mark.parametrize("name", ["lokr", "loha", "dora"])
def test_a_part_of_a_fused_layer_gains_its_rows(name: str) -> None:
    check(nn.Linear(8, 5), patch(LINEAR[name], rows=((1, 3), (6, 9))), torch.randn(2, 8))


def test_what_would_take_a_matrix_as_large_is_merged_only() -> None:
    ranks = 40
    large: Made = (
        "loha",
        {"hada_w1_a": (12, ranks), "hada_w1_b": (ranks, 8), "hada_w2_a": (12, ranks), "hada_w2_b": (ranks, 8)},
    )
    assert form_of(patch(large), (12, 8)) is None
    assert form_of(patch(("oft", {"oft": (3, 4, 4)})), (12, 8)) is None


def unpacked(module: nn.Module) -> torch.Tensor:
    return torch.cat(list(dequantise(module)), 1)


def test_a_quantised_weight_is_read_by_running_the_layer() -> None:
    values = torch.randn(6, 64)
    module = gguf_linear(values)
    assert (unpacked(module) - values).abs().max() < 0.02
    assert module.bias is not None


def test_the_first_run_of_a_dora_takes_of_a_gpu_little_more_than_a_run_of_its_layer_without_it() -> None:
    with simulated_cuda(Card()) as cuda, torch.no_grad():
        module = gguf_linear(torch.randn(1024, 2048)).to("cuda:0")
        x = torch.zeros(1, 2048, device="cuda:0")
        module(x)
        alone = cuda.cards[0].peak
        attached(module, patch(("lora", {"down": (2, 2048), "up": (1024, 2), "magnitude": (1024, 1)}))).set([1.0])
        module(x)
    assert cuda.cards[0].peak - alone < 4 * 1024 * 2048


@pytest.mark.parametrize("made", [("oft", {"oft": (3, 2, 2)}), ("diff", {"diff": (6, 64), "diff_b": (6,)})])
def test_a_quantised_layer_takes_any_other_patch_as_a_matrix(made: Made) -> None:
    module, x, one = gguf_linear(torch.randn(6, 64)), torch.randn(2, 3, 64), patch(made)
    plain = nn.Linear(64, 6)
    plain.weight.data, plain.bias.data = unpacked(module).detach(), module.bias.data.clone()
    bias = one.bias_delta(plain.bias.data, plain.weight.data, 0.8)
    expected = merged(plain, [one], [0.8], x) + (0 if bias is None else bias)
    weights = attached(module, one)
    weights.set([0.8])
    torch.testing.assert_close(run(module, x), expected, atol=1e-4, rtol=1e-4)


@pytest.fixture
def emptied() -> Iterator[None]:
    """Memory without values has those that no result can come from."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def test_a_dora_of_a_layer_in_a_file_reads_its_bias_there(emptied: None) -> None:
    part, one, x = nn.Sequential(nn.Linear(8, 12)), patch(LINEAR["dora"]), torch.randn(3, 8)
    expected = merged(part[0], [one], [0.7], x)
    pipe = SimpleNamespace(components={"unet": part}, to=part.to)
    place(pipe, CPU, Placement(level="disk_offload"))
    own, weights = param_handles(part, "0"), AdapterWeights()
    attach(part[0], [(0, one)], weights, partial(columns, own["weight"]), own["bias"])
    weights.set([0.7])
    torch.testing.assert_close(run(part, x), expected, atol=1e-5, rtol=1e-4)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


MODULES: dict[str, Any] = {
    "linear": (lambda: nn.Linear(6, 9), (6,), (4, 5, 6)),
    "linear of one vector": (lambda: nn.Linear(6, 9, bias=False), (6,), (4, 6)),
    "conv": (lambda: nn.Conv2d(6, 9, 3, padding=1, stride=2), (6, 3, 3), (4, 6, 8, 8)),
    "conv that pads by reflection": (
        lambda: nn.Conv2d(6, 9, 3, padding=1, padding_mode="reflect"), (6, 3, 3), (4, 6, 8, 8),
    ),
    "sequence": (lambda: nn.Conv1d(6, 9, 3, dilation=2), (6, 3), (4, 6, 12)),
    "film": (lambda: nn.Conv3d(6, 9, (1, 3, 3)), (6, 1, 3, 3), (4, 6, 2, 5, 5)),
}  # fmt: skip


def live(inside: tuple[int, ...], **fields: Any) -> Patch:
    scale = fields.pop("scale", 0.5)
    parts: dict[Any, Any] = {"down": torch.randn(2, *inside), "up": torch.randn(9, 2), **fields}
    return Patch(algorithm=LOW_RANK, factors=Factors(parts=parts, keys={}, scale=scale))


def with_core(**fields: Any) -> Patch:
    return live((6, 1, 1), mid=torch.randn(2, 2, 3, 3), **fields)


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("weights", [[1.0, 0.3], [-0.7, 1.5]])
def test_adding_gives_what_merging_gives(kind: str, weights: list[float]) -> None:
    make, inside, shape = MODULES[kind]
    module, x, patches = make(), torch.randn(shape), [live(inside), live(inside, scale=2.0)]
    expected = merged(module, patches, weights, x)
    attached(module, *patches).set(weights)
    torch.testing.assert_close(run(module, x), expected, atol=1e-4, rtol=1e-4)


def test_patches_with_and_without_a_core_go_together() -> None:
    module, x = nn.Conv2d(6, 9, 3, padding=1), torch.randn(2, 6, 8, 8)
    patches = [with_core(), live((6, 3, 3)), with_core()]
    expected = merged(module, patches, [1.0, 0.5, -1.0], x)
    attached(module, *patches).set([1.0, 0.5, -1.0])
    torch.testing.assert_close(run(module, x), expected, atol=1e-4, rtol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(sorted(MODULES)),
    weights=st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=2, max_size=2),
    guided=st.booleans(),
    shifted=st.booleans(),
)
def test_rows_of_a_batch_are_as_one_by_one(kind: str, weights: Any, guided: bool, shifted: bool) -> None:
    make, inside, shape = MODULES[kind]
    module, x = make(), torch.randn((4 if guided else 2), *shape[1:])
    shift = {"diff_b": torch.randn(9)} if shifted else {}
    dial = attached(module, live(inside, **shift), live(inside, scale=1.5))
    expected = []
    for number, row in enumerate(x):
        dial.set(weights[number % 2])
        expected.append(run(module, row[None])[0])
    dial.set([0, 0], weights)
    torch.testing.assert_close(run(module, x), torch.stack(expected), atol=1e-4, rtol=1e-4)


def test_a_batch_that_is_no_multiple_of_the_rows_is_refused() -> None:
    module = nn.Linear(6, 9)
    attached(module, live((6,))).set([1.0], [[0.0], [1.0]])
    with pytest.raises(NotPerRow, match="one by one"):
        run(module, torch.randn(3, 6))


def test_a_module_in_half_precision_gets_factors_in_half_precision() -> None:
    module, x = nn.Linear(6, 9).to(torch.bfloat16), torch.randn(2, 6).to(torch.bfloat16)
    attached(module, live((6,))).set([1.0])
    assert run(module, x).dtype == torch.bfloat16
    module.float()
    assert run(module, x.float()).dtype == torch.float32


@pytest.mark.parametrize("rows", [None, [[1.0], [1.0]]])
def test_a_scale_too_large_for_half_precision_is_worked_into_the_factors(rows: Any) -> None:
    module, x = nn.Linear(6, 9).half(), torch.randn(2, 6).half()
    own, patch = run(module, x), live((6,), up=torch.randn(9, 2) * 1e-6, scale=1e6)
    attached(module, patch).set([1.0], rows)
    added = x.float() @ patch.delta(module.weight.data, 1.0).T  # type: ignore[union-attr]
    torch.testing.assert_close(run(module, x).float(), own.float() + added, atol=2e-2, rtol=1e-2)


def test_a_shift_alone_is_added_to_norms_and_by_channel_where_channels_come_second() -> None:
    for module, x, axis in ((nn.LayerNorm(9), torch.randn(2, 4, 9), -1), (nn.GroupNorm(3, 9), torch.randn(2, 9, 4), 1)):
        own, shift = run(module, x), torch.randn(9)
        attached(module, Patch(algorithm=LOW_RANK, factors=Factors(parts={"diff_b": shift}, keys={}))).set([0.5])
        torch.testing.assert_close(run(module, x) - own, 0.5 * shift.view([9, 1] if axis == 1 else [9]).expand_as(own))


def test_outputs_that_are_not_in_one_piece_are_added_to_as_well() -> None:
    class Turned(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).transpose(0, 1).contiguous().transpose(0, 1)

    module, x, patch = Turned(6, 9), torch.randn(3, 5, 6), live((6,))
    own = run(module, x)
    attached(module, patch).set([1.0])
    added = x @ patch.delta(module.weight.data, 1.0).T  # type: ignore[union-attr]
    torch.testing.assert_close(run(module, x), own + added, atol=1e-5, rtol=1e-5)


def test_a_device_keeps_each_factor_once() -> None:
    with simulated_cuda(Card()) as cuda, torch.no_grad():
        module, x = nn.Linear(1000, 2000, bias=False).to("cuda:0"), torch.zeros(1, 1000, device="cuda:0")
        before = cuda.cards[0].used
        factors = Factors(parts={"down": torch.zeros(8, 1000), "up": torch.zeros(2000, 8)}, keys={})
        dial = attached(module, Patch(algorithm=LOW_RANK, factors=factors))
        for weight in (0.5, 1.0):
            dial.set([weight])
            module(x)
        assert cuda.cards[0].used - before == 4 * 8 * (1000 + 2000)


def seen(module: Any, watched: list[Any], states: torch.Tensor) -> list[tuple[list[float], list[int]]]:
    """The first number of each token that the modules are given, which is its row's; and the rows that are told."""
    found: RowsByModule = {}
    pairs: list[tuple[list[float], list[int]]] = []

    def watch(each: Any, args: tuple[torch.Tensor]) -> None:
        first = args[0].reshape(len(args[0]), -1)[:, 0]
        pairs.append((first.tolist(), found[each].rows.tolist()))

    for each in watched:
        each.register_forward_pre_hook(watch)
    with torch.no_grad(), follow_tokens([module], found):
        module.eval()(states)
    assert found == {}
    return pairs


def test_tokens_that_are_sorted_by_experts_keep_their_rows() -> None:
    torch.manual_seed(0)
    kind: Any = MOEFeedForwardSwiGLU
    experts = kind(dim=8, hidden_dim=16, num_routed_experts=4, num_activated_experts=2)
    states = torch.randn(3, 5, 8)
    states[:, :, 0] = torch.arange(3.0)[:, None]
    pairs = seen(experts, list(experts.experts), states)
    assert sum(len(rows) for _, rows in pairs) == 3 * 5 * 2
    assert all(numbers == rows for numbers, rows in pairs)


def test_tokens_of_one_image_after_another_are_counted() -> None:
    kind: Any = Krea2TextFusion
    fusion = kind(
        num_text_layers=3, dim=8, num_heads=2, num_kv_heads=1, intermediate_size=8, num_layerwise_blocks=1,
        num_refiner_blocks=1, eps=1e-5,
    )  # fmt: skip
    states = torch.arange(2.0)[:, None, None, None].expand(2, 4, 3, 8)
    assert seen(fusion, list(fusion.layerwise_blocks), states) == [([0.0] * 4 + [1.0] * 4, [0] * 4 + [1] * 4)]


def test_nothing_stays_on_the_modules() -> None:
    kind: Any = MOEFeedForwardSwiGLU
    experts = kind(dim=8, hidden_dim=16, num_routed_experts=4, num_activated_experts=2)
    with follow_tokens([experts], {}):
        assert len(experts.gate._forward_hooks) == 1
    assert len(experts.gate._forward_hooks) == 0
