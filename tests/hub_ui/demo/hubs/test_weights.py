import hashlib
from typing import Any

import pytest
import torch
from safetensors.torch import load

from hub_ui.demo.hubs.content import Content
from hub_ui.demo.hubs.weights import DTYPE_BYTES, generate_safetensors

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


def test_the_known_sha256_is_the_one_of_the_bytes() -> None:
    content = generate_safetensors(SPEC)
    assert content.sha256 == hashlib.sha256(whole(content)).hexdigest()


@pytest.mark.parametrize(("start", "stop"), [(0, 8), (5, 300), (199, 200), (250, 10_000)])
def test_any_range_is_a_slice_of_the_whole(start: int, stop: int) -> None:
    content = generate_safetensors(SPEC)
    assert content.read(start, stop) == whole(content)[start:stop]


@pytest.mark.parametrize("dtype", sorted(set(DTYPE_BYTES) - {"U16", "U32", "U64"}))
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
