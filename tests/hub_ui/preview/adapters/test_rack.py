from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file

from connectors.errors import DoesNotFit
from hub_ui.preview.adapters.files import Applied
from hub_ui.preview.adapters.rack import Rack
from tests.hub_ui.preview.building import LAYERS, adapter, save_kohya, save_peft

Q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.fixture
def pipe(base: str) -> Any:
    return StableDiffusionPipeline.from_pretrained(base, safety_checker=None)  # type: ignore[no-untyped-call]


def flux() -> Any:
    """Only the network: LoRAs need nothing else to be loaded."""
    transformer: Any = FluxTransformer2DModel
    pipeline: Any = FluxPipeline
    network = transformer(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    return pipeline(None, None, None, None, None, None, network)


def sdxl() -> Any:
    unet: Any = UNet2DConditionModel
    pipeline: Any = StableDiffusionXLPipeline
    scheduler: Any = DDIMScheduler
    network = unet(
        block_out_channels=(32, 64, 64), layers_per_block=2, cross_attention_dim=32, attention_head_dim=(4, 4, 4),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), norm_num_groups=8,
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=1,
    )  # fmt: skip
    return pipeline(None, None, None, None, None, network, scheduler())


def lora(path: Path, layers: dict[str, tuple[int, int]], *, alpha: float = 2.0, rank: int = 4) -> Path:
    """In kohya's form, random, for layers of these (in, out) sizes."""
    tensors = {}
    for name, (width_in, width_out) in layers.items():
        tensors[f"{name}.lora_down.weight"] = torch.randn(rank, width_in)
        tensors[f"{name}.lora_up.weight"] = torch.randn(width_out, rank)
        tensors[f"{name}.alpha"] = torch.tensor(alpha)
    save_file(tensors, path)
    return path


def weight_of(layer: Any, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = layer(x)
    return result


@pytest.mark.parametrize("weight", [1.0, 0.5, -0.7, 1.5])
def test_the_effect_is_weight_times_alpha_over_rank(pipe: Any, tmp_path: Path, weight: float) -> None:
    path = save_kohya(tmp_path / "a.safetensors", alpha=2.0, text=True)
    x = torch.randn(3, 64)
    before = weight_of(pipe.unet.get_submodule(Q), x)
    Rack(pipe).switch([adapter(path, weight=weight)])
    tensors, name = load_file(path), f"lora_unet_{Q.replace('.', '_')}"
    added = x @ tensors[f"{name}.lora_down.weight"].T @ tensors[f"{name}.lora_up.weight"].T
    expected = before + weight * (2.0 / 4) * added
    torch.testing.assert_close(weight_of(pipe.unet.get_submodule(Q), x), expected)


def test_alpha_holds_for_the_text_encoder_too(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors", alpha=2.0, text=True)
    name, x = "lora_te_text_model_encoder_layers_0_self_attn_q_proj", torch.randn(3, 32)
    layer = next(m for n, m in pipe.text_encoder.named_modules() if n.endswith("layers.0.self_attn.q_proj"))
    before = weight_of(layer, x)
    switched = Rack(pipe).switch([adapter(path)])
    layer = next(m for n, m in pipe.text_encoder.named_modules() if n.endswith("layers.0.self_attn.q_proj"))
    tensors = load_file(path)
    added = x @ tensors[f"{name}.lora_down.weight"].T @ tensors[f"{name}.lora_up.weight"].T
    torch.testing.assert_close(weight_of(layer, x), before + 0.5 * added)
    assert switched.applied == Applied(applied=96, total=96, unmatched=())


def test_alpha_in_the_metadata_of_a_diffusers_file_holds(pipe: Any, tmp_path: Path) -> None:
    config = '{"unet.r": 4, "unet.lora_alpha": 2, "unet.target_modules": ["to_q", "to_k", "to_v", "to_out.0"]}'
    path = save_peft(tmp_path / "a.safetensors", metadata={"format": "pt", "lora_adapter_metadata": config})
    Rack(pipe).switch([adapter(path)])
    assert set(pipe.unet.get_submodule(Q).scaling.values()) == {0.5}


def test_a_lora_twice_in_the_stack_counts_with_both_weights(pipe: Any, tmp_path: Path) -> None:
    path = save_peft(tmp_path / "a.safetensors")
    Rack(pipe).switch([adapter(path, weight=0.5), adapter(path, weight=0.25)])
    assert set(pipe.unet.get_submodule(Q).scaling.values()) == {0.75}


def test_tensors_that_reach_nothing_are_named(pipe: Any, tmp_path: Path) -> None:
    path = save_peft(tmp_path / "a.safetensors")
    stray = {"unet.nobody.to_q.lora_A.weight": torch.randn(4, 64), "unet.nobody.to_q.lora_B.weight": torch.randn(64, 4)}
    save_file({**load_file(path), **stray}, path)
    applied = Rack(pipe).switch([adapter(path)]).applied
    assert (applied.applied, applied.total) == (2 * len(LAYERS), 2 * len(LAYERS) + 2)
    assert applied.unmatched == tuple(stray)


def test_the_magnitudes_of_a_dora_that_are_dropped_are_counted(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors")
    name = f"lora_unet_{Q.replace('.', '_')}.dora_scale"
    save_file({**load_file(path), name: torch.randn(64, 1)}, path)
    assert Rack(pipe).switch([adapter(path)]).applied.unmatched == (name,)


def test_a_file_of_half_precision_is_counted_in_full(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors")
    save_file({key: tensor.half() for key, tensor in load_file(path).items()}, path)
    assert Rack(pipe).switch([adapter(path)]).applied.unmatched == ()


def test_tensors_of_zeros_are_counted_like_others(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors")
    save_file({k: torch.zeros_like(t) if "lora_up" in k else t for k, t in load_file(path).items()}, path)
    assert Rack(pipe).switch([adapter(path)]).applied.unmatched == ()


def test_going_back_to_a_loaded_lora_loads_nothing(pipe: Any, tmp_path: Path) -> None:
    one, other = save_peft(tmp_path / "1.safetensors"), save_peft(tmp_path / "2.safetensors", seed=2)
    rack = Rack(pipe)
    for path in (one, other, one):
        rack.switch([adapter(path)])
    assert len(pipe.get_list_adapters()["unet"]) == 2
    assert len(pipe.get_active_adapters()) == 1


def test_only_so_many_loras_stay_loaded(pipe: Any, tmp_path: Path) -> None:
    rack = Rack(pipe)
    for seed in range(9):
        rack.switch([adapter(save_peft(tmp_path / f"{seed}.safetensors", seed=seed))])
    assert len(pipe.get_list_adapters()["unet"]) == 6


def test_a_file_replaced_under_the_same_name_is_loaded_anew(pipe: Any, tmp_path: Path) -> None:
    path, rack = save_peft(tmp_path / "a.safetensors"), Rack(pipe)
    rack.switch([adapter(path)])
    save_peft(path, seed=2, rank=8)
    rack.switch([adapter(path)])
    assert len(pipe.get_list_adapters()["unet"]) == 2


def test_a_file_that_fits_in_part_only_by_name_leaves_no_rest(pipe: Any, tmp_path: Path) -> None:
    path = save_kohya(tmp_path / "a.safetensors", width=48)
    with pytest.raises(DoesNotFit, match="other sizes"):
        Rack(pipe).switch([adapter(path)])
    assert not any(pipe.get_list_adapters().values())


@pytest.mark.parametrize("prefix", ["base_model.model.", "unet.base_model.model.", ""])
def test_files_as_peft_dumps_them_are_placed(pipe: Any, tmp_path: Path, prefix: str) -> None:
    path = save_peft(tmp_path / "a.safetensors", prefix=prefix)
    assert Rack(pipe).switch([adapter(path)]).applied == Applied(applied=48, total=48, unmatched=())


def test_names_with_an_adapter_in_them_are_placed(pipe: Any, tmp_path: Path) -> None:
    path = save_peft(tmp_path / "a.safetensors", prefix="")
    save_file({k.replace(".weight", ".default.weight"): t for k, t in load_file(path).items()}, path)
    assert Rack(pipe).switch([adapter(path)]).applied.applied == 48


@pytest.mark.parametrize(
    "name",
    [
        "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q",
        "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q",
    ],
)
def test_both_spellings_of_sdxl_layers_are_placed(tmp_path: Path, name: str) -> None:
    path = lora(tmp_path / "a.safetensors", {name: (64, 64)})
    assert Rack(sdxl()).switch([adapter(path)]).applied == Applied(applied=3, total=3, unmatched=())


def test_fused_layers_of_flux_are_traced_to_their_parts(tmp_path: Path) -> None:
    layers = {"lora_unet_double_blocks_0_img_attn_qkv": (32, 96), "lora_unet_double_blocks_0_img_mlp_0": (32, 128)}
    path = lora(tmp_path / "a.safetensors", layers)
    assert Rack(flux()).switch([adapter(path)]).applied == Applied(applied=6, total=6, unmatched=())


def test_flux_layers_that_diffusers_loses_are_named(tmp_path: Path) -> None:
    layers = {"lora_unet_double_blocks_0_img_mlp_0": (32, 128), "lora_unet_img_in": (16, 32)}
    path = lora(tmp_path / "a.safetensors", layers)
    applied = Rack(flux()).switch([adapter(path)]).applied
    assert sorted(applied.unmatched) == [
        "lora_unet_img_in.alpha",
        "lora_unet_img_in.lora_down.weight",
        "lora_unet_img_in.lora_up.weight",
    ]


def test_a_control_lora_is_refused_before_it_widens_the_base(tmp_path: Path) -> None:
    pipe = flux()
    path = tmp_path / "a.safetensors"
    save_file(
        {
            "transformer.x_embedder.lora_A.weight": torch.randn(4, 32),
            "transformer.x_embedder.lora_B.weight": torch.randn(32, 4),
        },
        path,
    )
    with pytest.raises(DoesNotFit, match="control image"):
        Rack(pipe).switch([adapter(path)])
    assert pipe.transformer.x_embedder.in_features == 16


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
