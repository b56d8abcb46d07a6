from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from connectors.errors import PreviewError
from hub_ui.generate import memory
from hub_ui.generate.base_models import choose_base
from hub_ui.generate.memory import Device, choose_device
from tests.hub_ui.generate.building import CPU, settings
from tests.hub_ui.generate.simulated_cuda import Card, simulated_cuda

XL = choose_base("sdxl", None, None)


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_is_the_cpu_in_half_precision_for_large_bases_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for gigabytes, dtype in ((64, "float32"), (10, "bfloat16")):
        monkeypatch.setattr("hub_ui.generate.memory.total_memory", lambda size=gigabytes: size * 10**9)
        assert choose_device(XL) == replace(CPU, dtype=dtype)


@pytest.mark.parametrize(
    ("base", "gibibytes", "major", "dtype"),
    [
        ("sdxl-1.0", 32, 8, "float16"), ("sdxl-1.0", 16, 7, "float16"), ("flux.1-dev", 32, 8, "bfloat16"),
        ("flux.1-dev", 24, 7, "float16"), ("sana", 32, 7, "float32"), ("wan-2.1-t2v-14b", 24, 7, "float16"),
        # What overflows in float16 is not computed in it.
        ("qwen-image", 24, 7, "bfloat16"), ("z-image-turbo", 16, 7, "bfloat16"), ("z-image-turbo", 80, 7, "float32"),
        ("cogvideox", 16, 7, "bfloat16"), ("cogvideox-2b", 80, 7, "float16"),
    ],
)  # fmt: skip
def test_a_gpu_draws_in_the_type_that_the_base_bears(base: str, gibibytes: int, major: int, dtype: str) -> None:
    # The first one, which is torch's current GPU, is another one.
    with simulated_cuda(Card(memory=2**30, major=15 - major), Card(memory=gibibytes * 2**30, major=major)):
        assert choose_device(choose_base(None, None, base)).dtype == dtype


CARD = Device(label="card", kind="cuda", dtype="float16")


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


def test_what_would_fit_is_told() -> None:
    error = memory.image_too_large(choose_base("qwen-image", None, None), settings(1024, 1024), CARD)
    assert error.message == (
        "1024 × 1024 with Qwen-Image does not fit into the memory of this card, not even piece by piece. "
        "Try 768 × 768, or close other programs."
    )
    sd = memory.image_too_large(choose_base("sd3", None, "sd-3.5-large"), settings(1024, 1024), CARD)
    assert "or the smaller base SD 3.5 Medium" in sd.message


@pytest.mark.parametrize(
    ("size", "frames", "advice"),
    [
        ((64, 64), 1, "Close other programs."),
        ((512, 64), 1, "Close other programs."),
        ((96, 128), 1, "Try 64 × 64, or close other programs."),
        ((64, 64), 9, "Try fewer frames, or close other programs."),
        ((1024, 512), 9, "Try fewer frames, 768 × 384, or close other programs."),
    ],
)
def test_only_what_is_smaller_is_proposed(size: tuple[int, int], frames: int, advice: str) -> None:
    asked = settings(*size, frames=frames)
    error = memory.image_too_large(choose_base("qwen-image", None, None), asked, CARD)
    assert error.message.split("piece by piece. ")[1] == advice


def test_of_several_cards_the_one_with_most_free_memory_is_chosen() -> None:
    by_others = (20_000, 4_000, 16_000)
    with simulated_cuda(*(Card(memory=24_000, by_others=size) for size in by_others)):
        chosen = choose_device(XL)
    assert (chosen.name, chosen.free_bytes, chosen.total_bytes) == ("cuda:1", 20_000, 24_000)


def test_what_this_program_takes_of_a_card_does_not_change_the_choice() -> None:
    with simulated_cuda(Card(memory=8_000), Card(memory=24_000)):
        base = torch.zeros(20_000, dtype=torch.uint8, device="cuda:1")
        chosen = choose_device(XL)
        del base
    assert (chosen.name, chosen.free_bytes) == ("cuda:1", 4_000)


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
