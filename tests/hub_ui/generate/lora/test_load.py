import json
import math
import os
import struct
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from connectors.errors import BadHeader, DoesNotFit, HubUiError, NotWeights
from hub_ui.generate.lora import load
from hub_ui.generate.lora.load import LoraCache, LoraPatches, identity, load_patches, noise_of_input, read
from hub_ui.generate.lora.module_names import names_of
from hub_ui.generate.lora.modules import components, model_of
from hub_ui.generate.result import Coverage
from tests.connectors.weights.building import file_of, raw_header
from tests.hub_ui.generate.building import adapter, save_kohya


def saved(path: Path, **tensors: torch.Tensor) -> Path:
    """One more layer beside the usual ones, its parts by keyword."""
    save_kohya(path)
    more = {f"lora_unet_mid_block_attentions_0_proj_in.{name}.weight": value for name, value in tensors.items()}
    save_file({**load_file(path), **more}, path)
    return path


def test_every_tensor_is_read_as_safetensors_reads_it(tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors", text=True)
    (found, metadata), expected = read(path, "a"), load_file(path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert metadata == {"ss_network_dim": "4"}


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_all_number_types_of_weights_are_read(tmp_path: Path, dtype: torch.dtype) -> None:
    value = torch.tensor([[0.5, -2.0]])
    path = saved(tmp_path / "a.safetensors", lora_down=value.to(dtype), lora_up=value.to(dtype))
    found = read(path, "a")[0]["lora_unet_mid_block_attentions_0_proj_in.lora_down.weight"]
    assert found.tolist() == [[0.5, -2.0]]


def test_tensors_that_are_not_aligned_are_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.safetensors", lora_down=torch.ones(1, 2), lora_up=torch.ones(2, 1))
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    path.write_bytes(struct.pack("<Q", length + 1) + raw[8 : 8 + length] + b" " + raw[8 + length :])
    assert read(path, "a")[0]["lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"].tolist() == [[1], [1]]


def test_other_kinds_of_files_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(b"\x80\x02")
    with pytest.raises(NotWeights, match=r"a\.pt is no safetensors file"):
        read(path, "a")


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x80\x02}q\x00", b"\xff" * 20, b"PK\x03\x04zip"])
def test_other_content_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(HubUiError):
        read(path, "a")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotWeights, match="can't be read"):
        read(tmp_path / "gone.safetensors", "a")


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadHeader, match="cut off"):
        read(path, "a")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    path = saved(tmp_path / "a.safetensors", lora_down=torch.tensor([[bad, 1.0]]), lora_up=torch.ones(2, 1))
    with pytest.raises(DoesNotFit, match=r"“Ink” is damaged: .*proj_in\.lora_down\.weight"):
        read(path, "Ink")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"], "a language model"),
        (["first_stage_model.encoder.conv_in.weight", "model.diffusion_model.input_blocks.0.0.weight"], "checkpoint"),
    ],
)
def test_what_is_no_lora_for_pictures_is_refused_in_words(tmp_path: Path, names: list[str], words: str) -> None:
    path = tmp_path / "a.safetensors"
    values = {name: torch.ones(4, 8) for name in names}
    values |= {name.replace("lora_A", "lora_B"): torch.ones(8, 4) for name in names if "lora_A" in name}
    save_file(values, path)
    with pytest.raises(DoesNotFit, match=words):
        read(path, "Ink")


def test_what_is_packed_for_nunchaku_is_refused(tmp_path: Path) -> None:
    layer = "single_transformer_blocks.0.mlp_fc1"
    save_file(
        {f"{layer}.lora_down": torch.ones(8, 4), f"{layer}.lora_up": torch.ones(6, 4)}, tmp_path / "a.safetensors"
    )
    with pytest.raises(DoesNotFit, match="no other program can apply them"):
        read(tmp_path / "a.safetensors", "Ink")


def test_a_checkpoint_is_refused_before_its_gigabytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    entry = {"dtype": "F32", "shape": [2**36], "data_offsets": [0, 2**38]}
    written = json.dumps({"model.diffusion_model.input_blocks.0.0.weight": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(written)) + written)
    os.truncate(path, 8 + len(written) + 2**38)  # with a hole in it
    with pytest.raises(DoesNotFit, match="can't be tried here"):
        read(path, "Ink")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_in_words_or_read(kohya: Path, tmp_path: Path, data: Any) -> None:
    raw, path = bytearray(kohya.read_bytes()), tmp_path / "damaged.safetensors"
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at : at + data.draw(st.integers(1, 8))] = data.draw(st.binary(max_size=8))
    path.write_bytes(raw)
    with suppress(HubUiError):
        read(path, "a")


def memory(pipe: Any, path: Path) -> int:
    return load_patches(adapter(path), components(pipe), names_of(model_of(pipe), "sd1")).size


def test_a_file_takes_as_much_memory_as_its_tensors_have_bytes(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors", text=True)
    assert memory(pipe, path) == sum(value.nbytes for value in load_file(path).values())


def test_what_is_widened_counts_as_wide_as_it_is_kept(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors")
    small = {
        name: value if name.endswith("alpha") else value.to(torch.float8_e4m3fn)
        for name, value in load_file(path).items()
    }
    save_file(small, path)
    factors = sum(value.numel() for name, value in small.items() if not name.endswith("alpha"))
    assert memory(pipe, path) == 2 * factors > path.stat().st_size


LOW = {"ss_sd_model_name": "wan2.2_t2v_low_noise_14B_fp16.safetensors"}


@pytest.mark.parametrize(
    ("name", "title", "metadata", "noise"),
    [
        ("nightbus_wan22_low_noise", "Boats", {}, "low"),
        ("Boats-LowNoise-v2", "Boats", {}, "low"),
        ("boats_low", "Boats", {}, "low"),
        ("nightbus_high_noise", "Boats", {}, "high"),
        ("low_poly_v1", "Boats", {}, None),
        ("yellow", "Boats", {}, None),
        # A file's name that says nothing leaves it to the model that it was trained on.
        ("boats", "Boats, high noise", LOW, "low"),
        ("boats", "Boats (high noise and low noise)", {}, None),
    ],
)
def test_a_file_is_for_the_noise_that_its_name_or_its_training_says(
    name: str, title: str, metadata: dict[str, str], noise: str | None
) -> None:
    assert noise_of_input(adapter(Path(f"{name}.safetensors"), title=title), metadata) == noise


def lora_patches(size: int) -> LoraPatches:
    return LoraPatches(patches={}, inputs={}, coverage=Coverage(title="", applied=1, total=1), size=size)


@pytest.mark.parametrize(("merges", "size"), [(True, 0), (False, 2 * (64 * (1000 + 3000) + 100 * 20))])
def test_the_hooks_of_a_loha_have_the_products_of_its_ranks(tmp_path: Path, merges: bool, size: int) -> None:
    path = tmp_path / "a.safetensors"
    shapes = {
        f"{name}.hada_w{number}_{part}": (8, inputs) if part == "b" else (outputs, 8)
        for name, outputs, inputs in (("a", 1000, 3000), ("b", 100, 20))
        for number, part in product((1, 2), "ab")
    }
    path.write_bytes(file_of(raw_header(shapes), 2 * sum(map(math.prod, shapes.values()))))
    assert load.lora_bytes([adapter(path)], merges=merges) == (size or path.stat().st_size)


def test_the_hooks_of_a_dora_keep_something_for_each_output(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    shapes = {"a.lora_down.weight": (8, 300), "a.lora_up.weight": (100, 8), "a.dora_scale": (100, 1)}
    path.write_bytes(file_of(raw_header(shapes), 2 * sum(map(math.prod, shapes.values()))))
    assert load.lora_bytes([adapter(path)], merges=False) == path.stat().st_size + 18 * 100


def test_a_file_larger_than_the_budget_is_kept_while_it_is_the_last() -> None:
    cache = LoraCache(10)
    cache["a"] = lora_patches(50)
    cache["b"] = lora_patches(60)
    assert list(cache) == ["b"]


def test_a_hash_names_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    os.link(tmp_path / "a", tmp_path / "b")
    one, other = (identity(adapter(tmp_path / name, sha256=hashed)) for name, hashed in (("a", "AB"), ("b", "ab")))
    assert one == other


@pytest.mark.parametrize("sha256", [None, "ab" * 32])
def test_a_file_that_has_changed_is_another_one(tmp_path: Path, sha256: str | None) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"1")
    before = identity(adapter(path, sha256=sha256))
    path.write_bytes(b"22")
    assert identity(adapter(path, sha256=sha256)) != before


def test_a_file_that_is_gone_is_told_by_whoever_reads_it(tmp_path: Path) -> None:
    assert identity(adapter(tmp_path / "gone.safetensors")) == str(tmp_path / "gone.safetensors")


@pytest.mark.parametrize(
    ("settings_of_peft", "scale", "remark"),
    [
        ('{"r": 4, "alpha": 10}', 2.5, ""),
        ("{", 1.0, "its alpha is in PEFT's adapter_config.json, which is not here, so that it was taken for the rank"),
    ],
)
def test_peft_has_alpha_beside_it(pipe: Any, tmp_path: Path, settings_of_peft: str, scale: float, remark: str) -> None:
    layer = "base_model.model.mid_block.attentions.0.proj_in.lokr_w"
    save_file({f"{layer}1": torch.eye(4), f"{layer}2": torch.ones(16, 16)}, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(settings_of_peft)
    lora = adapter(tmp_path / "adapter_model.safetensors")
    found = load_patches(lora, components(pipe), names_of(model_of(pipe), "sd1"))
    [[patch]] = found.patches.values()
    assert (patch.factors.scale, found.coverage.remark) == (scale, remark)


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("mid_block.attentions.0.proj_in.oft_R.weight", (16, 6), "which of its rotations PEFT trained"),
        ("mid_block.resnets.0.conv1.ia3_l", (1, 64, 1, 1), "which side of a convolution"),
        ("conv_in.ia3_l", (1, 4, 1, 1), ""),
        ("down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.ia3_l", (64, 1), ""),
    ],
)
def test_what_a_file_omits_is_said(pipe: Any, tmp_path: Path, name: str, shape: tuple[int, ...], said: str) -> None:
    path = tmp_path / "a.safetensors"
    save_file({f"unet.{name}": torch.ones(shape)}, path)
    found = load_patches(adapter(path), components(pipe), names_of(model_of(pipe), "sd1")).coverage
    assert found.whole
    assert found.remark.startswith(said) if said else found.remark == ""
