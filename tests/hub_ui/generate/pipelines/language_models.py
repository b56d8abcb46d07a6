"""The language models that newer networks read their text with, two layers each."""

from __future__ import annotations

from typing import Any

from transformers import (
    Gemma2Config,
    Gemma2Model,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLTextConfig,
    Qwen2_5_VLTextModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    Qwen3VLConfig,
    Qwen3VLModel,
)

from tests.hub_ui.generate.pipelines.tokens import VOCABULARY

WIDTH = 16
SIZES: dict[str, Any] = {
    "hidden_size": WIDTH, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
    "num_hidden_layers": 2, "vocab_size": VOCABULARY, "max_position_embeddings": 1024, "bos_token_id": 0,
    "eos_token_id": 0,
}  # fmt: skip
EYES: dict[str, Any] = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16}


def gemma2() -> Any:
    config: Any = Gemma2Config
    return Gemma2Model(config(**SIZES, sliding_window=64))


def gemma3() -> Any:
    config: Any = Gemma3Config
    eyes = {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 32,
        "patch_size": 16,
    }  # fmt: skip
    return Gemma3ForConditionalGeneration(
        config(text_config={**SIZES, "sliding_window": 64}, vision_config=eyes, mm_tokens_per_image=4)
    )


def llama(*, writes: bool = False, layers: int = 2) -> Any:
    config: Any = LlamaConfig
    made = config(**{**SIZES, "num_hidden_layers": layers, "pad_token_id": 2})
    return LlamaForCausalLM(made) if writes else LlamaModel(made)


def qwen3(*, writes: bool = False) -> Any:
    config: Any = Qwen3Config
    return Qwen3ForCausalLM(config(**SIZES)) if writes else Qwen3Model(config(**SIZES))


def mistral3() -> Any:
    config: Any = Mistral3Config
    eyes = {
        "model_type": "pixtral", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 16, "image_size": 32, "patch_size": 16,
    }  # fmt: skip
    words = {**SIZES, "model_type": "mistral", "sliding_window": None}
    return Mistral3ForConditionalGeneration(config(text_config=words, vision_config=eyes))


ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}


def qwen2_5_vl() -> Any:
    config: Any = Qwen2_5_VLConfig
    return Qwen2_5_VLForConditionalGeneration(
        config(text_config={**SIZES, "rope_parameters": ROPE}, vision_config=EYES)
    )


def qwen2_5_vl_text() -> Any:
    config: Any = Qwen2_5_VLTextConfig
    return Qwen2_5_VLTextModel(config(**SIZES, rope_parameters=ROPE))


def qwen3_vl() -> Any:
    config: Any = Qwen3VLConfig
    return Qwen3VLModel(config(text_config=SIZES, vision_config={**EYES, "deepstack_visual_indexes": [0]}))
