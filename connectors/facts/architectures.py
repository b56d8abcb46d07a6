"""Which network a LoRA's layers belong to: a table of rules, tried from top to bottom, of which the first wins.

The order goes from names that only one network has, over families that share names and differ in width or in the number
of blocks, to what several networks have in common. There a rule names them all: nothing in the tensors decides, and
only the file's metadata may pick one of them. Names and widths are those of the networks' own sources (diffusers,
BFL flux, kohya-ss, musubi-tuner) with "." written as "_".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connectors.facts.evidence import Evidence


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """`fits` says when. Several `architectures` are what the tensors leave; `usual` is meant where nobody says."""

    architectures: tuple[str, ...]
    fits: Callable[[Evidence], bool]
    usual: str | None = None


def _rule(architecture: str, fits: Callable[[Evidence], bool]) -> Rule:
    return Rule(architectures=(architecture,), fits=fits, usual=architecture)


def _any(*words: str) -> Callable[[Evidence], bool]:
    """Any of these words in a layer's name; "^" marks its beginning."""
    return lambda seen: any(seen.has(word) for word in words)


# The first blocks of a U-Net: diffusers' names, then those of the original code.
_UNET = ("^down_blocks_", "^up_blocks_", "^mid_block_", "^input_blocks_", "^middle_block_", "^output_blocks_")
_KEYS_VALUES = "attn2_to_k,attn2_to_v"


def _unet(width: int) -> Callable[[Evidence], bool]:
    """A U-Net whose cross-attention reads a text embedding of this width."""
    return lambda seen: _any(*_UNET)(seen) and width in seen.widths(last=_KEYS_VALUES)


def _deep_unet(seen: Evidence) -> bool:
    """SDXL alone stacks several transformer blocks, has none at full size, and comes with a second, wider encoder."""
    if not _any(*_UNET)(seen):
        return False
    return (
        seen.matches(r"[a-z_\d]+_transformer_blocks_[1-9]")
        or seen.has("^up_blocks_0_attentions_")
        or seen.matches(r"\noutput_blocks_[0-2]_1_transformer")
        or 640 in seen.widths("up_blocks_1_attentions_", "attn1_to_q,attn1_to_k,attn1_to_v")
        or 1280 in seen.encoder_widths("2_text_model_encoder")
    )


def _shallow_unet(seen: Evidence) -> bool:
    """SD 1 and 2 have attention in the outermost blocks, where SDXL has none."""
    return _any("^down_blocks_0_attentions_", "^up_blocks_3_attentions_")(seen) or seen.matches(
        r"\n(?:input_blocks_[12]|output_blocks_(?:9|10|11))_1_transformer"
    )


def _sd1_shallow(seen: Evidence) -> bool:
    """Without cross-attention: SD 1 projects into its transformers by a convolution, SD 2 by a linear layer."""
    return _shallow_unet(seen) and (768 in seen.encoder_widths() or seen.is_convolution("proj_in"))


def _sd2_shallow(seen: Evidence) -> bool:
    linear = bool(seen.widths(last="proj_in")) and not seen.is_convolution("proj_in")
    return _shallow_unet(seen) and (1024 in seen.encoder_widths() or linear)


# Where the two streams of FLUX and its relatives start and end.
_STREAMS = ("^double_blocks_", "^single_blocks_")
_STREAM_INPUTS = (
    "img_attn_qkv,txt_attn_qkv,img_attn_proj,txt_attn_proj,img_attn_q,txt_attn_q,img_attn_k,txt_attn_k,img_attn_v,"
    "txt_attn_v,img_mlp_0,txt_mlp_0,img_mlp_fc1,txt_mlp_fc1,linear1,linear1_q,linear1_k,linear1_v"
)


def _flux2(seen: Evidence) -> bool:
    """FLUX.2 shares one modulation among all blocks, fuses its MLP into attention, and has wider hidden layers."""
    if _any(
        "double_stream_modulation",
        "single_stream_modulation",
        "to_qkv_mlp_proj",
        "ff_linear_in",
        "ff_context_linear_in",
    )(seen):
        return not seen.has("mode_blocks")
    if seen.matches(r"\nsingle_transformer_blocks_\d+_attn_to_out"):
        return True
    return _any(*_STREAMS)(seen) and _flux2_widths(seen)


def _flux2_widths(seen: Evidence) -> bool:
    """Hidden 6144 (dev), 4096 (klein 9b), 3072 (klein 4b, as FLUX.1, but its MLPs differ)."""
    return bool(
        seen.widths(last=_STREAM_INPUTS) & {4096, 6144}
        or seen.widths("single_blocks", "linear2") & {12288, 16384, 24576}
        or seen.outputs("linear1") & {27648, 36864, 55296}
        or (seen.outputs("img_mlp_0,txt_mlp_0") & {18432, 24576, 36864})
        or seen.widths(last="img_mlp_2,txt_mlp_2") & {9216, 18432}
        or seen.widths(last="txt_in") & {7680, 15360}
        or (seen.last("double_blocks") == 4 and seen.last("single_blocks") == 19)
    )


def _hunyuan_video(seen: Evidence) -> bool:
    """Its original names say fc1 and linear where FLUX says 0 and lin; in diffusers' names only the counts differ."""
    if _any("img_mlp_fc", "txt_mlp_fc", "token_refiner", "img_mod_linear", "txt_mod_linear", "modulation_linear")(seen):
        return not seen.has("^token_refiner")
    deep = seen.last("single_transformer_blocks") >= 38 or seen.last("single_blocks") >= 38
    return deep or (seen.last("transformer_blocks") == 19 and seen.last("single_transformer_blocks") >= 0)


def _wide(width: int, *words: str) -> Callable[[Evidence], bool]:
    """Any of these words, and somewhere an input of this width."""
    return lambda seen: _any(*words)(seen) and width in seen.widths()


def _dit(width: int, attention: str) -> Callable[[Evidence], bool]:
    """Diffusers' `transformer_blocks` whose self-attention (attn or attn1) has this width."""
    ends = ",".join(f"{attention}_to_{part}" for part in ("q", "k", "v", "out_0"))
    return lambda seen: seen.has("^transformer_blocks_") and width in seen.widths("transformer_blocks", ends)


def _streams(width: int) -> Callable[[Evidence], bool]:
    """Two streams whose attention has this width, in the original names or in diffusers'."""
    own = _any(*_STREAMS)
    return lambda seen: (
        (own(seen) and width in seen.widths(last=_STREAM_INPUTS))
        or (_dit(width, "attn")(seen) and _any("attn_add_", "ff_context_", "token_refiner")(seen))
    )


def _only_self_attention(width: int) -> Callable[[Evidence], bool]:
    return lambda seen: _dit(width, "attn1")(seen) and not seen.has("attn2_") and not seen.has("add_")


def _qwen(seen: Evidence) -> bool:
    """Its two streams have MLPs named img_mlp and txt_mlp; in attention alone its sixty blocks tell."""
    if not seen.has("^transformer_blocks_"):
        return False
    if _any("img_mlp_net_", "txt_mlp_net_", "img_mod_1", "txt_mod_1")(seen):
        return True
    return seen.last("transformer_blocks") >= 20 and _two_streams(seen)


def _two_streams(seen: Evidence) -> bool:
    """Attention of hidden 3072 as FLUX.1, HunyuanVideo and Qwen-Image have it, without a single stream."""
    return _dit(3072, "attn")(seen) and not seen.has("^single_transformer_blocks_")


def _flux_streams(seen: Evidence) -> bool:
    return _any(*_STREAMS, "^single_transformer_blocks_", "context_embedder")(seen) or (
        seen.has("^transformer_blocks_") and _any("ff_context_", "norm1_context")(seen) and _dit(3072, "attn")(seen)
    )


def _without_modulation(seen: Evidence) -> bool:
    """All layers but the modulation, in FLUX's original names: what Chroma has, and what Kontext is trained on."""
    trained = ("img_attn_qkv", "img_mlp_0", "txt_attn_qkv", "txt_mlp_0", "linear1", "linear2")
    return (
        _any(*_STREAMS)(seen)
        and all(seen.has(word) for word in trained)
        and not _any("_mod_lin", "modulation_lin", "vector_in", "guidance_in")(seen)
    )


def _layers_of(width: int) -> Callable[[Evidence], bool]:
    """Lumina and its relatives: `layers` with refiners before them, told apart by width."""
    names = ("^layers_", "^noise_refiner_", "^context_refiner_")
    ends = "to_q,to_k,to_v,to_out_0,qkv,attention_out,feed_forward_w1,feed_forward_w3,linear_1,linear_3"
    return lambda seen: _any(*names)(seen) and width in seen.widths(last=ends)


def _wan(seen: Evidence) -> bool:
    """Wan's `blocks`: q, k, v, o in its own names; attn1 and attn2 in diffusers', where no other says blocks."""
    if not _any("^blocks_", "^vace_blocks_", "^img_emb_", "^face_")(seen):
        return False
    own = seen.matches(r"\n(?:vace_)?blocks_\d+_(?:self|cross)_attn_(?:q|k|v|o|k_img|v_img)\n")
    return own or _any("_attn1_to_", "_attn2_to_", "_attn2_add_", "_ffn_net_", "_ffn_0", "_ffn_2", "img_emb_proj")(seen)


def _sd3(seen: Evidence) -> bool:
    joint = seen.has("^joint_blocks_") or seen.matches(r"_x_block_attn|_context_block_attn")
    return joint or _dit(1536, "attn")(seen) or _dit(2432, "attn")(seen)


def _unlike_pixart(seen: Evidence) -> bool:
    return _any("ff_conv_", "^caption_norm")(seen) or _dit(2240, "attn1")(seen)


RULES: tuple[Rule, ...] = (
    # Names that one network alone has.
    _rule("hidream", _any("^double_stream_blocks_", "^single_stream_blocks_")),
    _rule("auraflow", _any("^joint_transformer_blocks_", "^double_layers_", "^single_layers_", "ff_linear_1")),
    _rule("sd3", _sd3),
    _rule("krea2", _any("txtfusion_", "text_fusion_", "attn_wq", "attn_wk", "attn_wv", "attn_wo", "attn_to_gate")),
    _rule("minimax-h3", _wide(5376, "^blocks_", "^transformer_blocks_", "^token_refiner")),
    _rule("kandinsky5", _any("^visual_transformer_blocks_", "^text_transformer_blocks_")),
    _rule("ltx-video-2", _any("audio_attn", "audio_to_video_attn", "video_to_audio_attn")),
    _rule("qwen-image-2", _any("img_mlp_gate_up", "img_mlp_gate_layer", "img_mlp_out", "img_mlp_proj")),
    _rule("chroma", _any("distilled_guidance_layer")),
    _rule("hunyuan-dit", _any("attn1_Wqkv", "attn2_kv_proj", "attn2_q_proj")),
    _rule("ace-step", lambda seen: seen.matches(r"\n(?:layers|transformer_blocks)_\d+_cross_attn_to_")),
    _rule("ernie", lambda seen: seen.matches(r"\nlayers_\d+_self_attention_to_")),
    _rule("svd", _any("temporal_transformer_blocks")),
    # U-Nets: the width of the text embedding, then the depth.
    _rule("tiny-shapes", _unet(96)),
    _rule("sdxl", _unet(2048)),
    _rule("sd2", _unet(1024)),
    _rule("sd1", _unet(768)),
    _rule("sdxl", _deep_unet),
    _rule("sd1", _sd1_shallow),
    _rule("sd2", _sd2_shallow),
    Rule(architectures=("sd1", "sd2"), fits=_shallow_unet),
    Rule(architectures=("sd1", "sd2", "sdxl"), fits=_any(*_UNET)),
    # cloneofsimo/lora numbers the layers it patches instead of naming them; only the widths are left.
    _rule("sd1", lambda seen: seen.is_numbered and 768 in seen.widths()),
    _rule("sd2", lambda seen: seen.is_numbered and 1024 in seen.widths()),
    # FLUX and its relatives: two streams.
    _rule("hunyuan-image", _streams(3584)),
    _rule("hunyuan-video-1.5", _streams(2048)),
    _rule("hunyuan-video-1.5", lambda seen: seen.matches(r"\ndouble_blocks_\d+_(?:img|txt)_attn_[qkv]\n")),
    _rule("flux2", _flux2),
    _rule("flux2", _dit(6144, "attn")),
    _rule("hunyuan-video", _hunyuan_video),
    Rule(architectures=("flux1", "chroma"), fits=_without_modulation),
    Rule(architectures=("flux1", "chroma"), fits=_flux_streams, usual="flux1"),
    _rule("qwen-image", _qwen),
    _rule("qwen-image-2", _dit(4096, "attn")),
    Rule(architectures=("flux1", "qwen-image", "hunyuan-video", "chroma", "flux2"), fits=_two_streams),
    # One stream with attention to the text, in diffusers' names.
    _rule("mochi", lambda seen: _dit(3072, "attn1")(seen) and seen.has("attn1_add_")),
    _rule("cogvideox", _only_self_attention(1920)),
    _rule("cogvideox", _only_self_attention(3072)),
    _rule("cogview4", _only_self_attention(2560)),
    _rule("ltx-video-2", _dit(4096, "attn1")),
    _rule("anima", lambda seen: _dit(2048, "attn1")(seen) and 1024 in seen.widths(last=_KEYS_VALUES)),
    _rule("ltx-video", _dit(2048, "attn1")),
    _rule("sana", _unlike_pixart),
    _rule("pixart", lambda seen: _dit(1152, "attn1")(seen) and _any("adaln_single", "ff_net_", "pos_embed")(seen)),
    Rule(architectures=("pixart", "sana"), fits=_dit(1152, "attn1")),
    # `layers` and `blocks`: networks in their own names.
    _rule("z-image", _layers_of(3840)),
    _rule("lumina2", _layers_of(2304)),
    _rule("omnigen2", _layers_of(2520)),
    _rule("ideogram4", _layers_of(4608)),
    Rule(architectures=("z-image", "lumina2"), fits=_any("^noise_refiner_", "^context_refiner_")),
    _rule("anima", lambda seen: seen.has("^llm_adapter_") or _anima(seen)),
    _rule("wan", _wan),
    # Text encoders alone.
    _rule("sdxl", lambda seen: not seen.count and 1280 in seen.encoder_widths("2_text_model_encoder")),
    _rule("anima", lambda seen: not seen.count and _qwen_encoder(seen)),
)


def _anima(seen: Evidence) -> bool:
    """Cosmos-Predict2's names at the width of its 2B model, which Anima is; the 14B has 5120."""
    named = _any("attn_q_proj", "attn_k_proj", "attn_v_proj", "attn_output_proj", "adaln_modulation_", "mlp_layer")(
        seen
    )
    return seen.has("^blocks_") and named and 5120 not in seen.widths()


def _qwen_encoder(seen: Evidence) -> bool:
    return seen.encoders_have("_layers_0_self_attn_q_proj") and not seen.encoders_have("text_model")


def candidates(seen: Evidence) -> tuple[tuple[str, ...], str | None]:
    """The architectures that the tensors leave, and the one meant where nothing else is said; () and None for none."""
    rule = next((rule for rule in RULES if rule.fits(seen)), None)
    return (rule.architectures, rule.usual) if rule else ((), None)


# Models of one architecture that differ in width, so that a LoRA for one does not load on the other.
_SIZES: tuple[tuple[str, int, str], ...] = (
    ("flux2", 6144, "flux.2-dev"),
    ("flux2", 4096, "flux.2-klein-9b"),
    ("flux2", 3072, "flux.2-klein-4b"),
    ("sd3", 2432, "sd-3.5-large"),
    ("wan", 1536, "wan-2.1-t2v-1.3b"),
    ("wan", 3072, "wan-2.2-ti2v-5b"),
)
_ATTENTION = _STREAM_INPUTS + ",to_q,to_k,to_v,to_qkv_mlp_proj,attn_q,attn_k,attn_v,attn_qkv"


def size_of(architecture: str | None, seen: Evidence) -> str | None:
    """The base model whose width the attention has, where widths tell models of the architecture apart."""
    sizes = [(width, base) for name, width, base in _SIZES if name == architecture]
    widths = seen.widths(last=_ATTENTION) if sizes else set()
    return next((base for width, base in sizes if width in widths), None)
