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
