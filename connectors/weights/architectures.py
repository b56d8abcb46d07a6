"""The network that a LoRA's layers belong to: a table of rules, of which the first match wins.

The order goes from names that only one network has, over families that share names and differ in width or in the number
of blocks, to what several networks have in common. There a rule names them all: nothing in the tensors decides, and
only the file's metadata may pick one of them. Names and widths are those of the networks' own sources (diffusers,
BFL flux, kohya-ss, musubi-tuner) with "." written as "_".
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from connectors.claims import read_wording
from connectors.weights import networks
from connectors.weights.networks import STREAM_INPUTS, LayerShapes, is_whole, possible

Fits = Callable[[LayerShapes], bool]
_NAMES = read_wording("architectures", "tensor_names.toml").words


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Matches layers in any container of `within` ("double_blocks") for which `fits` is true.

    Several `architectures` remain where names can't decide, and the `usual` one is then what most files are for, if
    there is such a one. None remains where the network is known to be unsupported. Without `is_proof`, a network that
    generates no images may have the same layers.
    """

    architectures: tuple[str, ...]
    within: frozenset[str]
    fits: Fits
    usual: str | None = None
    is_proof: bool = True


def _rule(architectures: str, within: str, fits: Fits = lambda _seen: True) -> Rule:
    return Rule(architectures=tuple(architectures.split()), within=frozenset(within.split()), fits=fits)


def _usually(architectures: str, within: str, fits: Fits = lambda _seen: True) -> Rule:
    """A rule for several architectures, of which the first is the usual one."""
    return replace(_rule(architectures, within, fits), usual=architectures.split()[0])


def _all(*conditions: Fits) -> Fits:
    return lambda seen: all(fits(seen) for fits in conditions)


def _not(condition: Fits) -> Fits:
    return lambda seen: not condition(seen)


def _any(*words: str) -> Fits:
    """Any of these words in a layer's name."""
    return lambda seen: any(map(seen.has, words))


def _wide(*widths: int, last: str = "", words: str = "") -> Fits:
    """Layers of one of these input widths, whose names hold `words` and end in one of `last`."""
    return lambda seen: not seen.widths(words, last).isdisjoint(widths)


def _ends(container: str, last: str) -> Fits:
    return lambda seen: seen.ends(container, last)


_STREAMS = "double_blocks single_blocks"
_DIT = "transformer_blocks single_transformer_blocks"
_LAYERS = "layers noise_refiner context_refiner"
_MODULATION_INPUTS = ",img_mod_linear,txt_mod_linear,modulation_linear"


def _flux2_streams(seen: LayerShapes) -> bool:
    """Hidden 6144 (dev), 4096 (klein 9b), 3072 (klein 4b, as FLUX.1, but its MLPs differ)."""
    if seen.widths(last=STREAM_INPUTS) & {4096, 6144}:
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


def _joy_attention(seen: LayerShapes) -> bool:
    """JoyAI-Image joins by "_" what FLUX.2 joins by ".", and has five times as many double blocks."""
    return seen.writes(".img_attn_", ".txt_attn_") or (
        seen.last("double_blocks") >= 8 and not seen.blocks("single_blocks")
    )


# HunyuanVideo's original names say fc1 and linear where FLUX says 0 and lin.
_HUNYUAN = ("img_mlp_fc", "txt_mlp_fc", "img_mod_linear", "txt_mod_linear", "modulation_linear")


def _refiner(width: int) -> Fits:
    """HunyuanVideo refines its text first, as wide as its blocks are."""
    return _all(_any("token_refiner"), _wide(width, words="_blocks_"))


def _dit(width: int, attention: str) -> Fits:
    """Diffusers' `transformer_blocks` whose self-attention (attn or attn1) has this width."""
    ends = ",".join(f"{attention}_to_{part}" for part in ("q", "k", "v", "out_0"))
    return _wide(width, last=ends, words="transformer_blocks_")


def _double_alone(width: int) -> Fits:
    """The same for a network without single blocks."""
    return lambda seen: "single_transformer_blocks" not in seen.containers and _dit(width, "attn")(seen)


def _of_nucleus(seen: LayerShapes) -> bool:
    """No queries of its own for the text, and fewer heads for keys, or all 24 blocks."""
    if any(map(seen.has, ("attn_add_q", "attn_to_add_out", "ff_context_"))):
        return False
    keys = seen.outputs("attn_to_k,attn_to_v,attn_add_k_proj,attn_add_v_proj")
    return min(keys, default=2048) < 2048 or seen.blocks("transformer_blocks") == set(range(24))


_TWO_STREAM_INPUTS = ",".join(_NAMES["two_stream_inputs"])


def _two_streams(*widths: int) -> Fits:
    """Attention of one of these widths in both of two streams, one for the image and one for the text."""
    return _all(_any("attn_add_", "ff_context_"), _wide(*widths, last=_TWO_STREAM_INPUTS))


# FLUX.1 and the networks with its names in diffusers and its width. The MLPs of Ovis-Image are gated, so they are twice
# as wide.
_FLUXES = "flux1 chroma hunyuan-video longcat-image bria-fibo"
_GATED, _PLAIN = 24576, 12288


def _mlp(width: int | None) -> Fits:
    """Width 3072, and MLPs of this width; None where no MLP shows its own."""

    def fits(seen: LayerShapes) -> bool:
        outputs = seen.outputs("proj_mlp,ff_net_0_proj,ff_context_net_0_proj")
        return (not outputs if width is None else width in outputs) and (not seen.widths() or 3072 in seen.widths())

    return fits


def _only_self_attention(width: int) -> Fits:
    return _all(_dit(width, "attn1"), _not(_any("attn2_", "add_")))


# MLPs of two named streams; another network has one of them, at a width of 2048.
_QWEN = _all(_any("img_mlp_net_", "txt_mlp_net_", "img_mod_1", "txt_mod_1"), _not(_wide(2048)))


def _beyond_flux(seen: LayerShapes) -> bool:
    return seen.last("double_blocks") >= 19 or seen.last("single_blocks") >= 38


# Chroma has no modulation of its own in any block; FLUX.1 has it in all, here in its original and in diffusers' names.
_MODULATION = ("_mod_lin\n", "modulation_lin\n", "vector_in", "guidance_in")
_MODULATION_DIFFUSERS = ("norm1_linear", "norm1_context_linear", "_norm_linear")
_MODULATED = _FLUXES.replace(" chroma", "")


def _without_modulation(seen: LayerShapes) -> bool:
    """All layers but the modulation, in FLUX's original names: what Chroma has, and what Kontext is trained on."""
    return all(map(seen.has, ("img_attn_qkv", "img_mlp_0", "txt_attn_qkv", "txt_mlp_0", "linear1", "linear2")))


def _layer_width(width: int) -> Fits:
    """Lumina and its relatives have `layers` with refiners before them, and differ in width."""
    ends = "to_q,to_k,to_v,to_out_0,qkv,attention_out,feed_forward_w1,feed_forward_w3,linear_1,linear_3"
    return lambda seen: width in seen.widths(last=ends) or width in seen.outputs("feed_forward_w2,linear_2")


def _cosmos(*wanted: int) -> Fits:
    """One of these widths, and only 2048 where none shows."""

    def fits(seen: LayerShapes) -> bool:
        widths = seen.widths() & {2048, 4096, 5120}
        return any(map(seen.has, _NAMES["cosmos"])) and not (widths or {2048}).isdisjoint(wanted)

    return fits


def _by_trainer(seen: LayerShapes) -> bool:
    """Whether the names are those of a trainer for image and video models."""
    return not seen.formats.isdisjoint(("kohya", "ai-toolkit", "lycoris", "onetrainer"))


def _lingbot(seen: LayerShapes) -> bool:
    return seen.matches(r"\nblocks_\d+_(?:attn_to_(?:q|k|v|out)|ffn_(?:shared_experts_)?(?:gate|up)_proj)\n")


# q, k, v, o in Wan's own names; attn1 and attn2 in diffusers', where no other network says `blocks`.
_WAN = (
    *(f"_{kind}_attn_{part}\n" for kind in ("self", "cross") for part in ("q", "k", "v", "o", "k_img", "v_img")),
    "_attn1_to_", "_attn2_to_", "_attn2_add_", "_ffn_net_", "_ffn_0", "_ffn_2", "img_emb",
)  # fmt: skip


_LANGUAGE = "language_model_layers model_language_model_layers"


def _all_of_qwen3_vl(seen: LayerShapes) -> bool:
    """All layers of Qwen3-VL 8B: a LoRA for it, or for HiDream-O1, which has the same layers."""
    blocks = {number for container in _LANGUAGE.split() for number in seen.blocks(container)}
    return blocks == set(range(36)) and 4096 in seen.widths(
        "language_model_layers", "_q_proj,_k_proj,_v_proj,_gate_proj"
    )


def _encoders_alone(words: str, width: int) -> Fits:
    return lambda seen: seen.encoders_have(words) and width in seen.encoder_widths(words)


RULES: tuple[Rule, ...] = (
    # Containers that one network alone has.
    _rule("hidream", "double_stream_blocks single_stream_blocks"),
    _rule("boogu", "double_stream_layers single_stream_layers"),
    _rule("flux3", "mode_blocks_image mode_blocks_image_cond txt_mode_blocks"),
    _rule("flux3", "single_transformer_blocks", _ends("single_transformer_blocks_", "_ff_linear_in")),
    _rule("auraflow", "joint_transformer_blocks double_layers single_layers"),
    # Its single blocks have a projection after the attention and an MLP in parts, where FLUX has one for both.
    _rule("auraflow", "single_transformer_blocks", _any("_ff_linear_1\n", "_ff_linear_2\n", "_ff_out_projection\n")),
    _rule("auraflow", "single_transformer_blocks", _ends("single_transformer_blocks_", "_attn_to_out_0")),
    _rule("sd3", "joint_blocks"),
    _rule("krea2", "txtfusion txtfusion_layerwise_blocks txtfusion_refiner_blocks txtfusion_projector"),
    _rule("krea2", "text_fusion text_fusion_layerwise_blocks text_fusion_refiner_blocks"),
    _rule("kandinsky6", "video_text_transformer_blocks audio_text_transformer_blocks"),
    _rule("kandinsky6", "visual_transformer_blocks", _any("_dec_block_", "_va_", "_av_")),
    # Kandinsky 6 has an upscaler with the same self-attention, and nothing else of this.
    _rule("kandinsky5", "visual_transformer_blocks", _any("_cross_attention_", "_feed_forward_in_layer")),
    _rule("kandinsky5", "text_transformer_blocks"),
    _rule("chroma", "distilled_guidance_layer distilled_guidance_layer_layers distilled_guidance_layer_in_proj"),
    _rule("flux2", "double_stream_modulation_img_lin double_stream_modulation_txt_lin single_stream_modulation_lin"),
    _rule("flux2", "double_stream_modulation_img_linear double_stream_modulation_txt_linear"),
    _rule("flux2", "single_stream_modulation_linear"),
    _rule("latte", "temporal_transformer_blocks"),
    # A language model that generates images: only trainers of image models write these names.
    _rule("hidream-o1", _LANGUAGE, _by_trainer),
    replace(_rule("hidream-o1", _LANGUAGE, _all_of_qwen3_vl), is_proof=False),
    # U-Nets: the width of the text embedding, then the depth.
    _rule("svd", networks.CONTAINERS, _any("temporal_transformer_blocks")),
    _rule("stable-cascade", networks.CONTAINERS, networks.is_cascade),
    _rule("tiny-shapes", networks.CONTAINERS, networks.reads(96)),
    _rule("", networks.CONTAINERS, networks.is_foreign),
    _rule("ssd-1b", networks.CONTAINERS, networks.is_cut),
    _rule("sdxl", networks.CONTAINERS, networks.reads(2048)),
    _rule("sd2", networks.CONTAINERS, networks.reads(1024)),
    _rule("sd1", networks.CONTAINERS, networks.reads(768)),
    _rule("sdxl", networks.CONTAINERS, networks.is_deep),
    _rule("sd1", networks.CONTAINERS, networks.is_sd1),
    _rule("sd2", networks.CONTAINERS, networks.is_sd2),
    _rule("sd1 sd2", networks.CONTAINERS, networks.is_shallow),
    _rule("sd1 sd2 sdxl", networks.CONTAINERS),
    # Stable Cascade's own trainer and cloneofsimo/lora number layers instead of naming them: only widths are left.
    _rule("stable-cascade", "weights", lambda seen: not seen.widths().isdisjoint((1536, 2048))),
    _rule("sd1", "#", _wide(768)),
    _rule("sd2", "#", _wide(1024)),
    # FLUX and its relatives: two streams in their original names.
    _rule("joy-image", _STREAMS, _any("_attn_img_attn_", "_attn_txt_attn_", "_img_mlp_net_", "_txt_mlp_net_")),
    _rule("joy-image", _STREAMS, _all(_joy_attention, _wide(4096, last=STREAM_INPUTS))),
    _rule("hunyuan-image", _STREAMS, _wide(3584, 3328, last=STREAM_INPUTS + _MODULATION_INPUTS)),
    _rule("hunyuan-video-1.5", _STREAMS, _wide(2048, last=STREAM_INPUTS + _MODULATION_INPUTS)),
    _rule("flux2", _STREAMS, _flux2_streams),
    _rule("hunyuan-video", _STREAMS, _any(*_HUNYUAN)),
    # A fast HunyuanVideo was distilled in FLUX's names, and has a block more in each stream.
    _rule("hunyuan-video", _STREAMS, _all(_any(*_MODULATION), _beyond_flux)),
    _rule("flux1", _STREAMS, _any(*_MODULATION)),
    # Trained on all layers, inside and outside of the blocks, and none of them is a modulation.
    _rule("chroma", _STREAMS, _all(_without_modulation, _any("\nimg_in\n", "\ntxt_in\n", "\nfinal_layer_linear\n"))),
    _rule("flux1 chroma", _STREAMS, _without_modulation),
    _usually("flux1 chroma hunyuan-video", _STREAMS),
    # Diffusers' `transformer_blocks`: names that one network alone has.
    _rule("ltx-video-2", _DIT, _any("audio_attn", "audio_to_video_attn", "video_to_audio_attn")),
    _rule("qwen-image-2", _DIT, _any("img_mlp_gate_up", "img_mlp_gate_layer", "img_mlp_out", "img_mlp_proj")),
    _rule("nucleus-image", _DIT, _any("_encoder_proj\n", "img_mlp_gate\n", "img_mlp_shared_expert")),
    # MageFlow has Qwen-Image's blocks, but a fifth of them.
    _rule("mageflow", _DIT, _all(_QWEN, lambda seen: seen.blocks("transformer_blocks") == set(range(12)))),
    _rule("qwen-image", _DIT, _QWEN),
    _rule("stable-audio-3", _DIT, _any("_cross_attn_to_kv", "_self_attn_to_qkv")),
    _rule("ace-step", _DIT, _any("_cross_attn_to_")),
    _rule("minimax-h3", _DIT, _wide(5376, last=_TWO_STREAM_INPUTS)),
    _rule("krea2", _DIT, _any("attn_to_gate")),
    _rule("motif-video", _DIT, _any("\ncontext_embedder_linear_")),
    _rule("bria-fibo", "single_transformer_blocks", _any("\ncaption_projection_")),
    _rule("ovis-image", _DIT, _mlp(_GATED)),
    # FLUX.2 fuses its MLP into the attention of single blocks, which so has one output instead of a list of them.
    _rule("flux2", _DIT, _any("to_qkv_mlp_proj", "_ff_linear_in\n", "_ff_context_linear_in\n")),
    _rule("flux2", _DIT, _ends("single_transformer_blocks_", "_attn_to_out")),
    _rule("flux2", _DIT, _dit(6144, "attn")),
    _rule("flux2", "single_transformer_blocks", _dit(4096, "attn")),
    # Then widths and the number of blocks, two streams before one.
    _rule("sd3", _DIT, _double_alone(1536)),
    _rule("sd3", _DIT, _double_alone(2432)),
    # Mochi's text stream has this width too, beside an image stream of 3072.
    _rule("sd3", "transformer_blocks", _all(_two_streams(1536), _not(_wide(3072, words="transformer_blocks_")))),
    _rule("sd3", "transformer_blocks", _two_streams(2432)),
    _rule("hunyuan-image", _DIT, _two_streams(3584, 3328)),
    _rule("hunyuan-image", "single_transformer_blocks", _wide(3584, 3328, words="transformer_blocks_")),
    _rule("hunyuan-video-1.5", _DIT, _refiner(2048)),
    _rule("nucleus-image", _DIT, _all(_double_alone(2048), _of_nucleus)),
    _rule("hunyuan-video-1.5", _DIT, _all(_two_streams(2048), _any("attn_add_q", "attn_to_add_out", "ff_context_"))),
    _rule("hunyuan-video-1.5", _DIT, lambda seen: _double_alone(2048)(seen) and seen.last("transformer_blocks") >= 40),
    _rule("hunyuan-video", _DIT, _refiner(3072)),
    _rule("longcat-image bria-fibo", "single_transformer_blocks", _any("\ntime_embed_timestep_embedder_")),
    # Chroma has none of these layers; the others do, under the same names.
    _usually(_MODULATED, "single_transformer_blocks", _all(_any(*_MODULATION_DIFFUSERS), _mlp(_PLAIN))),
    _usually(f"{_MODULATED} ovis-image", "single_transformer_blocks", _all(_any(*_MODULATION_DIFFUSERS), _mlp(None))),
    _usually(_FLUXES, "single_transformer_blocks", _mlp(_PLAIN)),
    _usually(f"{_FLUXES} ovis-image", "single_transformer_blocks", _mlp(None)),
    _rule("", "single_transformer_blocks"),
    # A second MLP for the text, as FLUX.1 has it, and Qwen-Image has not.
    _usually(
        _FLUXES,
        _DIT,
        _all(_any("ff_context_"), _wide(3072, last="attn_to_q,attn_to_v,attn_add_q_proj,ff_context_net_0_proj")),
    ),
    _rule("qwen-image-2", _DIT, lambda seen: _dit(4096, "attn")(seen) and seen.last("transformer_blocks") >= 8),
    _rule("flux2 qwen-image-2", _DIT, _dit(4096, "attn")),
    _usually(
        f"{_FLUXES} qwen-image flux2",
        _DIT,
        _all(_dit(3072, "attn"), lambda seen: seen.blocks("transformer_blocks") == set(range(19))),
    ),
    _rule(f"{_FLUXES} ovis-image qwen-image flux2", _DIT, _dit(3072, "attn")),
    _rule("mochi", _DIT, _any("\ntime_embed_pooler_")),
    # Mochi's attention reads the text in a second stream, which is half as wide.
    _rule(
        "mochi", _DIT, _all(_dit(3072, "attn1"), _wide(1536, last="attn1_add_q_proj,attn1_add_k_proj,attn1_add_v_proj"))
    ),
    _rule("easyanimate", _DIT, _all(_dit(3072, "attn1"), _any("attn1_add_", "_txt_ff_"))),
    _rule("cogvideox", _DIT, _only_self_attention(1920)),
    _rule("cogvideox mochi easyanimate", _DIT, _only_self_attention(3072)),
    _rule("cogview4 cogview3", _DIT, _only_self_attention(2560)),
    # The published CogView4 and GLM-Image are as wide as both LTX, but shallower and without cross-attention.
    _rule("cogview4 glm-image ltx-video ltx-video-2", _DIT, _only_self_attention(4096)),
    _rule("cosmos", _DIT, _all(_dit(4096, "attn1"), networks.reads(1024))),
    _rule("cosmos", _DIT, _dit(5120, "attn1")),
    _rule("ltx-video ltx-video-2 cosmos", _DIT, _dit(4096, "attn1")),
    _rule("anima cosmos", _DIT, _all(_dit(2048, "attn1"), networks.reads(1024))),
    _rule("ltx-video", _DIT, _all(_dit(2048, "attn1"), networks.reads(2048))),
    _rule("ltx-video anima cosmos", _DIT, _dit(2048, "attn1")),
    _rule("allegro", _DIT, _dit(2304, "attn1")),
    _rule("stable-audio", _DIT, _dit(1536, "attn1")),
    _rule("sana-video", _DIT, _any("ff_conv_temp")),
    _rule("sana", _DIT, _all(_any("ff_conv_"), _wide(1152, last="ff_conv_inverted,to_q,to_k,to_v"))),
    # SANA-Video has a fourth convolution over time.
    _rule("sana", _DIT, _all(_any("ff_conv_inverted"), _any("ff_conv_depth"), _any("ff_conv_point"))),
    _usually("sana sana-video", _DIT, _any("ff_conv_")),
    _usually("sana sana-video", _DIT, _dit(2240, "attn1")),
    _rule("pixart", _DIT, _all(_dit(1152, "attn1"), _any("\nadaln_single_"))),
    # DiT has no cross-attention, Latte gates its MLPs, Sana has convolutions in them.
    _rule(
        "pixart",
        _DIT,
        _all(
            _dit(1152, "attn1"),
            _any("_ff_net_"),
            _any("_attn2_"),
            lambda seen: 9216 not in seen.outputs("ff_net_0_proj"),
        ),
    ),
    _rule("pixart sana", _DIT, _all(_dit(1152, "attn1"), _any("attn2_"))),
    # `layers` and `blocks`: networks in their own names.
    _rule("ernie", "layers", lambda seen: seen.matches(r"\nlayers_\d+_self_attention_to_")),
    _rule("cosmos3", "layers", _any("_self_attn_add_", "_self_attn_to_add_out", "_mlp_moe_gen_")),
    _rule("cosmos3", "layers", _wide(4096, last="_self_attn_to_q,_self_attn_to_k,_self_attn_to_v,_self_attn_to_out")),
    _rule("ace-step", "layers decoder_layers", _any("_cross_attn_to_", "_cross_attn_q_proj")),
    # Ming-Image was trained from Z-Image.
    _usually("z-image ming-image", _LAYERS, _layer_width(3840)),
    # Lumina-Next is as wide, and has two attentions in a layer.
    _rule("lumina2", _LAYERS, _all(_layer_width(2304), _not(_any("_attn1_", "_attn2_")))),
    _rule("omnigen2", _LAYERS, _layer_width(2520)),
    _rule("ideogram4", _LAYERS, _layer_width(4608)),
    _rule("bria-fibo2", _LAYERS, _layer_width(3584)),
    _rule("z-image lumina2", "noise_refiner context_refiner", lambda seen: not seen.widths(last="to_q,qkv")),
    _rule("anima", "llm_adapter_blocks"),
    _rule("krea2", "blocks", _any("attn_wq", "attn_wk", "attn_wv", "attn_wo")),
    _rule("krea2", "blocks", _wide(6144, last="mlp_gate,mlp_up")),
    _rule("minimax-h3", "blocks token_refiner token_refiner_blocks", _wide(5376)),
    _rule("prx", "blocks", _any("_img_qkv_proj\n", "_txt_kv_proj\n")),
    _rule("prx", "blocks", _wide(1792, last="_attention_to_out_0")),
    _rule("longcat-video", "blocks", _any("_cross_attn_q_linear", "_cross_attn_kv_linear")),
    _rule("longcat-video", "blocks", _wide(4096, last="_ffn_w1,_ffn_w3")),
    _rule("lingbot-video", "blocks", _all(_lingbot, _wide(2048))),
    _rule("f-lite", "blocks", _any("_cross_attn_context_kv")),
    _rule("hunyuan-dit", "blocks", _any("attn1_Wqkv", "attn2_kv_proj", "attn2_q_proj", "attn1_out_proj")),
    _rule("hunyuan-dit", "blocks", lambda seen: 1408 in seen.block_widths("blocks", "attn1_to_q,attn2_to_q")),
    # NVIDIA's own code writes these names for Cosmos-Predict2, all other programs for Anima.
    _rule("anima cosmos", "blocks", _all(_cosmos(2048), _not(_by_trainer))),
    _rule("anima", "blocks", _cosmos(2048)),
    _rule("cosmos", "blocks", _cosmos(5120, 4096)),
    # Wan-Animate 2 in diffusers' names.
    _rule("wan", "blocks", _all(_any("_self_attn_to_", "_cross_attn_to_"), _wide(5120))),
    _rule("wan", "blocks vace_blocks img_emb_proj face_adapter_fuser_blocks", _any(*_WAN)),
    # Text encoders alone.
    _rule("sdxl", "", _encoders_alone("2_text_model_encoder", 1280)),
    _rule("sd2", "", _encoders_alone("text_model_encoder", 1024)),
    # kohya numbers the text encoders of networks that have several ("lora_te1_").
    _rule("sd1", "", lambda seen: seen.encoders_begin("lora_te_text_model_encoder") and 768 in seen.encoder_widths()),
    _rule("anima", "", _encoders_alone("_layers_0_self_attn_q_proj", 1024)),
)


def rule_for(seen: LayerShapes) -> Rule | None:
    """The first matching rule, with those of its architectures that have the right size; None for unknown layers."""
    for rule in RULES:
        # A rule without containers is for files that patch text encoders only.
        if (not rule.within.isdisjoint(seen.containers) if rule.within else not seen.containers) and rule.fits(seen):
            likely = possible(rule.architectures, seen)
            # What has blocks of one stream alone is a selection, so it may be one of a larger network's.
            is_selection = bool(likely) and not is_whole(likely, seen)
            left = possible(rule.architectures, seen, is_selection=True) if is_selection else likely
            usual = left[0] if len(left) == 1 else rule.usual if rule.usual in likely else None
            return replace(rule, architectures=left, usual=usual)
    return None
