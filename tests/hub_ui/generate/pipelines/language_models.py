"""The language models that newer networks read their text with, two layers each."""

from typing import Any

from tests.hub_ui.generate.pipelines.encoders import of_transformers
from tests.hub_ui.generate.pipelines.tokens import VOCABULARY

WIDTH = 16
SIZES: dict[str, Any] = {
    "hidden_size": WIDTH, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
    "num_hidden_layers": 2, "vocab_size": VOCABULARY, "max_position_embeddings": 1024, "bos_token_id": 0,
    "eos_token_id": 0,
}  # fmt: skip
EYES: dict[str, Any] = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16}
LAYERED_EYES: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 32,
    "patch_size": 16,
}  # fmt: skip
ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}


def gemma2() -> Any:
    return of_transformers("Gemma2Model", **SIZES, sliding_window=64)


def gemma3() -> Any:
    words = {**SIZES, "sliding_window": 64}
    return of_transformers(
        "Gemma3ForConditionalGeneration", text_config=words, vision_config=LAYERED_EYES, mm_tokens_per_image=4
    )


def llama(*, writes: bool = False, layers: int = 2) -> Any:
    fields = {**SIZES, "num_hidden_layers": layers, "pad_token_id": 2}
    return of_transformers("LlamaForCausalLM" if writes else "LlamaModel", **fields)


def qwen3(*, writes: bool = False) -> Any:
    return of_transformers("Qwen3ForCausalLM" if writes else "Qwen3Model", **SIZES)


def mistral3(kind: str = "Mistral3ForConditionalGeneration") -> Any:
    words = {**SIZES, "model_type": "mistral", "sliding_window": None}
    eyes = {**LAYERED_EYES, "model_type": "pixtral"}
    return of_transformers(kind, text_config=words, vision_config=eyes)


def qwen2_5_vl() -> Any:
    words = {**SIZES, "rope_parameters": ROPE}
    return of_transformers("Qwen2_5_VLForConditionalGeneration", text_config=words, vision_config=EYES)


def qwen2_5_vl_text() -> Any:
    return of_transformers("Qwen2_5_VLTextModel", **SIZES, rope_parameters=ROPE)


def qwen3_vl(kind: str = "Qwen3VLModel", layers: int = 2) -> Any:
    eyes, words = {**EYES, "deepstack_visual_indexes": [0]}, {**SIZES, "num_hidden_layers": layers}
    return of_transformers(kind, text_config=words, vision_config=eyes)
