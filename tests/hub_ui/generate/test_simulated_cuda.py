"""Where the simulated devices have to behave as CUDA's do, and no test of the product would fail if they did not."""

from collections.abc import Iterator

import pytest
import torch

from tests.hub_ui.generate.simulated_cuda import Card, SimulatedCuda, simulated_cuda


@pytest.fixture
def cuda() -> Iterator[SimulatedCuda]:
    with simulated_cuda(Card(memory=1000, major=7), Card(memory=1000)) as cuda:
        yield cuda


@pytest.mark.parametrize(("one", "other"), [("cuda:0", "cuda:1"), ("cpu", "cuda:1")])
def test_an_operation_on_two_devices_raises(cuda: SimulatedCuda, one: str, other: str) -> None:
    first, second = torch.ones(2, device=one), torch.ones(2, device=other)
    with pytest.raises(RuntimeError, match=f"same device, but found {one} and {other} in add"):
        first + second


def test_bytes_are_counted_while_a_tensor_lives(cuda: SimulatedCuda) -> None:
    tensor = torch.zeros(10, device="cuda:1")
    half = tensor.half()
    assert (cuda.cards[1].used, cuda.cards[1].allocations) == (60, 2)
    view = tensor[2:]
    del tensor, half
    assert (cuda.cards[1].used, cuda.cards[1].peak) == (40, 60)
    del view
    assert (cuda.cards[1].used, cuda.cards[0].peak) == (0, 0)


def test_more_than_a_device_has_raises_and_takes_nothing(cuda: SimulatedCuda) -> None:
    kept = torch.zeros(200, device="cuda:1")
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate 800 bytes on cuda:1"):
        kept + 1
    assert cuda.cards[1].used == 800
    assert (torch.cuda.mem_get_info(1), torch.cuda.mem_get_info(0)) == ((200, 1000), (1000, 1000))


def test_whoever_says_no_number_is_named(cuda: SimulatedCuda) -> None:
    def careless() -> torch.Tensor:
        return torch.ones(2, device="cuda").to("cuda:1").to("cuda")

    assert str(careless().device) == "cuda:0"
    torch.cuda.mem_get_info()
    assert cuda.unindexed == [
        "test_simulated_cuda.careless",
        "test_simulated_cuda.careless",
        "test_simulated_cuda.test_whoever_says_no_number_is_named",
    ]


def test_values_of_a_device_are_not_read_from_numpy(cuda: SimulatedCuda) -> None:
    with pytest.raises(TypeError, match="can't convert cuda:1 device type tensor to numpy"):
        torch.ones(2, device="cuda:1").numpy()
    assert torch.ones(2, device="cuda:1").cpu().numpy().tolist() == [1.0, 1.0]


def test_noise_of_the_cpu_is_not_sampled_on_a_device(cuda: SimulatedCuda) -> None:
    with pytest.raises(RuntimeError, match="Expected a generator on cuda:1, but found one on cpu"):
        torch.randn(2, generator=torch.Generator().manual_seed(1), device="cuda:1")


def test_memory_is_pinned_on_the_cpu_alone(cuda: SimulatedCuda) -> None:
    pinned = torch.ones(2).pin_memory()
    assert [each.is_pinned() for each in (pinned, torch.ones(2), torch.empty(2, pin_memory=True))] == [
        True, False, True,
    ]  # fmt: skip
    with pytest.raises(RuntimeError, match="only dense CPU tensors can be pinned"):
        torch.ones(2, device="cuda:1").pin_memory()
