"""Kandinsky 5: a Qwen2.5-VL and a CLIP read its text; its pictures go through FLUX.1's VAE, its clips through
HunyuanVideo's.
"""

from functools import partial
from typing import Any

from transformers import Qwen2VLImageProcessor, Qwen2VLProcessor, Qwen2VLVideoProcessor

from tests.hub_ui.generate.pipelines import encoders, hunyuan_video, language_models, tokens
from tests.hub_ui.generate.pipelines.frame import Base, build, flow


def _parts(*, clips: bool) -> dict[str, Any]:
    processor: Any = Qwen2VLProcessor
    eyes: dict[str, Any] = {"image_processor": Qwen2VLImageProcessor(), "video_processor": Qwen2VLVideoProcessor()}
    transformer = build(
        "Kandinsky5Transformer3DModel", in_visual_dim=4, out_visual_dim=4, in_text_dim=language_models.WIDTH,
        in_text_dim2=encoders.WIDTH, time_dim=16, model_dim=32, ff_dim=64, num_text_blocks=1, num_visual_blocks=1,
        axes_dims=(4, 6, 6), visual_cond=clips,
    )  # fmt: skip
    return {
        "vae": hunyuan_video.vae() if clips else encoders.vae(), "text_encoder": language_models.qwen2_5_vl(),
        "tokenizer": processor(**eyes, tokenizer=tokens.qwen2(), chat_template=tokens.TURNS),
        "text_encoder_2": encoders.clip(), "tokenizer_2": tokens.clip(), "transformer": transformer,
        "scheduler": flow(shift=5.0),
    }  # fmt: skip


CALL = {"height": 32, "width": 32, "negative_prompt": "blur", "guidance_scale": 3.0}
KANDINSKY_5 = Base(
    name="kandinsky5", architecture="kandinsky5", pipeline="Kandinsky5T2IPipeline", call=CALL,
    parts=partial(_parts, clips=False), attributes={"resolutions": [(32, 32)]},
)  # fmt: skip
KANDINSKY_5_T2V = Base(
    name="kandinsky5_t2v", architecture="kandinsky5", pipeline="Kandinsky5T2VPipeline", call={**CALL, "num_frames": 5},
    parts=partial(_parts, clips=True),
)  # fmt: skip
