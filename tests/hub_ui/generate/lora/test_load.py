from __future__ import annotations

import json
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from connectors.errors import BadHeader, DoesNotFit, HubUiError, NotWeights
from hub_ui.generate.lora.load import layers_of, read
from hub_ui.generate.lora.modules import Layer, Shape
from tests.hub_ui.generate.building import save_kohya

KEY = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"


def saved(path: Path, **tensors: torch.Tensor) -> Path:
    """One more layer beside the usual ones, its parts by keyword."""
    save_kohya(path)
    more = {f"lora_unet_mid_block_attentions_0_proj_in.{name}.weight": value for name, value in tensors.items()}
    save_file({**load_file(path), **more}, path)
    return path


def test_every_tensor_is_read_as_safetensors_reads_it(tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors", text=True)
    found, expected = read(path, "a"), load_file(path)
    assert found.tensors.keys() == expected.keys()
    assert all(torch.equal(found.tensors[key], expected[key]) for key in expected)
    assert found.metadata == {"ss_network_dim": "4"}


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_all_number_types_of_weights_are_read(tmp_path: Path, dtype: torch.dtype) -> None:
    value = torch.tensor([[0.5, -2.0]])
    path = saved(tmp_path / "a.safetensors", lora_down=value.to(dtype), lora_up=value.to(dtype))
    found = read(path, "a").tensors["lora_unet_mid_block_attentions_0_proj_in.lora_down.weight"]
    assert found.tolist() == [[0.5, -2.0]]


def test_tensors_that_are_not_aligned_are_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.safetensors", lora_down=torch.ones(1, 2), lora_up=torch.ones(2, 1))
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    path.write_bytes(struct.pack("<Q", length + 1) + raw[8 : 8 + length] + b" " + raw[8 + length :])
    assert read(path, "a").tensors["lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"].tolist() == [[1], [1]]


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
def test_a_damaged_file_is_refused_in_words_or_read(tmp_path: Path, data: Any) -> None:
    path = save_kohya(tmp_path / "a.safetensors")
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at : at + data.draw(st.integers(1, 8))] = data.draw(st.binary(max_size=8))
    path.write_bytes(raw)
    with suppress(HubUiError):
        read(path, "a")


def only(shapes: dict[str, Shape]) -> Layer:
    layers, missed = layers_of(shapes)
    assert missed == ()
    assert len(layers) == 1
    return layers[0]


def missed(shapes: dict[str, Shape]) -> dict[str, tuple[str, ...]]:
    return {each.reason: each.keys for each in layers_of(shapes)[1]}


def test_a_lora_has_two_factors_and_its_strength() -> None:
    layer = only(
        {"lora_unet_a.lora_down.weight": (4, 8), "lora_unet_a.lora_up.weight": (8, 4), "lora_unet_a.alpha": ()}
    )
    assert (layer.name, layer.algorithm, layer.dora) == ("lora_unet_a", "lora", False)
    assert layer.keys == {
        "down": "lora_unet_a.lora_down.weight",
        "up": "lora_unet_a.lora_up.weight",
        "alpha": "lora_unet_a.alpha",
    }


@pytest.mark.parametrize(
    ("ends", "algorithm"),
    [
        ({".lora_A.default.weight": (2, 8), ".lora_B.default.weight": (8, 2)}, "lora"),
        ({".lora.down.weight": (2, 8), ".lora.up.weight": (8, 2)}, "lora"),
        ({"_lora.down.weight": (2, 8), "_lora.up.weight": (8, 2)}, "lora"),
        ({".lora_A.weight": (2, 8), ".lora_B.weight": (8, 2), ".lora_B.bias": (8,)}, "lora"),
        (
            {".lora_down.weight": (2, 8, 1, 1), ".lora_up.weight": (8, 2, 1, 1), ".lora_mid.weight": (2, 2, 3, 3)},
            "lora",
        ),
        ({f".hada_w{n}_{x}": (8, 2) for n in "12" for x in "ab"}, "loha"),
        ({".lokr_w1": (2, 2), ".lokr_w2": (4, 4)}, "lokr"),
        ({".lokr_w1_a": (2, 1), ".lokr_w1_b": (1, 2), ".lokr_w2_a": (4, 1), ".lokr_w2_b": (1, 4)}, "lokr"),
        ({".oft_blocks": (2, 4, 4)}, "oft"),
        ({".oft_R.weight": (2, 6)}, "oft"),
        ({".oft_blocks": (3, 2, 4, 4)}, "boft"),
        ({".weight": (8,), ".on_input": ()}, "ia3"),
        ({".ia3_l": (8, 1)}, "ia3"),
        ({f".{x}.weight": (2, 2) for x in ("a1", "a2", "b1", "b2")}, "glora"),
        ({".diff": (8, 8), ".diff_b": (8,)}, "diff"),
        ({".diff_b": (8,)}, "diff"),
        ({".w_norm": (8,), ".b_norm": (8,)}, "norm"),
        ({".set_weight": (8,)}, "set"),
    ],
)
def test_the_parts_of_a_layer_tell_its_algorithm(ends: dict[str, Shape], algorithm: str) -> None:
    layer = only({f"unet.a.b{end}": shape for end, shape in ends.items()})
    assert (layer.name, layer.algorithm) == ("unet.a.b", algorithm)
    assert len(layer.keys) == len(ends)


@pytest.mark.parametrize("end", [".dora_scale", ".lora_magnitude_vector", ".magnitude"])
def test_a_magnitude_makes_it_a_dora(end: str) -> None:
    layer = only({"a.lora_A.weight": (2, 8), "a.lora_B.weight": (8, 2), f"a{end}": (8,)})
    assert layer.dora
    assert layer.keys["magnitude"] == f"a{end}"


def test_a_lokr_has_a_magnitude_too() -> None:
    layer = only({"a.lokr_w1": (2, 2), "a.lokr_w2": (4, 4), "a.dora_scale": (8, 1), "a.alpha": ()})
    assert (layer.algorithm, layer.dora) == ("lokr", True)


def test_a_difference_beside_a_lora_is_a_layer_of_its_own() -> None:
    shapes: dict[str, Shape] = {"a.lora_down.weight": (2, 8), "a.lora_up.weight": (8, 2), "a.diff_b": (8,)}
    layers, left = layers_of({**shapes, "a.alpha": ()})
    assert [(layer.algorithm, sorted(layer.keys)) for layer in layers] == [
        ("lora", ["alpha", "down", "up"]),
        ("diff", ["diff_b"]),
    ]
    assert left == ()


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("double_blocks.0.img_attn.norm.query_norm.scale", "double_blocks.0.img_attn.norm.query_norm"),
        ("single_blocks.3.norm.key_norm.scale", "single_blocks.3.norm.key_norm"),
        (
            "transformer.transformer_blocks.0.attn.norm_added_k.weight",
            "transformer.transformer_blocks.0.attn.norm_added_k",
        ),
    ],
)
def test_a_control_lora_brings_norms_as_they_shall_be(name: str, layer: str) -> None:
    found = only({name: (128,)})
    assert (found.name, found.algorithm, found.keys) == (layer, "set", {"set": name})


@pytest.mark.parametrize("end", [".lora_A.weight", ".lora_B.weight", ".hada_w1_a", ".lokr_w1", ".lokr_w2_b", ".alpha"])
def test_half_a_layer_is_missed(end: str) -> None:
    assert missed({f"a{end}": (2, 8)}) == {"of layers whose other half is missing in the file": (f"a{end}",)}


def test_an_alpha_goes_with_the_half_it_belongs_to() -> None:
    assert missed({"a.lora_up.weight": (8, 2), "a.alpha": ()}) == {
        "of layers whose other half is missing in the file": ("a.lora_up.weight", "a.alpha")
    }


@pytest.mark.parametrize("name", ["bundle_emb.flower.clip_l", "bundle_emb.flower.string_to_param.*", "<flower>"])
def test_an_embedding_is_missed(name: str) -> None:
    assert missed({name: (2, 768)}) == {"an embedding bundled with the LoRA, which the preview does not use": (name,)}


def test_what_no_algorithm_has_is_missed() -> None:
    assert missed({"a.lora_A.weight": (2, 8), "a.lora_B.weight": (8, 2), "conv_in.weight": (3, 3)}) == {
        "that no LoRA algorithm has": ("conv_in.weight",)
    }


def test_numbered_layers_keep_their_numbers() -> None:
    assert only({"unet:12:down": (4, 8), "unet:12:up": (8, 4)}).name == "unet:12"


def test_every_tensor_is_in_a_layer_or_missed() -> None:
    shapes: dict[str, Shape] = {
        "a.lora_A.weight": (2, 8), "a.lora_B.weight": (8, 2), "b.diff": (8, 8), "c.alpha": (), "bundle_emb.x": (1, 8),
        "rest": (1,), "w_a_001": (2, 2), "d.hada_w1_a": (2, 2),
    }  # fmt: skip
    layers, left = layers_of(shapes)
    keys = [key for layer in layers for key in layer.keys.values()] + [key for each in left for key in each.keys]
    assert sorted(keys) == sorted(shapes)


def test_a_mixture_of_loras_is_missed_whole() -> None:
    assert missed(
        {
            "lora_unet_a.lora_down.weight": (4, 8),
            "lora_unet_a.lora_ups.0.weight": (8, 4),
            "lora_unet_a.router.bias": (2,),
        }
    ) == {
        "of layers whose other half is missing in the file": ("lora_unet_a.lora_down.weight",),
        "of a mixture of LoRAs, which the preview can't weigh": (
            "lora_unet_a.lora_ups.0.weight",
            "lora_unet_a.router.bias",
        ),
    }
