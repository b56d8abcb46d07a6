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

Fits = Callable[[Evidence], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """`within`: containers of blocks ("double_blocks") one of which has to be there; `fits` says what else.

    Several `architectures` are what the tensors leave; `usual` is then meant where nobody says.
    """

    architectures: tuple[str, ...]
    within: frozenset[str]
    fits: Fits
    usual: str | None = None


def _rule(architecture: str, within: str, fits: Fits = lambda _seen: True) -> Rule:
    return Rule(architectures=(architecture,), within=frozenset(within.split()), fits=fits, usual=architecture)


def _either(architectures: str, within: str, fits: Fits = lambda _seen: True, usual: str | None = None) -> Rule:
    return Rule(architectures=tuple(architectures.split()), within=frozenset(within.split()), fits=fits, usual=usual)


def _any(*words: str) -> Fits:
    """Any of these words in a layer's name."""
    return lambda seen: any(seen.has(word) for word in words)


# The first blocks of a U-Net: diffusers' names, then those of the original code.
_UNET = "down_blocks up_blocks mid_block_attentions mid_block_resnets mid_block input_blocks middle_block output_blocks"
_STREAMS = "double_blocks single_blocks"
_DIT = "transformer_blocks single_transformer_blocks"
_LAYERS = "layers noise_refiner context_refiner"
_KEYS_VALUES = "attn2_to_k,attn2_to_v"


def _reads(width: int) -> Fits:
    """Cross-attention to a text embedding of this width."""
    return lambda seen: width in seen.widths(last=_KEYS_VALUES)


def _after_the_middle(seen: Evidence) -> set[int]:
    """Widths of attention in the second block upwards: there SDXL is half as wide as SD 1 and 2."""
    places = ("up_blocks_1_attentions_", *(f"output_blocks_{number}_1_" for number in (3, 4, 5)))
    return set().union(*(seen.widths(place, "attn1_to_q,attn1_to_k,attn1_to_v") for place in places))


def _deep_unet(seen: Evidence) -> bool:
    """SDXL alone stacks several transformer blocks, has none at full size, and comes with a second, wider encoder."""
    return (
        seen.matches(r"_transformer_blocks_[1-9]")
        or seen.has("\nup_blocks_0_attentions_")
        or seen.matches(r"\noutput_blocks_[0-2]_1_transformer")
        or 640 in _after_the_middle(seen)
        or 1280 in seen.encoder_widths("2_text_model_encoder")
    )


def _shallow_unet(seen: Evidence) -> bool:
    """SD 1 and 2 have attention in the outermost blocks, where SDXL has none, and a block more."""
    return (
        _any("\ndown_blocks_0_attentions_", "\ndown_blocks_3_", "\nup_blocks_3_")(seen)
        or seen.matches(r"\n(?:input_blocks_[12]_1_transformer|(?:input|output)_blocks_(?:9|10|11)_)")
        or 1280 in _after_the_middle(seen)
    )


def _cascade(seen: Evidence) -> bool:
    """Stable Cascade numbers all layers of a block in one row."""
    return _any("_attention_", "_kv_mapper", "_channelwise", "_depthwise", "_mapper")(seen)


def _sd1_shallow(seen: Evidence) -> bool:
    """Without cross-attention: SD 1 projects into its transformers by a convolution, SD 2 by a linear layer."""
    return _shallow_unet(seen) and (768 in seen.encoder_widths() or seen.is_convolution("proj_in"))


def _sd2_shallow(seen: Evidence) -> bool:
    linear = bool(seen.widths(last="proj_in")) and not seen.is_convolution("proj_in")
    return _shallow_unet(seen) and (1024 in seen.encoder_widths() or linear)


# Layers that read the hidden state of a stream, in the original names of FLUX and its relatives.
_STREAM_INPUTS = (
    "img_attn_qkv,txt_attn_qkv,img_attn_proj,txt_attn_proj,img_attn_q,txt_attn_q,img_attn_k,txt_attn_k,img_attn_v,"
    "txt_attn_v,img_mlp_0,txt_mlp_0,img_mlp_fc1,txt_mlp_fc1,linear1,linear1_q,linear1_k,linear1_v"
)


def _stream(width: int) -> Fits:
    return lambda seen: width in seen.widths(last=_STREAM_INPUTS + ",img_mod_linear,txt_mod_linear,modulation_linear")


def _flux2_streams(seen: Evidence) -> bool:
    """Hidden 6144 (dev), 4096 (klein 9b), 3072 (klein 4b, as FLUX.1, but its MLPs differ)."""
    if seen.widths(last=_STREAM_INPUTS) & {4096, 6144}:
        return True
    inner = seen.widths("single_blocks", "linear2") or seen.widths(last="img_mlp_2,txt_mlp_2")
    if inner:
        return bool(inner & {9216, 16384, 18432, 24576}) or 12288 in seen.widths("single_blocks", "linear2")
    return bool(
        seen.outputs("linear1") & {27648, 36864, 55296}
        or seen.outputs("img_attn_qkv,txt_attn_qkv") & {12288, 18432}
        or seen.outputs("img_attn_proj,txt_attn_proj") & {4096, 6144}
        or seen.outputs("img_mlp_0,txt_mlp_0") & {18432, 24576, 36864}
        or seen.widths(last="txt_in") & {7680, 15360}
        or (seen.last("double_blocks") == 4 and seen.last("single_blocks") == 19)
    )


def _flux2_diffusers(seen: Evidence) -> bool:
    """FLUX.2 fuses its MLP into the attention of single blocks, which so has one output instead of a list of them."""
    fused = _any("to_qkv_mlp_proj", "ff_linear_in", "ff_context_linear_in", "_attn_to_out\n")
    return fused(seen) or _dit(6144, "attn")(seen)


# HunyuanVideo's original names say fc1 and linear where FLUX says 0 and lin.
_HUNYUAN = ("img_mlp_fc", "txt_mlp_fc", "img_mod_linear", "txt_mod_linear", "modulation_linear")


# Twenty double and forty single blocks, where FLUX has nineteen and thirty-eight.
_HUNYUAN_LAST = (
    "\nsingle_transformer_blocks_38_", "\nsingle_transformer_blocks_39_", "\nsingle_blocks_38_", "\nsingle_blocks_39_",
)  # fmt: skip


def _hunyuan_depth(seen: Evidence) -> bool:
    if "single_transformer_blocks" not in seen.containers and "single_blocks" not in seen.containers:
        return False
    return _any(*_HUNYUAN_LAST)(seen) or (
        seen.has("\ntransformer_blocks_19_") and not seen.has("\ntransformer_blocks_20_")
    )


def _dit(width: int, attention: str) -> Fits:
    """Diffusers' `transformer_blocks` whose self-attention (attn or attn1) has this width."""
    ends = ",".join(f"{attention}_to_{part}" for part in ("q", "k", "v", "out_0"))
    return lambda seen: width in seen.widths("transformer_blocks_", ends)


_OUT_OF_MLP = "proj_mlp,ff_net_0_proj,ff_context_net_0_proj"
_TWO_STREAM_INPUTS = (
    "attn_to_q,attn_to_k,attn_to_v,attn_to_out_0,attn_add_q_proj,attn_add_k_proj,attn_add_v_proj,ff_net_0_proj,"
    "ff_context_net_0_proj"
)


def _two_streams(width: int) -> Fits:
    """Attention of this width in both of two streams, one for the picture and one for the text."""
    both = _any("attn_add_", "ff_context_", "token_refiner")
    return lambda seen: both(seen) and width in seen.widths(last=_TWO_STREAM_INPUTS)


def _any_width(width: int) -> Fits:
    return lambda seen: width in seen.widths("transformer_blocks_")


def _two_feed_forwards(seen: Evidence) -> bool:
    """Width 3072, with a second MLP for the text: as FLUX.1 has it, and Qwen-Image has not."""
    return seen.has("ff_context_") and 3072 in seen.widths(
        last="attn_to_q,attn_to_v,attn_add_q_proj,ff_context_net_0_proj"
    )


def _only_self_attention(width: int) -> Fits:
    return lambda seen: _dit(width, "attn1")(seen) and not _any("attn2_", "add_")(seen)


def _shallow_self_attention(width: int) -> Fits:
    return lambda seen: _only_self_attention(width)(seen) and seen.last("transformer_blocks") < 30


def _auraflow_single(seen: Evidence) -> bool:
    """Its single blocks have a projection after the attention and an MLP in parts, where FLUX has one for both."""
    apart = _any("_ff_linear_1\n", "_ff_linear_2\n", "_ff_out_projection\n")(seen)
    return apart or seen.ends("single_transformer_blocks_", "_attn_to_out_0")


def _qwen(seen: Evidence) -> bool:
    """MLPs of two named streams; another network has one of them, at a width of 2048."""
    return _any("img_mlp_net_", "txt_mlp_net_", "img_mod_1", "txt_mod_1")(seen) and 2048 not in seen.widths()


def _mochi(seen: Evidence) -> bool:
    """Its attention reads the text in a second stream; by the first alone its 48 blocks tell it from CogVideoX's 42."""
    deep = _only_self_attention(3072)(seen) and seen.last("transformer_blocks") >= 42
    return deep or (_dit(3072, "attn1")(seen) and seen.has("attn1_add_"))


def _deep_alone(seen: Evidence) -> bool:
    """Qwen-Image has sixty blocks, all with two streams: by attention alone their number tells it from FLUX."""
    single = "single_transformer_blocks" in seen.containers
    return not single and seen.last("transformer_blocks") >= 20 and _dit(3072, "attn")(seen)


# Chroma has no modulation of its own in any block; FLUX.1 has it in all, here in its original and in diffusers' names.
_MODULATION = ("_mod_lin\n", "modulation_lin\n", "vector_in", "guidance_in")
_MODULATION_DIFFUSERS = ("norm1_linear", "norm1_context_linear", "_norm_linear")


def _without_modulation(seen: Evidence) -> bool:
    """All layers but the modulation, in FLUX's original names: what Chroma has, and what Kontext is trained on."""
    trained = ("img_attn_qkv", "img_mlp_0", "txt_attn_qkv", "txt_mlp_0", "linear1", "linear2")
    return all(map(seen.has, trained))


def _layer_width(width: int) -> Fits:
    """Lumina and its relatives: `layers` with refiners before them, told apart by width."""
    ends = "to_q,to_k,to_v,to_out_0,qkv,attention_out,feed_forward_w1,feed_forward_w3,linear_1,linear_3"
    return lambda seen: width in seen.widths(last=ends) or width in seen.outputs("feed_forward_w2,linear_2")


# Cosmos-Predict2's names; the width of its 2B model is Anima's, the 14B has 5120.
_ANIMA = (
    "cross_attn_q_proj", "cross_attn_k_proj", "cross_attn_v_proj", "attn_output_proj", "self_attn_q_proj",
    "self_attn_k_proj", "self_attn_v_proj", "adaln_modulation_", "mlp_layer",
)  # fmt: skip


def _anima(seen: Evidence) -> bool:
    return _any(*_ANIMA)(seen) and 5120 not in seen.widths()


# q, k, v, o in Wan's own names; attn1 and attn2 in diffusers', where no other network says `blocks`.
_WAN = (
    *(f"_{kind}_attn_{part}\n" for kind in ("self", "cross") for part in ("q", "k", "v", "o", "k_img", "v_img")),
    "_attn1_to_", "_attn2_to_", "_attn2_add_", "_ffn_net_", "_ffn_0", "_ffn_2", "img_emb",
)  # fmt: skip


def _encoders_alone(words: str, width: int | None = None) -> Fits:
    def fits(seen: Evidence) -> bool:
        return seen.encoders_have(words) and (width is None or width in seen.encoder_widths(words))

    return fits


def _only_encoder(width: int) -> Fits:
    """kohya numbers the text encoders of networks that have several ("lora_te1_")."""
    return lambda seen: seen.encoders_begin("lora_te_text_model_encoder") and width in seen.encoder_widths()


RULES: tuple[Rule, ...] = (
    # Containers that one network alone has.
    _rule("hidream", "double_stream_blocks single_stream_blocks"),
    _rule("flux3", "mode_blocks_image mode_blocks_image_cond txt_mode_blocks"),
    _rule("flux3", "single_transformer_blocks", lambda seen: seen.ends("single_transformer_blocks_", "_ff_linear_in")),
    _rule("auraflow", "joint_transformer_blocks double_layers single_layers"),
    _rule("auraflow", "single_transformer_blocks", _auraflow_single),
    _rule("sd3", "joint_blocks"),
    _rule("krea2", "txtfusion txtfusion_layerwise_blocks txtfusion_refiner_blocks txtfusion_projector"),
    _rule("krea2", "text_fusion text_fusion_layerwise_blocks text_fusion_refiner_blocks"),
    _rule("kandinsky6", "video_text_transformer_blocks audio_text_transformer_blocks"),
    _rule("kandinsky6", "visual_transformer_blocks", _any("_dec_block_", "_va_", "_av_")),
    _rule("kandinsky5", "visual_transformer_blocks text_transformer_blocks"),
    _rule("chroma", "distilled_guidance_layer distilled_guidance_layer_layers distilled_guidance_layer_in_proj"),
    _rule("flux2", "double_stream_modulation_img_lin double_stream_modulation_txt_lin single_stream_modulation_lin"),
    _rule("flux2", "double_stream_modulation_img_linear double_stream_modulation_txt_linear"),
    _rule("flux2", "single_stream_modulation_linear"),
    # U-Nets: the width of the text embedding, then the depth.
    _rule("svd", _UNET, _any("temporal_transformer_blocks")),
    _rule("stable-cascade", _UNET, _cascade),
    _rule("tiny-shapes", _UNET, _reads(96)),
    _rule("sdxl", _UNET, _reads(2048)),
    _rule("sd2", _UNET, _reads(1024)),
    _rule("sd1", _UNET, _reads(768)),
    _rule("sdxl", _UNET, _deep_unet),
    _rule("sd1", _UNET, _sd1_shallow),
    _rule("sd2", _UNET, _sd2_shallow),
    _either("sd1 sd2", _UNET, _shallow_unet),
    _either("sd1 sd2 sdxl", _UNET),
    # cloneofsimo/lora numbers the layers it patches instead of naming them; only the widths are left.
    _rule("sd1", "#", lambda seen: 768 in seen.widths()),
    _rule("sd2", "#", lambda seen: 1024 in seen.widths()),
    # FLUX and its relatives: two streams in their original names.
    _rule("joy-image", _STREAMS, _any("_attn_img_attn_", "_attn_txt_attn_", "_img_mlp_net_", "_txt_mlp_net_")),
    _rule("hunyuan-image", _STREAMS, _stream(3584)),
    _rule("hunyuan-video-1.5", _STREAMS, _stream(2048)),
    _rule("flux2", _STREAMS, _flux2_streams),
    _rule("hunyuan-video", _STREAMS, _any(*_HUNYUAN)),
    _rule("hunyuan-video", _STREAMS, _hunyuan_depth),
    _rule("flux1", _STREAMS, _any(*_MODULATION)),
    _either("flux1 chroma", _STREAMS, _without_modulation),
    _either("flux1 chroma hunyuan-video", _STREAMS, usual="flux1"),
    # Diffusers' `transformer_blocks`: names that one network alone has.
    _rule("ltx-video-2", _DIT, _any("audio_attn", "audio_to_video_attn", "video_to_audio_attn")),
    _rule("qwen-image-2", _DIT, _any("img_mlp_gate_up", "img_mlp_gate_layer", "img_mlp_out", "img_mlp_proj")),
    _rule("qwen-image", _DIT, _qwen),
    _rule("ace-step", _DIT, _any("_cross_attn_to_")),
    _rule("minimax-h3", _DIT, lambda seen: 5376 in seen.widths(last=_TWO_STREAM_INPUTS)),
    _rule("krea2", _DIT, _any("attn_to_gate")),
    # FLUX.1's names and width, with gated MLPs twice as wide.
    _rule("ovis-image", _DIT, lambda seen: _any_width(3072)(seen) and 24576 in seen.outputs(_OUT_OF_MLP)),
    _rule("flux2", _DIT, _flux2_diffusers),
    _rule("flux2", _DIT, lambda seen: "single_transformer_blocks" in seen.containers and _dit(4096, "attn")(seen)),
    # Then widths and the number of blocks, two streams before one.
    _rule("sd3", _DIT, _dit(1536, "attn")),
    _rule("sd3", _DIT, _dit(2432, "attn")),
    # Mochi's text stream has this width too, beside a picture stream of 3072.
    _rule("sd3", _DIT, lambda seen: _two_streams(1536)(seen) and not _any_width(3072)(seen)),
    _rule("sd3", _DIT, _two_streams(2432)),
    _rule("hunyuan-image", _DIT, _two_streams(3584)),
    _rule("hunyuan-image", "single_transformer_blocks", _any_width(3584)),
    _rule("hunyuan-video-1.5", _DIT, _two_streams(2048)),
    _rule("hunyuan-video", _DIT, _any("token_refiner")),
    _rule("hunyuan-video", _DIT, _hunyuan_depth),
    # Chroma has none of these layers; HunyuanVideo does, under the same names.
    _either("flux1 hunyuan-video", "single_transformer_blocks", _any(*_MODULATION_DIFFUSERS), usual="flux1"),
    _either("flux1 chroma hunyuan-video", "single_transformer_blocks", usual="flux1"),
    _rule("qwen-image", _DIT, _deep_alone),
    _either("flux1 chroma hunyuan-video", _DIT, _two_feed_forwards, usual="flux1"),
    _rule("qwen-image-2", _DIT, lambda seen: _dit(4096, "attn")(seen) and seen.last("transformer_blocks") >= 8),
    _either("flux2 qwen-image-2", _DIT, _dit(4096, "attn")),
    _either("flux1 qwen-image hunyuan-video chroma flux2", _DIT, _dit(3072, "attn")),
    _rule("mochi", _DIT, _mochi),
    _rule("cogvideox", _DIT, _only_self_attention(1920)),
    _rule("cogvideox", _DIT, _only_self_attention(3072)),
    _rule("cogview4", _DIT, _only_self_attention(2560)),
    # The published CogView4 is as wide as both LTX of 48 blocks, but has 28 and no cross-attention.
    _either("cogview4 ltx-video ltx-video-2", _DIT, _shallow_self_attention(4096)),
    _either("ltx-video ltx-video-2", _DIT, lambda seen: _dit(4096, "attn1")(seen) and not _reads(1024)(seen)),
    _rule("anima", _DIT, lambda seen: _dit(2048, "attn1")(seen) and _reads(1024)(seen)),
    _rule("ltx-video", _DIT, _dit(2048, "attn1")),
    _rule("sana", _DIT, _any("ff_conv_")),
    _rule("sana", _DIT, _dit(2240, "attn1")),
    _rule("pixart", _DIT, lambda seen: _dit(1152, "attn1")(seen) and _any("adaln_single", "_ff_net_")(seen)),
    _either("pixart sana", _DIT, _dit(1152, "attn1")),
    # `layers` and `blocks`: networks in their own names.
    _rule("ernie", _LAYERS, _any("_self_attention_to_")),
    _rule("ace-step", _LAYERS, _any("_cross_attn_to_")),
    _rule("z-image", _LAYERS, _layer_width(3840)),
    _rule("lumina2", _LAYERS, _layer_width(2304)),
    _rule("omnigen2", _LAYERS, _layer_width(2520)),
    _rule("ideogram4", _LAYERS, _layer_width(4608)),
    _either("z-image lumina2", "noise_refiner context_refiner"),
    _rule("anima", "llm_adapter_blocks"),
    _rule("krea2", "blocks", _any("attn_wq", "attn_wk", "attn_wv", "attn_wo")),
    _rule("krea2", "blocks", lambda seen: 6144 in seen.widths(last="mlp_gate,mlp_up")),
    _rule("minimax-h3", "blocks token_refiner token_refiner_blocks", lambda seen: 5376 in seen.widths()),
    _rule("hunyuan-dit", "blocks", _any("attn1_Wqkv", "attn2_kv_proj", "attn2_q_proj", "attn1_out_proj")),
    _rule("anima", "blocks", _anima),
    _rule("wan", "blocks vace_blocks img_emb_proj face_adapter_fuser_blocks", _any(*_WAN)),
    # Text encoders alone.
    _rule("sdxl", "", _encoders_alone("2_text_model_encoder", 1280)),
    _rule("sd2", "", _encoders_alone("text_model_encoder", 1024)),
    _rule("sd1", "", _only_encoder(768)),
    _rule("anima", "", _encoders_alone("_layers_0_self_attn_q_proj", 1024)),
)


def rule_for(seen: Evidence) -> Rule | None:
    """The first rule that holds; None for layers of no network known here."""
    return next((rule for rule in RULES if _applies(rule, seen)), None)


def _applies(rule: Rule, seen: Evidence) -> bool:
    """A rule without containers is for files that patch no picture model, only text encoders."""
    there = not rule.within.isdisjoint(seen.containers) if rule.within else not seen.containers
    return there and rule.fits(seen)


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
