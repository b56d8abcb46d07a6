"""FLUX.3 Klein and its base: eight layers of a Qwen3-VL are its text, its pictures go through FLUX.2's VAE."""

from functools import partial
from typing import Any

from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor

from tests.hub_ui.generate.pipelines import flux2, language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts(*, distilled: bool) -> dict[str, Any]:
    transformer = build(
        "Flux3Transformer2DModel", in_channels=16, cond_in_channels=16, num_layers=1, num_single_layers=1,
        attention_head_dim=16, num_attention_heads=2, joint_attention_dim=8 * language_models.WIDTH,
        timestep_channels=16, axes_dims_rope=(4, 4, 4, 4), flow_map=distilled,
    )  # fmt: skip
    return {
        "vae": flux2.vae(), "text_encoder": language_models.qwen3_vl("Qwen3VLForConditionalGeneration", layers=33),
        "tokenizer": processor(), "transformer": transformer, "scheduler": flow(shift=6.93),
    }  # fmt: skip


def processor() -> Any:
    kind: Any = Qwen3VLProcessor
    eyes: dict[str, Any] = {"image_processor": Qwen2VLImageProcessor(), "video_processor": Qwen3VLVideoProcessor()}
    return kind(**eyes, tokenizer=tokens.qwen2(), chat_template=tokens.TURNS)


CALL = {"height": 32, "width": 32, "output": "latents", "output_type": "pt"}
KLEIN = Base(
    name="flux3 klein", architecture="flux3", pipeline="Flux3DistilledModularPipeline", call=CALL,
    parts=partial(_parts, distilled=True),
)  # fmt: skip
KLEIN_BASE = Base(
    name="flux3 klein-base", architecture="flux3", pipeline="Flux3ModularPipeline",
    parts=partial(_parts, distilled=False), call={**CALL, "negative_prompt": "blur"},
)  # fmt: skip
