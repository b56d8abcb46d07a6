import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from hub_ui.generate.device_kinds import KINDS, copy_to_host, kind_of
from hub_ui.generate.memory import Device

SOURCES = [*Path("hub_ui").rglob("*.py"), *Path("connectors").rglob("*.py")]
GPUS = {"cuda", "xpu", "mps"}


def comparisons(tree: ast.AST) -> Iterator[int]:
    """Lines that compare something with the name of a kind of GPU."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            names = {each.value for part in operands for each in ast.walk(part) if isinstance(each, ast.Constant)}
            if names & GPUS:
                yield node.lineno


def test_no_source_compares_the_name_of_a_kind_of_gpu() -> None:
    found = [f"{path}:{line}" for path in SOURCES for line in comparisons(ast.parse(path.read_text(encoding="utf-8")))]
    assert found == []


@pytest.mark.parametrize(
    ("kind", "index", "name"), [("cuda", 1, "cuda:1"), ("xpu", 0, "xpu:0"), ("mps", 0, "mps"), ("cpu", 0, "cpu")]
)
def test_where_there_may_be_several_they_are_numbered(kind: str, index: int, name: str) -> None:
    device = Device(label="card", kind=kind, dtype="float16", index=index)
    assert device.name == name
    assert kind_of(name) is KINDS[kind]


def test_a_copy_keeps_its_values_when_the_tensor_changes() -> None:
    tensor = torch.ones(2, 2)
    copied = copy_to_host(tensor)
    tensor.zero_()
    assert (copied.is_ready, copied.read().tolist()) == (True, [[1.0, 1.0], [1.0, 1.0]])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_on_cuda_a_copy_is_read_behind_the_work_that_makes_it() -> None:
    tensor = torch.ones(512, 512, device="cuda")
    for _ in range(50):
        tensor = tensor @ tensor / 512
    copied = copy_to_host(tensor.sum())
    assert (copied.values.is_pinned(), copied.read().item()) == (True, 512.0 * 512.0)
