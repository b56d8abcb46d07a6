import hashlib
import io
import struct
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from hub_ui.demo.hubs.folder import (
    Content,
    chunks,
    civitai_hashes,
    expand_tensors,
    generate_safetensors,
    in_memory,
    join,
    model_tar,
    on_disk,
)

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_joined_parts_read_as_one() -> None:
    joined = join((in_memory(b"abc"), in_memory(b""), in_memory(b"defg")))
    assert joined.size == 7
    assert joined.read(0, 7) == b"abcdefg"
    assert joined.read(2, 5) == b"cde"


def test_a_file_on_disk_reads_from_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert on_disk(path).read(3, 6) == b"345"


def test_the_hash_of_nothing_is_the_known_one() -> None:
    assert in_memory(b"").sha256 == join(()).sha256 == EMPTY_SHA256


def test_chunks_cover_exactly_the_part_asked_for() -> None:
    content = in_memory(bytes(600_000))
    assert [len(chunk) for chunk in chunks(content)] == [262144, 262144, 75712]
    assert [len(chunk) for chunk in chunks(content, 10, 20)] == [10]


SMALL = {"tensors": {"a": ["F32", [2]]}, "seed": 1}
LARGE = {"tensors": {"a": ["F32", [600, 1024]]}, "seed": 1}


def hashes(data: bytes) -> dict[str, str]:
    return civitai_hashes(in_memory(data))


def test_text_has_the_hashes_that_other_tools_give_it() -> None:
    assert hashes(b"abc") == {
        "AutoV2": "BA7816BF8F",
        "SHA256": "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        "CRC32": "352441C2",
        "BLAKE3": "6437B3AC38465133FFB63B75273A8DB548C558465D79DB03FD359C6CD5BD9D85",
    }


def test_a_safetensors_file_is_also_known_by_its_tensors_alone() -> None:
    content = generate_safetensors(SMALL)
    tensors = content.read(content.size - 8, content.size)
    assert civitai_hashes(content)["AutoV3"] == hashlib.sha256(tensors).hexdigest()[:12].upper()


def test_a_file_of_two_megabytes_has_the_oldest_hash_too() -> None:
    content = generate_safetensors(LARGE)
    part = content.read(0x100000, 0x110000)
    assert civitai_hashes(content)["AutoV1"] == hashlib.sha256(part).hexdigest()[:8].upper()
    assert "AutoV1" not in civitai_hashes(generate_safetensors(SMALL))


def test_the_hashes_are_of_all_bytes_wherever_the_header_ends() -> None:
    content = generate_safetensors(LARGE)
    whole, found = content.read(0, content.size), civitai_hashes(content)
    assert found["SHA256"] == hashlib.sha256(whole).hexdigest().upper()
    assert found["CRC32"] == f"{zlib.crc32(whole):08X}"


def test_a_zip_is_no_safetensors_file_whatever_its_first_bytes_say() -> None:
    assert "AutoV3" not in hashes(b"PK\x03\x04" + bytes(100))
    assert "AutoV3" not in hashes((4).to_bytes(8, "little") + b"none")


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


def test_a_tar_is_padded_to_a_whole_record() -> None:
    assert model_tar(in_memory(b"weights")).size == 10240


def test_repeated_blocks_of_a_table_are_written_out() -> None:
    blocks: list[dict[str, Any]] = [
        {"repeat": [0, 2], "tensors": {"blocks.{}.up": ["F16", [4]], "blocks.{}.down": ["F16", [2]]}},
        {"tensors": {"out.up": ["F16", [1]]}},
    ]
    assert list(expand_tensors(blocks)) == ["blocks.0.up", "blocks.0.down", "blocks.1.up", "blocks.1.down", "out.up"]


def test_a_scalar_may_be_named_by_its_ending() -> None:
    spec = {"tensors": {"a.alpha": ["F32", []], "b.alpha": ["F32", []]}, "scalars": {"*.alpha": 2.0, "b.alpha": 4.0}}
    content = generate_safetensors(spec)
    assert content.read(content.size - 8, content.size) == struct.pack("<ff", 2.0, 4.0)
