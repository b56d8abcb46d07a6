import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from connectors.errors import PreviewError
from hub_ui.generate.memory import device as memory
from hub_ui.generate.memory.device import find_device
from tests.hub_ui.generate.simulated_cuda import Card, simulated_cuda


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("Invalid buffer size: 16.00 GiB"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_every_device_says_in_its_own_way_that_memory_ran_out(error: Exception, told: bool) -> None:
    assert memory.is_out_of_memory(error) is told


def test_of_several_cards_the_one_with_most_free_memory_is_chosen() -> None:
    by_others = (20_000, 4_000, 16_000)
    with simulated_cuda(*(Card(memory=24_000, by_others=size) for size in by_others)):
        chosen = find_device()
    assert (chosen.name, chosen.free_bytes, chosen.total_bytes) == ("cuda:1", 20_000, 24_000)


def test_what_this_program_takes_of_a_card_does_not_change_the_choice() -> None:
    with simulated_cuda(Card(memory=8_000), Card(memory=24_000)):
        base = torch.zeros(20_000, dtype=torch.uint8, device="cuda:1")
        chosen = find_device()
        del base
    assert (chosen.name, chosen.free_bytes) == ("cuda:1", 4_000)


def test_the_files_of_a_program_that_was_killed_are_deleted_by_the_next_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    first, delete = memory.weights_folder()
    # Nobody holds the lock of those.
    shutil.copytree(first, tmp_path / "hub-ui-offload-left")
    second, delete_second = memory.weights_folder()
    assert set(tmp_path.iterdir()) == {first, second}
    delete()
    delete_second()
    assert list(tmp_path.iterdir()) == []


def test_what_is_free_is_a_part_of_what_is_installed() -> None:
    assert 1_000_000 < memory.available_memory() < memory.total_memory()


def test_files_of_weights_are_written_to_a_disk_not_to_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    mounted = [SimpleNamespace(mountpoint="/", fstype="ext4"), SimpleNamespace(mountpoint=str(folder), fstype="tmpfs")]
    monkeypatch.setattr("psutil.disk_partitions", lambda all: mounted)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(folder))
    assert memory.disk_folder() != folder
    mounted[0].fstype = "tmpfs"
    with pytest.raises(PreviewError, match="Set TMPDIR to a folder on a disk"):
        memory.disk_folder()


@pytest.mark.parametrize(("size", "pinned"), [(0, 0), (1, 1), (1024, 1024), (1025, 2048), (113_246_208, 134_217_728)])
def test_pinned_memory_is_given_in_powers_of_two(size: int, pinned: int) -> None:
    assert memory.pinned_bytes(size) == pinned


def test_cuda_needs_triton_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "g++")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    memory.check_compiler("cpu")
    with pytest.raises(PreviewError, match="needs Triton for this GPU"):
        memory.check_compiler("cuda")
