"""LoRA files in the two namings that people meet."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from hub_ui.demo.build.train.formats import load_lora, save_lora, saved_name
from hub_ui.demo.build.train.recipes import RECIPES, Form

WEIGHTS = {
    "unet.mid_block.resnets.0.conv1.lora_A.default.weight": torch.ones(4, 8, 3, 3),
    "unet.mid_block.resnets.0.conv1.lora_B.default.weight": torch.ones(8, 4, 1, 1),
    "unet.mid_block.resnets.0.conv2.lora_A.default.weight": torch.ones(4, 8, 3, 3),
    "unet.mid_block.resnets.0.conv2.lora_B.default.weight": torch.ones(8, 4, 1, 1),
}


def saved(folder: Path, form: Form) -> tuple[dict[str, str], dict[str, Tensor]]:
    recipe = next(recipe for recipe in RECIPES if recipe.form == form and recipe.network == "lora")
    save_lora(folder / "lora.safetensors", WEIGHTS, recipe, "v2")
    with safe_open(folder / "lora.safetensors", "pt") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.mark.parametrize(
    ("name", "form", "expected"),
    [
        ("unet.mid.to_q.lokr_w1.default", "kohya", "lora_unet_mid_to_q.lokr_w1"),
        (
            "text_encoder.encoder.layers.0.self_attn.q_proj.lora_A.default.weight",
            "kohya",
            "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight",
        ),
        ("unet.mid.to_q.lora_magnitude_vector.default.weight", "diffusers", "unet.mid.to_q.lora_magnitude_vector"),
    ],
)
def test_other_adapters_have_the_names_of_their_tools(name: str, form: Form, expected: str) -> None:
    assert saved_name(name, form) == expected


@pytest.mark.parametrize("form", ["kohya", "diffusers"])
def test_a_saved_file_is_read_back_in_either_naming(form: Form, tmp_path: Path) -> None:
    saved(tmp_path, form)
    blank = {name: nn.Parameter(torch.zeros_like(weight)) for name, weight in WEIGHTS.items()}
    load_lora(tmp_path / "lora.safetensors", blank)
    assert all(torch.equal(blank[name].detach(), weight) for name, weight in WEIGHTS.items())


@pytest.mark.parametrize("form", ["kohya", "diffusers"])
def test_files_are_in_half_precision_and_name_their_base(form: Form, tmp_path: Path) -> None:
    metadata, tensors = saved(tmp_path, form)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert metadata["modelspec.architecture"] == "tiny-shapes/lora"
    assert metadata["ss_base_model_version"] == "tiny-shapes"
    assert metadata["modelspec.trigger_phrase"]
