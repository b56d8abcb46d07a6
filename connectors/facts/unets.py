"""Which U-Net a LoRA's layers belong to: by the width of the text embedding, then by where there is attention."""

from __future__ import annotations

from collections.abc import Callable

from connectors.facts.evidence import Evidence

# The first blocks of a U-Net: diffusers' names, then those of the original code.
CONTAINERS = (
    "down_blocks up_blocks mid_block_attentions mid_block_resnets mid_block input_blocks middle_block output_blocks"
)
_KEYS_VALUES = "attn2_to_k,attn2_to_v"
_QUERIES = "attn1_to_q,attn1_to_k,attn1_to_v,attn1_to_out_0,attn2_to_q,ff_net_0_proj"
# Hidden widths of the three levels of Stable Diffusion, and text embeddings that its networks read.
_LEVELS = {320, 640, 1280}
_TEXTS = {768, 1024, 2048}


def reads(width: int) -> Callable[[Evidence], bool]:
    """Cross-attention to a text embedding of this width."""
    return lambda seen: width in seen.widths(last=_KEYS_VALUES)


def is_cascade(seen: Evidence) -> bool:
    """Stable Cascade numbers all layers of a block in one row, as Würstchen before it does, which is narrower."""
    widths = seen.widths(last="to_q,to_k,channelwise_0,in_proj")
    if widths and widths.isdisjoint((1536, 2048)):
        return False
    return any(map(seen.has, ("_attention_", "_kv_mapper", "_channelwise", "_depthwise", "_mapper"))) and not seen.has(
        "_attentions_"
    )


def is_foreign(seen: Evidence) -> bool:
    """A U-Net that is not Stable Diffusion's: DeepFloyd IF, Kandinsky, the SDXL refiner, upscalers, video models."""
    return (
        # Attention without a transformer around it, and layers over time.
        seen.matches(r"_attentions_\d+_(?!transformer_blocks_|temporal_|proj_|norm|time_)")
        or any(map(seen.has, ("_temp_attentions_", "_temp_convs_", "_resnets_in_", "_resnets_out_", "_pointwise")))
        or (not seen.is_turned and not _has_sizes(seen))
    )


def _has_sizes(seen: Evidence) -> bool:
    """Whether all widths that show are Stable Diffusion's. OFT shows outputs instead of inputs."""
    shown = (
        (seen.widths("transformer_blocks_", _QUERIES), _LEVELS),
        (seen.widths(last=_KEYS_VALUES), _TEXTS),
        (seen.outputs(_KEYS_VALUES), _LEVELS),
    )
    return all(widths <= known for widths, known in shown)


def is_cut(seen: Evidence) -> bool:
    """SSD-1B, distilled from SDXL: at the lowest level on the way down 4 transformer blocks are left of 10."""
    lowest = ("down_blocks_2_attentions_1_transformer_blocks_", "input_blocks_8_1_transformer_blocks_")
    return any(seen.has(place + "3_") and not seen.has(place + "4_") and seen.has(place + "0_") for place in lowest)


def _after_the_middle(seen: Evidence) -> set[int]:
    """Widths of attention in the second block upwards: there SDXL is half as wide as SD 1 and 2."""
    places = ("up_blocks_1_attentions_", *(f"output_blocks_{number}_1_" for number in (3, 4, 5)))
    return set().union(*(seen.widths(place, "attn1_to_q,attn1_to_k,attn1_to_v") for place in places))


def is_deep(seen: Evidence) -> bool:
    """SDXL alone stacks several transformer blocks, has none at full size, and comes with a second, wider encoder."""
    return (
        seen.matches(r"_attentions_\d+_transformer_blocks_[1-9]|_block[s_\d]*_1_transformer_blocks_[1-9]")
        or seen.matches(r"\nup_blocks_0_attentions_\d+_(?:transformer_blocks|proj_)")
        or seen.matches(r"\noutput_blocks_[0-2]_1_transformer")
        or 640 in _after_the_middle(seen)
        or 1280 in seen.encoder_widths("2_text_model_encoder")
    )


def is_shallow(seen: Evidence) -> bool:
    """SD 1 and 2 have attention in the outermost blocks, where SDXL has none, and a block more."""
    return (
        any(map(seen.has, ("\ndown_blocks_0_attentions_", "\ndown_blocks_3_", "\nup_blocks_3_")))
        or seen.matches(r"\n(?:input_blocks_[12]_1_transformer|(?:input|output)_blocks_(?:9|10|11)_)")
        or 1280 in _after_the_middle(seen)
    )


def is_sd1(seen: Evidence) -> bool:
    """Without cross-attention: SD 1 projects into its transformers by a convolution, SD 2 by a linear layer."""
    return is_shallow(seen) and (768 in seen.encoder_widths() or seen.is_convolution("proj_in"))


def is_sd2(seen: Evidence) -> bool:
    linear = bool(seen.widths(last="proj_in")) and not seen.is_convolution("proj_in")
    return is_shallow(seen) and (1024 in seen.encoder_widths() or linear)
