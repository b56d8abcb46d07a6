import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from hub_ui.demo.hubs.folder import Content, expand_tensors, generate_safetensors, in_memory, model_tar, on_disk


def test_a_file_on_disk_reads_from_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert on_disk(path).read(3, 6) == b"345"


SPEC: dict[str, Any] = {
    "tensors": {"a.lora_down.weight": ["F16", [4, 32]], "a.alpha": ["BF16", []], "step": ["I64", []]},
    "metadata": {"ss_network_dim": "4"},
    "seed": 7,
    "scalars": {"a.alpha": 2.5, "step": 900},
}


def whole(content: Content) -> bytes:
    return content.read(0, content.size)


def test_a_generated_file_is_a_safetensors_file() -> None:
    tensors = load(whole(generate_safetensors(SPEC)))
    assert tensors["a.lora_down.weight"].shape == (4, 32)
    assert tensors["a.alpha"].item() == 2.5
    assert tensors["step"].item() == 900


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    once, again, other = (generate_safetensors({**SPEC, "seed": seed}).sha256 for seed in (7, 7, 8))
    assert once == again == "66cb5fca3aeece12ef09910c6c75afa6693aab3c70943eae29f41d44b36a1363"
    assert other != once


@pytest.mark.parametrize(("start", "stop"), [(0, 8), (5, 300), (199, 200), (250, 10_000)])
def test_any_range_is_a_slice_of_the_whole(start: int, stop: int) -> None:
    content = generate_safetensors(SPEC)
    assert content.read(start, stop) == whole(content)[start:stop]


@pytest.mark.parametrize(
    "dtype", ["BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "I16", "F16", "BF16", "I32", "F32", "I64", "F64"]
)
def test_every_kind_of_number_is_finite_and_small(dtype: str) -> None:
    content = generate_safetensors({"tensors": {"x": [dtype, [1000]]}, "seed": 1})
    values = load(whole(content))["x"].to(torch.float64)
    assert bool(torch.isfinite(values).all())
    if dtype.startswith(("F", "BF")):
        assert 0 < float(values.abs().max()) < 1


@pytest.mark.timeout(30)
def test_a_gigabyte_is_not_made_until_it_is_read() -> None:
    content = generate_safetensors({"tensors": {"x": ["BF16", [16384, 32768]]}, "seed": 1})
    assert content.size > 2**30
    assert len(content.read(2**29, 2**29 + 1000)) == 1000


def test_a_tar_put_together_is_read_by_tarfile() -> None:
    tar = model_tar(in_memory(b"weights"))
    with tarfile.open(fileobj=io.BytesIO(tar.read(0, tar.size))) as opened:
        member = opened.extractfile("output/flux_train_replicate/lora.safetensors")
        assert member is not None
        assert member.read() == b"weights"
        assert "output/flux_train_replicate/config.yaml" in opened.getnames()


def test_repeated_blocks_of_a_table_are_written_out() -> None:
    blocks: list[dict[str, Any]] = [
        {"repeat": [0, 2], "tensors": {"blocks.{}.up": ["F16", [4]], "blocks.{}.down": ["F16", [2]]}},
        {"tensors": {"out.up": ["F16", [1]]}},
    ]
    assert list(expand_tensors(blocks)) == ["blocks.0.up", "blocks.0.down", "blocks.1.up", "blocks.1.down", "out.up"]
