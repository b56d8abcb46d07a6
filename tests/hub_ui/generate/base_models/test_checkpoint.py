from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from connectors.errors import NoBase
from connectors.weights.header import Header, Tensor
from hub_ui.generate.base_models import choose
from hub_ui.generate.base_models.checkpoint import Recognised, identify_checkpoint, identify_header

Shapes = dict[str, tuple[int, ...]]
UNET = "model.diffusion_model."


def header(shapes: Shapes) -> Header:
    return Header(tensors={name: Tensor(dtype="F16", shape=shape) for name, shape in shapes.items()})


def unet(context: int) -> Shapes:
    return {
        f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
        f"{UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, context),
        f"{UNET}input_blocks.4.1.transformer_blocks.0.attn1.to_k.weight": (640, 640),
        f"{UNET}middle_block.1.transformer_blocks.0.attn2.to_k.weight": (1280, context),
        "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    }


CLIP = {"cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768)}
OPEN_CLIP = {"cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight": (3072, 1024)}
XL_ENCODERS = {
    "conditioner.embedders.0.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768),
    "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight": (3840, 1280),
}
FLUX = {
    "double_blocks.0.img_attn.qkv.weight": (9216, 3072),
    "double_blocks.0.img_mod.lin.weight": (18432, 3072),
    "double_blocks.0.txt_mlp.0.weight": (12288, 3072),
    "single_blocks.37.linear1.weight": (21504, 3072),
    "single_blocks.37.modulation.lin.weight": (9216, 3072),
    "vector_in.in_layer.weight": (3072, 768),
    "img_in.weight": (3072, 64),
}
GUIDANCE = {"guidance_in.in_layer.weight": (3072, 256)}
SD3 = {
    f"{UNET}joint_blocks.0.x_block.attn.qkv.weight": (7296, 2432),
    f"{UNET}joint_blocks.0.context_block.attn.qkv.weight": (7296, 2432),
    "text_encoders.clip_l.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768),
    "text_encoders.clip_g.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight": (1280, 1280),
    "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096),
    "first_stage_model.decoder.conv_in.weight": (512, 16, 3, 3),
}
WAN = {
    "blocks.0.self_attn.q.weight": (1536, 1536),
    "blocks.0.cross_attn.k.weight": (1536, 1536),
    "blocks.0.ffn.0.weight": (8960, 1536),
    "patch_embedding.weight": (1536, 16, 1, 2, 2),
}
Z_IMAGE = {
    "layers.0.attention.qkv.weight": (11520, 3840),
    "layers.0.feed_forward.w1.weight": (10240, 3840),
    "noise_refiner.0.attention.qkv.weight": (11520, 3840),
    "x_embedder.weight": (3840, 64),
}


@pytest.mark.parametrize(
    ("shapes", "architecture", "brings"),
    [
        ({**unet(768), **CLIP}, "sd1", {"unet", "vae", "text_encoder"}),
        ({**unet(1024), **OPEN_CLIP}, "sd2", {"unet", "vae", "text_encoder"}),
        ({**unet(2048), **XL_ENCODERS}, "sdxl", {"unet", "vae", "text_encoder", "text_encoder_2"}),
        ({**FLUX, **GUIDANCE}, "flux1", {"transformer"}),
        ({f"{UNET}{name}": shape for name, shape in FLUX.items()}, "flux1", {"transformer"}),
        (SD3, "sd3", {"transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"}),
        (WAN, "wan", {"transformer"}),
        (Z_IMAGE, "z-image", {"transformer"}),
    ],
)
def test_the_header_says_what_a_checkpoint_is_and_brings(shapes: Shapes, architecture: str, brings: set[str]) -> None:
    found = identify_header(header(shapes), "a.safetensors")
    assert (found.architecture, set(found.brings)) == (architecture, brings)


@pytest.mark.parametrize(
    ("shapes", "size", "guided"),
    [
        ({**FLUX, **GUIDANCE}, None, True),
        (FLUX, None, False),
        (SD3, "sd-3.5-large", False),
        (WAN, "wan-2.1-t2v-1.3b", False),
    ],
)
def test_it_says_which_of_several_sizes(shapes: Shapes, size: str | None, guided: bool) -> None:
    found = identify_header(header(shapes), "a.safetensors")
    assert (found.size, found.guided) == (size, guided)


def test_a_checkpoint_that_predicts_velocity_says_so() -> None:
    assert identify_header(header({**unet(2048), **XL_ENCODERS, "v_pred": (0,)}), "a.safetensors").velocity


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ({"lora_unet_x.lora_down.weight": (4, 8), "lora_unet_x.lora_up.weight": (8, 4)}, "a.safetensors is a LoRA"),
        ({"decoder.conv_in.weight": (8, 4, 3, 3)}, "is a VAE, not a base model"),
        ({"text_model.encoder.layers.0.mlp.fc1.weight": (8, 8)}, "is a text encoder, not a base"),
        ({}, "is an empty file"),
        ({**FLUX, "double_blocks.0.img_attn.qkv.scale_weight": ()}, "packed for another program"),
        (
            {"blocks.0.quantum_attn.w.weight": (777, 777), "x_embedder.weight": (777, 8)},
            "may be newer than this program",
        ),
    ],
)
def test_what_is_no_base_is_told(shapes: Shapes, said: str) -> None:
    with pytest.raises(NoBase, match=said):
        identify_header(header(shapes), "a.safetensors")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.ckpt", b"\x80\x02", r"Pickled checkpoints \(\.ckpt, \.pt, \.bin\) can run code and are not loaded"),
        ("a.safetensors", b"\x80\x02pickle-in-disguise", "Python pickle, which can run code"),
        ("a.safetensors", b"<html><body>Sign in</body></html>", "a web page"),
    ],
)
def test_a_file_that_is_no_safetensors_is_told(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(NoBase, match=said):
        identify_checkpoint(tmp_path / name)


def save(path: Path, shapes: Shapes) -> Path:
    """Zeros will do: only the header is read."""
    save_file({name: np.zeros(shape, dtype=np.float16) for name, shape in shapes.items()}, path)
    return path


def test_a_file_is_recognised(tmp_path: Path) -> None:
    shapes: Shapes = {
        f"{UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, 768),
        f"{UNET}input_blocks.0.0.weight": (8, 4, 3, 3),
    }
    assert identify_checkpoint(save(tmp_path / "a.safetensors", shapes)) == Recognised(
        architecture="sd1", brings=frozenset({"unet"}), guided=False
    )


@pytest.mark.parametrize(
    ("shapes", "source", "label"),
    [
        ({**WAN, "patch_embedding.weight": (8, 16, 1, 2, 2)}, "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", "mine.safetensors"),
        (FLUX, "black-forest-labs/FLUX.1-schnell", "mine.safetensors"),
    ],
)
def test_the_rest_comes_from_the_base_it_is_most_like(tmp_path: Path, shapes: Shapes, source: str, label: str) -> None:
    narrow = {name: (8, *shape[1:]) for name, shape in shapes.items()}
    path = save(tmp_path / "mine.safetensors", narrow)
    choice = choose(None, None, str(path))
    assert (choice.source, choice.label, choice.id) == (source, label, str(path))
    assert choice.checkpoint is not None
    assert (choice.checkpoint.file, set(choice.checkpoint.brings)) == (str(path), {"transformer"})
