import os
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import cpu_offload  # type: ignore[import-untyped]
from diffusers.hooks.group_offloading import ModuleGroup, apply_group_offloading
from torch import nn

from hub_ui.generate.lora.merge import Originals
from hub_ui.generate.lora.parameters import compute_dtype, is_quantised, logical_shape, param_handles
from hub_ui.generate.lora.patch import Patch
from tests.hub_ui.generate.lora.naming import flux_network, gguf_linear, patch

CPU = torch.device("cpu")


class Holder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(1, 4))
        self.layer = nn.Linear(3, 2, bias=False)


def test_a_module_has_its_weight_and_its_bias_where_it_has_one() -> None:
    assert list(param_handles(Holder(), "layer")) == ["weight"]


def test_a_bare_parameter_is_found_by_its_own_name() -> None:
    holder = Holder()
    [param] = param_handles(holder, "table").values()
    param.write(torch.ones(1, 4))
    assert holder.table.tolist() == [[1, 1, 1, 1]]


def test_what_is_not_there_raises() -> None:
    with pytest.raises(AttributeError):
        param_handles(Holder(), "nothing")


def test_weights_that_accelerate_keeps_elsewhere_are_changed_and_restored_there() -> None:
    holder, kept, x = nn.Sequential(nn.Linear(3, 2)), Originals(), torch.randn(1, 3)
    own = holder(x)
    cpu_offload(holder, execution_device=torch.device("cpu"))
    kept.merge(param_handles(holder, "0"), [(ones(2, 3), 1.0)])
    torch.testing.assert_close(holder(x), own + x.sum())
    kept.restore_all()
    assert torch.equal(holder(x), own)


def ones(outputs: int, inputs: int) -> Patch:
    return patch("diff", diff=torch.ones(outputs, inputs))


class Blocks(nn.Module):
    """What diffusers' group offloading takes for a network: a list of blocks, and a layer around them."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(3, 3)) for _ in range(2)])
        self.last = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        y: torch.Tensor = self.last(x)
        return y


MAPS = Path("/proc/self/maps")


@pytest.fixture
def as_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are mapped into memory can't be replaced or deleted."""
    replace, unlink = os.replace, Path.unlink

    def check(path: Any) -> None:
        if str(path) in MAPS.read_text():
            raise PermissionError(13, "The operation can't be performed on a file with a user-mapped section open")

    def replace_unmapped(old: Any, new: Any) -> None:
        check(new)
        replace(old, new)

    def unlink_unmapped(self: Path, missing_ok: bool = False) -> None:
        check(self)
        unlink(self, missing_ok)

    monkeypatch.setattr("os.replace", replace_unmapped)
    monkeypatch.setattr(Path, "unlink", unlink_unmapped)


@pytest.mark.skipif(not MAPS.exists(), reason="only Linux tells what is mapped")
@pytest.mark.usefixtures("as_on_windows")
@torch.no_grad()
def test_weights_in_files_are_changed_where_mapped_files_can_not_be_replaced(tmp_path: Path) -> None:
    network, kept, x = Blocks(), Originals(), torch.randn(1, 3)
    own = network(x)
    apply_group_offloading(
        network, onload_device=CPU, offload_type="leaf_level", offload_to_disk_path=str(tmp_path / "disk")
    )
    files = len(list(tmp_path.rglob("*.safetensors")))
    for weight in (1.0, 0.5, 2.0):
        kept.merge(param_handles(network, "last"), [(ones(2, 3), weight)])
        assert not torch.equal(network(x), own)
    kept.restore_all()
    assert torch.equal(network(x), own)
    param_handles(network, "last")["weight"].write(torch.ones(2, 3))
    assert len(list(tmp_path.rglob("*.safetensors"))) == files


@pytest.mark.parametrize("name", ["blocks.1.0", "last"])
@pytest.mark.parametrize("level", ["leaf_level", "block_level"])
@pytest.mark.parametrize("on_disk", [False, True])
@torch.no_grad()
def test_groups_keep_what_is_merged_and_what_is_restored(name: str, level: str, on_disk: bool, tmp_path: Path) -> None:
    network, kept, x = Blocks(), Originals(), torch.randn(1, 3)
    own = network(x)
    layer: Any = network.get_submodule(name)
    values = layer.weight.data
    layer.weight.data = values + 1.0
    meant = network(x)
    layer.weight.data = values
    where: dict[str, Any] = {"offload_to_disk_path": str(tmp_path)} if on_disk else {}
    apply_group_offloading(
        network, onload_device=CPU, offload_device=CPU, offload_type=level, num_blocks_per_group=1, **where
    )
    kept.merge(param_handles(network, name), [(ones(2 if name == "last" else 3, 3), 1.0)])
    for _ in range(2):
        torch.testing.assert_close(network(x), meant)
    kept.restore_all()
    for _ in range(2):
        assert torch.equal(network(x), own)


@torch.no_grad()
def test_the_copy_that_a_stream_takes_back_each_time_is_changed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no stream without a GPU: the group is given its copies, and takes them back as it does with one."""
    network, kept, x = Blocks(), Originals(), torch.randn(1, 3)
    own = network(x)
    apply_group_offloading(network, onload_device=CPU, offload_device=CPU, offload_type="leaf_level")
    group = network.last._diffusers_hook.get_hook("group_offloading").group  # type: ignore[union-attr, operator]
    group.cpu_param_dict = {parameter: parameter.data for parameter in network.last.parameters()}

    def take_back(self: Any) -> None:
        for parameter, values in self.cpu_param_dict.items():
            parameter.data = values

    monkeypatch.setattr(ModuleGroup, "offload_", take_back)
    kept.merge(param_handles(network, "last"), [(ones(2, 3), 1.0)])
    merged = [network(x) for _ in range(2)]
    assert torch.equal(merged[0], merged[1])
    assert not torch.allclose(merged[0], own)
    kept.restore_all()
    assert all(torch.equal(network(x), own) for _ in range(2))


def test_a_layer_of_a_gguf_file_computes_in_the_type_that_it_converts_to_packed_or_not() -> None:
    module = gguf_linear(torch.zeros(3, 64), torch.bfloat16)
    assert (compute_dtype(module), is_quantised(module)) == (torch.bfloat16, True)
    module.weight = nn.Parameter(torch.zeros(3, 64))
    assert (compute_dtype(module), is_quantised(module)) == (torch.bfloat16, True)


def test_the_shape_of_packed_values_is_that_of_the_layer() -> None:
    module = gguf_linear(torch.zeros(3, 64), torch.bfloat16)
    assert tuple(module.weight.shape) == (3, 68)
    assert logical_shape(module, module.weight) == (3, 64)


def test_a_plain_weight_computes_in_its_own_type_and_whole_numbers_of_eight_bits_in_that_of_the_bias() -> None:
    module = nn.Linear(3, 2).to(torch.bfloat16)
    assert (compute_dtype(module), is_quantised(module)) == (torch.bfloat16, False)
    module.weight = nn.Parameter(torch.zeros(2, 3, dtype=torch.int8), requires_grad=False)
    assert (compute_dtype(module), is_quantised(module)) == (torch.bfloat16, True)


def test_weights_stored_in_eight_bit_floats_compute_in_the_type_that_they_are_cast_to() -> None:
    model = flux_network()
    model.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.bfloat16)
    module = model.transformer_blocks[0].attn.to_q
    assert module.weight.dtype == torch.float8_e4m3fn
    assert (compute_dtype(module), is_quantised(module)) == (torch.bfloat16, True)


def test_a_bare_parameter_is_asked_for_by_its_name() -> None:
    holder = nn.Module()
    holder.table = nn.Parameter(torch.zeros(1, 4, dtype=torch.float16))
    assert (compute_dtype(holder, "table"), is_quantised(holder, "table")) == (torch.float16, False)
