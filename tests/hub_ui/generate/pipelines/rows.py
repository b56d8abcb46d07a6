"""The rows of the comparison with diffusers: files in each format that it reads, on a tiny pipeline of each network.

What diffusers does not read has no row: every name of a layer is placed on each real network in
lora/test_key_maps_real.py, and every algorithm computed in lora/test_algorithms.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from tests.hub_ui.generate.pipelines.algorithms import LYCORIS, lycoris
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.files import (
    KOHYA,
    KOHYA_BARE,
    OLD,
    OLD_TEXT,
    PEFT,
    PEFT_ALPHA,
    PEFT_BIAS,
    PEFT_DEFAULT,
    PROCESSOR,
    XLABS,
    Endings,
    Ranks,
    low_rank,
    patterned,
    replacing,
    resized,
    same,
    together,
    varied,
    weights,
    with_metadata,
)
from tests.hub_ui.generate.pipelines.frame import Base, File
from tests.hub_ui.generate.pipelines.spellings import Spelling, of_clip, original, own, processors, sai, xlabs

Make = Callable[[Any, int], File]
# Of a prefix: the layers that a file has, in names that begin with it.
Names = Callable[[str], Spelling]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`make` takes the pipeline and a seed. `alone`: why diffusers alone can't be asked; None where it can."""

    base: Base
    name: str
    make: Make
    alone: str | None = None

    def __str__(self) -> str:
        return f"{self.base} {self.name}"


def rows(base: str, alone: str | None = None, /, **makes: Make) -> tuple[Row, ...]:
    """Of one base, by their names."""
    return tuple(
        Row(base=TINY[base], name=name.replace("_", " "), make=make, alone=alone) for name, make in makes.items()
    )


def file(spelling: Spelling, endings: Endings, ranks: Ranks = same(4, 2.0)) -> Make:  # noqa: B008
    return lambda pipe, seed: low_rank(pipe, spelling(pipe), endings, seed=seed, ranks=ranks)


def parts(*makes: Make) -> Make:
    return lambda pipe, seed: together(*(make(pipe, seed + 10 * i) for i, make in enumerate(makes)))


def described(make: Make, component: str, rank_stabilised: bool = False) -> Make:
    """Of rank 4, with an alpha of 6."""
    return lambda pipe, seed: with_metadata(make(pipe, seed), component, 4, 6.0, rank_stabilised)


def in_patterns(spelling: Spelling, component: str) -> Make:
    return lambda pipe, seed: patterned(pipe, spelling(pipe), component, seed)


def with_clip(network: Spelling, endings: Endings, *prefixes: str, text: Endings | None = None) -> Make:
    """A network's layers, and those of its CLIPs, which have these prefixes and perhaps other endings."""
    clips = zip(("text_encoder", "text_encoder_2"), prefixes, strict=False)
    return parts(file(network, endings), *(file(of_clip(*clip), text or endings) for clip in clips))


def trained_by_lycoris(spelling: Spelling, algorithm: str, factor: float = 1.0) -> Make:
    return lambda pipe, seed: lycoris(pipe, spelling(pipe), LYCORIS[algorithm], seed, factor)


# By name: what is before a layer's name, with underscores in it where this ends in one; and its endings, or what a
# layer is by LyCORIS.
FRAMES: Mapping[str, tuple[str, Endings | str]] = {
    "diffusers": ("transformer.", PEFT),
    "peft": ("base_model.model.", PEFT),
    "conditional": ("conditional_transformer.", PEFT),
    "default": ("", PEFT_DEFAULT),
    "bare": ("", KOHYA),
    "comfy": ("diffusion_model.", PEFT),
    "comfy-alpha": ("diffusion_model.", PEFT_ALPHA),
    "comfy-down-up": ("diffusion_model.", KOHYA),
    "kohya": ("lora_unet_", KOHYA),
    "lokr": ("diffusion_model.", "LoKr"),
    "lokr-whole": ("diffusion_model.", "LoKr whole"),
    "lokr-bare": ("", "LoKr"),
    "lokr-lycoris": ("lycoris_", "LoKr whole"),
}


def in_frame(frame: str, names: Names) -> Make:
    """ "metadata": as diffusers saves now, alpha stands in the header."""
    if frame == "metadata":
        return described(in_frame("diffusers", names), "transformer")
    prefix, kind = FRAMES[frame]
    if isinstance(kind, Endings):
        # Ranks and alphas differ from layer to layer where the format can say so.
        return file(names(prefix), kind, varied if kind.alpha else same(4, 2.0))
    return trained_by_lycoris(names(prefix), kind, factor=1.5)


def frames(base: str, names: Names, read: str, label: str = "", alone: str | None = None) -> tuple[Row, ...]:
    """A row for each frame."""
    return tuple(
        Row(base=TINY[base], name=f"{label} {frame}".strip(), make=in_frame(frame, names), alone=alone)
        for frame in read.split()
    )


def in_diffusers(wanted: str = "", component: str = "transformer") -> Names:
    return partial(own, component, wanted=wanted)


def in_first(architecture: str, wanted: str = "", component: str = "transformer") -> Names:
    """In the names of the network's first code."""
    return partial(original, architecture, wanted=wanted, component=component)


def dora(frame: str, names: Names) -> Make:
    """Factors and a magnitude for each output, as PEFT writes them."""

    def write(pipe: Any, seed: int) -> File:
        layers = names(FRAMES[frame][0])(pipe)
        plain = low_rank(pipe, layers, PEFT, seed=seed)
        magnitudes = {}
        for layer in layers:
            [target] = layer.targets
            changed = weights(pipe, layer)[0] + plain.deltas[target.component, f"{target.module}.weight"]
            magnitudes[f"{layer.name}.lora_magnitude_vector"] = changed.norm(dim=1) * 1.2
        return File(tensors={**plain.tensors, **magnitudes}, deltas={})

    return write


def with_biases(frame: str, names: Names) -> Make:
    """Factors, and differences of biases beside them, as some distilled networks' files have."""

    def write(pipe: Any, seed: int) -> File:
        generator = torch.Generator().manual_seed(seed)
        layers = names(FRAMES[frame][0])(pipe)
        sizes = {layer.name: len(weights(pipe, layer)[0]) for layer in layers}
        biases = {f"{name}.diff_b": torch.randn(size, generator=generator) * 0.3 for name, size in sizes.items()}
        plain = low_rank(pipe, layers, PEFT, seed=seed)
        return File(tensors={**plain.tensors, **biases}, deltas={})

    return write


# SDXL has many layers; a part of them is enough where another row has all.
DEEP = r"(down_blocks\.2|mid_block|up_blocks\.1).*attentions"
ATTENTION, EVERY = r"attentions", r"attentions|resnets|samplers|conv_|embedding"
WITH_CONVOLUTIONS = r"attentions|resnets|samplers"
# Where the text encoders are in question, a few layers of the network will do.
MIDDLE = r"mid_block.*attn"


def _unet(base: str, wanted: str = ATTENTION, **more: Make) -> tuple[Row, ...]:
    kohya = file(own("unet", "lora_unet_", wanted), KOHYA, resized)
    return rows(base, kohya=kohya, diffusers=file(own("unet", "unet.", wanted), PEFT), **more)


KOHYA_MIDDLE, PEFT_MIDDLE = own("unet", "lora_unet_", MIDDLE), own("unet", "unet.", MIDDLE)
KOHYA_CONVOLUTIONS = file(own("unet", "lora_unet_", WITH_CONVOLUTIONS), KOHYA, resized)
UNETS = (
    *_unet(
        "sd1",
        kohya_with_convolutions=KOHYA_CONVOLUTIONS,
        diffusers_with_metadata=described(file(own("unet", "unet.", ATTENTION), PEFT), "unet"),
        diffusers_of_2023=file(own("unet", "unet.", r"attn[12]\."), OLD),
        attention_processors=file(processors("unet."), PROCESSOR),
        kohya_with_text_encoder=with_clip(KOHYA_MIDDLE, KOHYA, "lora_te_"),
        diffusers_with_text_encoder=with_clip(PEFT_MIDDLE, PEFT, "text_encoder."),
        diffusers_of_2023_with_text_encoder=with_clip(PEFT_MIDDLE, OLD, "text_encoder.", text=OLD_TEXT),
    ),
    *_unet(
        "sd2",
        kohya_with_convolutions=KOHYA_CONVOLUTIONS,
        kohya_with_text_encoder=with_clip(KOHYA_MIDDLE, KOHYA, "lora_te_"),
    ),
    *_unet(
        "sdxl",
        DEEP,
        every_layer_by_Stability=file(sai(wanted=EVERY), KOHYA, resized),
        kohya_with_text_encoders=with_clip(sai(wanted=MIDDLE), KOHYA, "lora_te1_", "lora_te2_"),
        diffusers_with_text_encoders=with_clip(PEFT_MIDDLE, PEFT, "text_encoder.", "text_encoder_2."),
        diffusers_with_text_encoders_and_metadata=parts(
            described(file(PEFT_MIDDLE, PEFT), "unet"),
            *(
                described(file(of_clip(reader, f"{reader}."), PEFT), reader)
                for reader in ("text_encoder", "text_encoder_2")
            ),
        ),
        ranks_and_alphas_in_patterns=in_patterns(own("unet", "unet.", DEEP), "unet"),
    ),
    *_unet("kolors"),
)

BLOCKS = r"transformer_blocks"
OF_BLOCKS = in_diffusers(BLOCKS)
SD3S = (
    *frames("sd3", OF_BLOCKS, "diffusers metadata"),
    *rows("sd3", with_text_encoders=with_clip(OF_BLOCKS("transformer."), PEFT, "text_encoder.", "text_encoder_2.")),
)
NO_LOADER = "diffusers has no loader for this pipeline"
OTHERS = (
    *frames("pixart", in_diffusers(), "diffusers", alone=NO_LOADER),
    *frames("auraflow", OF_BLOCKS, "diffusers metadata"),
    *frames("cogview4", OF_BLOCKS, "diffusers metadata"),
)

# diffusers' converter has the real network's sizes written into it for the other layers.
FLUX_BLOCKS = in_first("flux1", r"double_blocks|single_blocks.*(linear2|modulation)")
FLUX_KOHYA = in_first("chroma", r"double_blocks|single_blocks.*(linear2|modulation)")
OWN_NAMES = OF_BLOCKS("transformer.")
FLUXES = (
    *frames("flux1 dev", OF_BLOCKS, "diffusers metadata"),
    *rows(
        "flux1 dev",
        kohya=file(FLUX_BLOCKS("lora_unet_"), KOHYA, varied),
        kohya_with_CLIP=with_clip(FLUX_BLOCKS("lora_unet_"), KOHYA, "lora_te1_"),
        comfy_without_alpha=file(FLUX_BLOCKS("diffusion_model."), KOHYA_BARE),
        comfy_with_CLIP=with_clip(FLUX_BLOCKS("diffusion_model."), KOHYA, "text_encoders.clip_l.transformer."),
        diffusers_down_up=file(OWN_NAMES, KOHYA_BARE),
        metadata_of_a_rank_stabilised_LoRA=described(file(OWN_NAMES, PEFT), "transformer", rank_stabilised=True),
        ranks_and_alphas_in_patterns=in_patterns(OWN_NAMES, "transformer"),
        XLabs=file(xlabs("double.*_lora"), XLABS),
        XLabs_with_single_blocks=file(xlabs(r"double.*_lora|single.*\.(qkv|proj)$"), XLABS),
        OneTrainer=file(own("transformer", "lora_transformer_", r"^(?!.*norm).*blocks.*attn"), KOHYA),
        diffusers_with_alpha=file(OWN_NAMES, PEFT_ALPHA, varied),
        every_layer=file(own("transformer", "transformer."), PEFT),
    ),
    *frames("flux1 schnell", OF_BLOCKS, "diffusers"),
    *frames("flux1 Kontext", OF_BLOCKS, "diffusers"),
    *frames("chroma", OF_BLOCKS, "diffusers metadata"),
    *rows("chroma", kohya=file(FLUX_KOHYA("lora_unet_"), KOHYA, varied)),
)

# Formats of the models of after FLUX.1, of images and of videos.
ANIMA, ANIMA_CONDITIONER = in_first("anima", "blocks|final_layer|x_embedder"), partial(own, "text_conditioner")
# Without the last modulation, whose halves change places, and the guidance.
FLUX_2 = in_first("flux2", r"blocks|^(img|txt|time)_in|final_layer\.linear")
HUNYUAN = in_first("hunyuan-video", r"double_blocks.*(attn|mlp|mod)|single_blocks.*(modulation|linear2)")
WAN = in_first("wan", r"blocks.*(attn|ffn)")
LTX_2 = in_diffusers(r"transformer_blocks.*(to_[qkv]|to_out|ff\.)")
TRANSFORMERS = (
    *frames("flux2_klein", OF_BLOCKS, "diffusers metadata lokr-lycoris lokr-bare"),
    *frames("flux2_klein", FLUX_2, "kohya"),
    *frames("flux2_klein", in_first("flux2", r"^(?!.*adaLN)"), "comfy peft"),
    *frames("flux2_klein", in_first("flux2", r"^(double|single)_blocks.*(proj|mlp|linear)"), "lokr lokr-whole"),
    *frames("flux2_dev", OF_BLOCKS, "diffusers"),
    *frames("flux2_dev", in_first("flux2", "blocks"), "kohya"),
    *frames("flux2_dev", in_first("flux2", r"^(?!.*adaLN)"), "comfy"),
    *frames("flux3 klein", in_diffusers("blocks"), "diffusers"),
    *frames("flux3 klein", in_first("flux3", "blocks"), "comfy"),
    *frames("flux3 klein-base", in_first("flux3", "blocks"), "comfy"),
    *frames("qwen_image", in_diffusers(), "diffusers kohya comfy"),
    *frames("qwen_image", OF_BLOCKS, "metadata comfy-alpha default bare"),
    *frames("z_image", in_diffusers(), "diffusers comfy"),
    *frames("z_image", in_diffusers(r"layers|refiner"), "metadata kohya comfy-alpha default"),
    *frames("z_image", in_first("z-image", r"layers|refiner"), "kohya", "fused"),
    *frames("z_image", in_diffusers(r"attention\."), "lokr lokr-whole"),
    # diffusers cuts the fused layers at the real network's width, and knows kohya's names not at all.
    *frames("lumina2", in_diffusers(r"layers|refiner"), "diffusers metadata"),
    *frames("sana", in_diffusers(r"attn|time_embed\.linear|caption_projection|proj_out"), "diffusers metadata"),
    *frames("sana", in_diffusers(r"conv_(inverted|point)|patch_embed"), "diffusers", "convolutions"),
    *frames("hidream", in_diffusers(r"stream_blocks|caption_projection|final_layer"), "diffusers metadata comfy"),
    *frames("anima", in_diffusers(), "metadata"),
    *rows(
        "anima",
        conditioner_diffusers=parts(
            in_frame("diffusers", in_diffusers()), file(ANIMA_CONDITIONER("text_conditioner."), PEFT)
        ),
        conditioner_comfy=parts(
            in_frame("comfy", ANIMA), file(ANIMA_CONDITIONER("diffusion_model.llm_adapter."), PEFT)
        ),
    ),
    *frames("krea2", in_diffusers(), "diffusers metadata"),
    *frames("krea2", in_first("krea2"), "comfy peft"),
    *frames("ernie", in_diffusers("layers"), "diffusers comfy"),
    *frames("kandinsky5", in_diffusers(BLOCKS), "diffusers metadata"),
    *frames("ideogram4", in_diffusers("layers"), "diffusers"),
    *frames("ideogram4", in_first("ideogram4", "layers"), "comfy-alpha conditional"),
    *frames("fibo2", in_diffusers(r"layers"), "diffusers"),
    *frames("wan_21", in_diffusers(r"blocks"), "diffusers metadata"),
    *frames("wan_21", in_first("wan", r"blocks.*(attn|ffn)|_embedding|time_projection|head"), "comfy"),
    *frames("wan_21", WAN, "comfy-down-up kohya"),
    *rows("wan_21", biases_comfy=with_biases("comfy", WAN)),
    # A file that does not say for which of the two networks it is made is the first one's, as with diffusers.
    *frames("wan_22", WAN, "comfy kohya"),
    *frames("wan_i2v", WAN, "comfy kohya"),
    *frames("wan_i2v", in_first("wan", r"blocks.*(attn\.[qkvo]$|ffn)"), "comfy", "text-to-video"),
    *frames("ltx_video", OF_BLOCKS, "diffusers metadata comfy"),
    *frames("ltx2", LTX_2, "diffusers comfy"),
    *frames("ltx23", LTX_2, "diffusers"),
    *frames("ltx23", in_first("ltx-video-2", r"transformer_blocks.*(to_|ff\.)|prompt_adaln"), "comfy"),
    *frames("hunyuan_video", in_diffusers(r"^(single_)?transformer_blocks"), "diffusers metadata"),
    *frames("hunyuan_video", HUNYUAN, "comfy diffusers", "original"),
    *frames("hunyuan_image", in_diffusers(r"^(single_)?transformer_blocks"), "diffusers", alone=NO_LOADER),
    *frames("hunyuan_video_15", in_diffusers(r"^transformer_blocks"), "diffusers", alone=NO_LOADER),
    *frames("kandinsky5_t2v", in_diffusers(BLOCKS), "diffusers"),
)
DORA = Row(base=TINY["qwen_image"], name="dora", make=dora("diffusers", OF_BLOCKS))
ERNIE_DORA = Row(base=TINY["ernie"], name="dora", make=dora("comfy", in_diffusers("layers")))


def widen(pipe: Any) -> Any:
    """By hand what a control LoRA asks for: a first layer of twice the inputs, the new ones without effect as yet."""
    narrow = pipe.transformer.x_embedder
    wide = torch.nn.Linear(2 * narrow.in_features, narrow.out_features)
    with torch.no_grad():
        wide.weight.copy_(torch.cat([narrow.weight, torch.zeros_like(narrow.weight)], dim=1))
        wide.bias.copy_(narrow.bias)
    pipe.transformer.x_embedder = wide
    pipe.transformer.register_to_config(in_channels=wide.in_features)
    return pipe


def control_of_diffusers(wide: Any, seed: int) -> File:
    """As diffusers' script trains it. `wide` has the widened first layer."""
    return file(own("transformer", "transformer.", r"^x_embedder|attn|ff\."), PEFT)(wide, seed)


def control_of_bfl(wide: Any, seed: int) -> File:
    """As Black Forest Labs have published theirs: biases, and norms that take the place of the base's."""
    norms = {
        f"{block}.{i}.{kind}norm.{which}_norm.scale": f"{ours}.{i}.attn.norm_{added}{which[0]}.weight"
        for block, kind, ours, added in (
            ("double_blocks", "img_attn.", "transformer_blocks", ""),
            ("double_blocks", "txt_attn.", "transformer_blocks", "added_"),
            ("single_blocks", "", "single_transformer_blocks", ""),
        )
        for i in range(2)
        for which in ("query", "key")
    }
    whole = file(original("flux1", ""), PEFT_BIAS)(wide, seed)
    return together(whole, replacing(wide, "transformer", norms, seed))


WORKED_OUT = "diffusers reads plain factors only; alpha / rank once is what LyCORIS trains with and ComfyUI applies"
ALGORITHMS = tuple(
    Row(
        base=TINY["sd1"],
        name=name,
        make=trained_by_lycoris(own("unet", "lora_unet_", WITH_CONVOLUTIONS), name),
        alone=WORKED_OUT,
    )
    for name in LYCORIS
)
