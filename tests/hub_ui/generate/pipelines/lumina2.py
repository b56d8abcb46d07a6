"""Lumina 2 reads its text with a Gemma 2."""

from typing import Any

from tests.hub_ui.generate.pipelines import encoders, language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts() -> dict[str, Any]:
    """Fewer heads for keys than for queries, as in the real one: its fused qkv has parts of two sizes."""
    transformer = build(
        "Lumina2Transformer2DModel", sample_size=16, patch_size=2, in_channels=4, hidden_size=32, num_layers=1,
        num_refiner_layers=1, num_attention_heads=2, num_kv_heads=1, multiple_of=16, axes_dim_rope=(8, 4, 4),
        axes_lens=(128, 32, 32), cap_feat_dim=language_models.WIDTH,
    )  # fmt: skip
    return {
        "vae": encoders.vae(shift_factor=0.1), "text_encoder": language_models.gemma2(), "tokenizer": tokens.gemma(),
        "transformer": transformer, "scheduler": flow(),
    }  # fmt: skip


CALL = {
    "height": 64, "width": 64, "negative_prompt": "blur", "guidance_scale": 3.0, "max_sequence_length": 48,
    "system_prompt": "see",
}  # fmt: skip
LUMINA2 = Base(name="lumina2", architecture="lumina2", pipeline="Lumina2Pipeline", parts=_parts, call=CALL)
