"""Text encoders and autoencoders of the real classes, 32 wide, that several families share."""

from typing import Any

import transformers

from tests.hub_ui.generate.pipelines.frame import build
from tests.hub_ui.generate.pipelines.tokens import VOCABULARY

WIDTH = 32


def vae(channels: int = 4, **fields: Any) -> Any:
    """Halves a picture once."""
    values: dict[str, Any] = {
        "block_out_channels": (8, 8), "down_block_types": ("DownEncoderBlock2D",) * 2, "norm_num_groups": 4,
        "up_block_types": ("UpDecoderBlock2D",) * 2, "layers_per_block": 1, "latent_channels": channels,
        "sample_size": 32,
    }  # fmt: skip
    return build("AutoencoderKL", **{**values, **fields})


def clip(projection: bool = False, **fields: Any) -> Any:
    values: dict[str, Any] = {
        "hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1, "projection_dim": WIDTH,
    }  # fmt: skip
    return of_transformers("CLIPTextModelWithProjection" if projection else "CLIPTextModel", **{**values, **fields})


def t5(name: str = "T5EncoderModel", **fields: Any) -> Any:
    values: dict[str, Any] = {
        "vocab_size": VOCABULARY, "d_model": WIDTH, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4,
        "feed_forward_proj": "gated-gelu", "decoder_start_token_id": 0,
    }  # fmt: skip
    return of_transformers(name, **{**values, **fields})


def umt5() -> Any:
    return t5("UMT5EncoderModel")


def of_transformers(name: str, **fields: Any) -> Any:
    """A model by its name there, with such a configuration."""
    kind: Any = getattr(transformers, name)
    return kind(kind.config_class(**fields))
