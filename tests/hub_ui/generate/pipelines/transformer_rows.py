"""Formats of the models of after FLUX.1, of images and of videos."""

from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.rows import (
    UNREAD,
    Row,
    differences,
    dora,
    frames,
    in_frame,
    own_names,
    parts,
    rows,
)
from tests.hub_ui.generate.pipelines.spellings import layers

FLUX_2, FLUX_2_BLOCKS = layers("flux2.original", "flux2.around"), own_names(layers("flux2.original"))
FLUX_2_SINGLE = {name: modules for name, modules in layers("flux2.original").items() if len(modules) == 1}
FLUX_2_FUSED = {name: modules for name, modules in layers("flux2.original").items() if len(modules) > 1}
# By musubi-tuner's converter.
FLUX_2_CONVERTED = {name.replace("attn.", "attn_"): modules for name, modules in layers("flux2.original").items()}
QWEN = layers("qwen_image.blocks")
Z_IMAGE = layers("z_image.attention", "z_image.rest")
ANIMA = layers("anima.blocks", "anima.around")
ANIMA_TEXT = in_frame("kohya-text", layers("anima.text"), component="text_encoder")
ANIMA_CONDITIONER = {
    frame: in_frame(frame, layers("anima.conditioner"), within=within, component="text_conditioner")
    for frame, within in (("component", "text_conditioner."), ("comfy", "llm_adapter."), ("kohya", "llm_adapter."))
}
HUNYUAN = layers("hunyuan_video.original", "hunyuan_video.modulation")
HUNYUAN_WHOLE = {**HUNYUAN, **layers("hunyuan_video.single_in", "hunyuan_video.text", "hunyuan_video.around")}
WAN = layers("wan.original")
WAN_BIASES = parts(in_frame("comfy", WAN), differences(WAN, "diff_b", "bias"))
WAN_DISTILLED = parts(
    in_frame("comfy-without-alpha", WAN),
    in_frame("comfy-without-alpha", {"patch_embedding": ("patch_embedding",)}),
    differences(layers("wan.norms"), "diff", "weight"),
    differences({**WAN, "blocks.0.norm3": ("blocks.0.norm2",)}, "diff_b", "bias"),
)
ROWS = (
    *frames("flux2_klein", FLUX_2_BLOCKS, "diffusers metadata lokr-lycoris lokr-bare"),
    *frames("flux2_klein", FLUX_2, "kohya"),
    *frames("flux2_klein", {**FLUX_2, **layers("flux2.modulation")}, "comfy peft", "comfy-alpha comfy-down-up"),
    *frames("flux2_klein", FLUX_2_SINGLE, "lokr lokr-whole", "lokr-kohya"),
    *frames("flux2_klein", FLUX_2_FUSED, "", "lokr", "fused"),
    *frames("flux2_klein", FLUX_2_CONVERTED, "", "comfy", "converted"),
    *frames("flux2_klein", layers("flux2.last"), "", "comfy", "last"),
    *frames("flux2_dev", FLUX_2_BLOCKS, "diffusers"),
    *frames("flux2_dev", layers("flux2.original"), "kohya"),
    *frames("flux2_dev", {**FLUX_2, **layers("flux2.modulation", "flux2.guidance")}, "comfy"),
    *frames("flux3 klein", own_names(layers("flux3.original")), "diffusers"),
    *frames("flux3 klein", layers("flux3.original"), "comfy", "kohya"),
    *frames("flux3 klein-base", layers("flux3.original"), "comfy"),
    *frames("qwen_image", {**QWEN, **layers("qwen_image.around")}, "diffusers kohya comfy"),
    *frames(
        "qwen_image",
        QWEN,
        "metadata comfy-alpha default bare",
        "lokr lokr-lycoris lokr-kohya lycoris onetrainer",
    ),
    *frames("z_image", {**Z_IMAGE, **layers("z_image.around")}, "diffusers comfy"),
    *frames("z_image", Z_IMAGE, "metadata kohya comfy-alpha default"),
    *frames("z_image", layers("z_image.original"), "kohya", "comfy", "fused"),
    *frames("z_image", layers("z_image.attention"), "lokr lokr-whole", "lokr-kohya"),
    # diffusers cuts the fused layers at the real network's width, and knows kohya's names not at all.
    *frames("lumina2", own_names(layers("lumina2.original")), "diffusers metadata"),
    *frames("lumina2", layers("lumina2.original", "lumina2.around"), "", "comfy kohya"),
    *frames("sana", layers("sana.blocks", "sana.around"), "diffusers metadata", "lycoris default"),
    *frames("sana", layers("sana.convolutions"), "diffusers", label="convolutions"),
    *frames("hidream", layers("hidream.blocks"), "diffusers metadata comfy", "kohya lokr-lycoris"),
    *frames("anima", own_names(ANIMA), "metadata"),
    *frames("anima", ANIMA, "", "kohya comfy-down-up"),
    *frames("anima", layers("anima.blocks"), "", "lokr"),
    *rows(
        "anima",
        ("conditioner diffusers", parts(in_frame("diffusers", own_names(ANIMA)), ANIMA_CONDITIONER["component"])),
        ("conditioner comfy", parts(in_frame("comfy", ANIMA), ANIMA_CONDITIONER["comfy"])),
        ("conditioner kohya", parts(in_frame("kohya", ANIMA), ANIMA_CONDITIONER["kohya"]), UNREAD),
        ("text kohya", parts(in_frame("kohya", ANIMA), ANIMA_TEXT), UNREAD),
    ),
    *frames("krea2", own_names(layers("krea2.original")), "diffusers metadata"),
    *frames("krea2", layers("krea2.original"), "comfy peft", "kohya"),
    *frames("ernie", layers("ernie.blocks"), "diffusers comfy", "kohya lokr-lycoris"),
    *frames("kandinsky5", layers("kandinsky.blocks"), "diffusers metadata", "comfy kohya"),
    *frames("ideogram4", layers("ideogram.blocks"), "diffusers"),
    *frames("ideogram4", layers("ideogram.original"), "comfy-alpha conditional", "kohya"),
    *frames("fibo2", layers("fibo2.blocks"), "diffusers"),
    *frames("fibo2", layers("fibo2.original"), "", "comfy kohya"),
    *frames("wan_21", own_names(WAN), "diffusers metadata", "default"),
    *frames("wan_21", {**WAN, **layers("wan.around")}, "comfy", "fun kohya"),
    *frames("wan_21", WAN, "comfy-down-up kohya"),
    *rows("wan_21", ("biases comfy", WAN_BIASES), ("distilled", WAN_DISTILLED, UNREAD)),
    # A file that does not say for which of the two networks it is made is the first one's, as with diffusers.
    *frames("wan_22", WAN, "comfy kohya"),
    *frames("wan_i2v", {**WAN, **layers("wan.image")}, "comfy kohya"),
    *frames("wan_i2v", WAN, "comfy", label="text-to-video"),
    *frames("ltx_video", layers("ltx_video.blocks"), "diffusers metadata comfy", "kohya"),
    *frames("ltx_video", layers("ltx_video.blocks", "ltx_video.around"), "", "comfy"),
    *frames("ltx2", layers("ltx2.blocks"), "diffusers comfy", "kohya"),
    *frames("ltx23", layers("ltx2.blocks"), "diffusers"),
    *frames("ltx23", layers("ltx2.blocks", "ltx2.newer"), "comfy", "kohya"),
    *frames("hunyuan_video", layers("hunyuan_video.blocks"), "diffusers metadata", "kohya"),
    *frames("hunyuan_video", HUNYUAN, "comfy diffusers", "tencent", "original"),
    *frames("hunyuan_video", HUNYUAN_WHOLE, "", "comfy kohya", "whole"),
    *frames("hunyuan_video", layers("hunyuan_video.last"), "", "comfy", "last"),
    # diffusers has no loader for these two.
    *frames("hunyuan_image", layers("hunyuan_guided.blocks", "hunyuan_guided.single"), "", "diffusers"),
    *frames("hunyuan_video_15", layers("hunyuan_guided.blocks"), "", "diffusers"),
    *frames("kandinsky5_t2v", layers("kandinsky.blocks"), "diffusers"),
)
DORA = Row(base=TINY["qwen_image"], name="dora", make=dora("diffusers", QWEN))
ERNIE_DORA = Row(base=TINY["ernie"], name="dora", make=dora("comfy", layers("ernie.blocks")))
