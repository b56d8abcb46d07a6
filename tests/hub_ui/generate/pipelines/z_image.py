"""Z-Image with a Qwen3 of two layers."""

from typing import Any

from tests.hub_ui.generate.pipelines import encoders, language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts() -> dict[str, Any]:
    transformer = build(
        "ZImageTransformer2DModel", all_patch_size=(2,), all_f_patch_size=(1,), in_channels=4, dim=32, n_layers=1,
        n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=language_models.WIDTH, axes_dims=[8, 4, 4],
        axes_lens=[128, 32, 32],
    )  # fmt: skip
    return {
        "vae": encoders.vae(shift_factor=0.1), "text_encoder": language_models.qwen3(), "tokenizer": tokens.qwen2(),
        "transformer": transformer, "scheduler": flow(),
    }  # fmt: skip


CALL = {"height": 32, "width": 32, "negative_prompt": "blur", "guidance_scale": 3.0, "max_sequence_length": 32}
Z_IMAGE = Base(name="z_image", architecture="z-image", pipeline="ZImagePipeline", parts=_parts, call=CALL)

PLACES = ("layers.0", "noise_refiner.0", "context_refiner.0")
ATTENTION = tuple(f"{place}.attention.{part}" for place in PLACES for part in ("to_q", "to_k", "to_v", "to_out.0"))
REST = tuple(f"{place}.feed_forward.w{i}" for place in PLACES for i in (1, 2, 3)) + tuple(
    f"{place}.adaLN_modulation.0" for place in PLACES[:2]
)
AROUND = ("all_x_embedder.2-1", "all_final_layer.2-1.linear", "t_embedder.mlp.0", "t_embedder.mlp.2", "cap_embedder.1")
# The original's names: one layer for q, k and v.
ORIGINAL = (
    {f"{place}.attention.qkv": tuple(f"{place}.attention.to_{part}" for part in "qkv") for place in PLACES}
    | {f"{place}.attention.out": (f"{place}.attention.to_out.0",) for place in PLACES}
    | {module: (module,) for module in REST}
)
