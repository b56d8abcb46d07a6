"""Formats of the models of after FLUX.1, of images and of videos."""

from tests.hub_ui.generate.pipelines import (
    anima,
    ernie,
    fibo2,
    flux2,
    flux3,
    hidream,
    hunyuan_guided,
    hunyuan_video,
    ideogram,
    kandinsky,
    krea2,
    ltx2,
    ltx_video,
    lumina2,
    qwen_image,
    sana,
    wan,
    z_image,
)
from tests.hub_ui.generate.pipelines.rows import UNREAD, Row, parts, rows
from tests.hub_ui.generate.pipelines.trained import as_they_are, differences, dora, frames, in_frame

FLUX_2 = {**flux2.ORIGINAL, **flux2.AROUND}
FLUX_2_SINGLE = {name: modules for name, modules in flux2.ORIGINAL.items() if len(modules) == 1}
FLUX_2_FUSED = {name: modules for name, modules in flux2.ORIGINAL.items() if len(modules) > 1}
# By musubi-tuner's converter.
FLUX_2_CONVERTED = {name.replace("attn.", "attn_"): modules for name, modules in flux2.ORIGINAL.items()}
QWEN_WHOLE = (*qwen_image.BLOCKS, *qwen_image.AROUND)
Z_IMAGE_OWN = (*z_image.ATTENTION, *z_image.REST)
Z_IMAGE_WHOLE = (*Z_IMAGE_OWN, *z_image.AROUND)
ANIMA_TEXT = in_frame("kohya-text", anima.TEXT, component="text_encoder")
ANIMA_CONDITIONER = {
    frame: in_frame(frame, anima.CONDITIONER, within=within, component="text_conditioner")
    for frame, within in (("component", "text_conditioner."), ("comfy", "llm_adapter."), ("kohya", "llm_adapter."))
}
HUNYUAN = {**hunyuan_video.ORIGINAL, **hunyuan_video.MODULATION}
HUNYUAN_WHOLE = {**HUNYUAN, **hunyuan_video.SINGLE_IN, **hunyuan_video.TEXT, **hunyuan_video.AROUND}
WAN_WHOLE, WAN_SINGLE = {**wan.ORIGINAL, **wan.AROUND}, {name: modules[0] for name, modules in wan.ORIGINAL.items()}
WAN_BIASES = parts(in_frame("comfy", wan.ORIGINAL), differences(WAN_SINGLE, "diff_b", "bias"))
WAN_DISTILLED = parts(
    in_frame("comfy-without-alpha", wan.ORIGINAL),
    in_frame("comfy-without-alpha", ["patch_embedding"]),
    differences(wan.NORMS, "diff", "weight"),
    differences({**WAN_SINGLE, "blocks.0.norm3": "blocks.0.norm2"}, "diff_b", "bias"),
)
ROWS = (
    *frames(flux2.KLEIN, flux2.BLOCKS, "diffusers metadata lokr-lycoris lokr-bare"),
    *frames(flux2.KLEIN, FLUX_2, "kohya"),
    *frames(flux2.KLEIN, {**FLUX_2, **flux2.MODULATION}, "comfy peft", "comfy-alpha comfy-down-up"),
    *frames(flux2.KLEIN, FLUX_2_SINGLE, "lokr lokr-whole", "lokr-kohya"),
    *frames(flux2.KLEIN, FLUX_2_FUSED, "", "lokr", "fused"),
    *frames(flux2.KLEIN, FLUX_2_CONVERTED, "", "comfy", "converted"),
    *frames(flux2.KLEIN, flux2.LAST, "", "comfy", "last", swapped=True),
    *frames(flux2.DEV, flux2.BLOCKS, "diffusers"),
    *frames(flux2.DEV, flux2.ORIGINAL, "kohya"),
    *frames(flux2.DEV, {**FLUX_2, **flux2.MODULATION, **flux2.GUIDANCE}, "comfy"),
    *frames(flux3.KLEIN, flux3.BLOCKS, "diffusers"),
    *frames(flux3.KLEIN, flux3.ORIGINAL, "comfy", "kohya"),
    *frames(flux3.KLEIN_BASE, flux3.ORIGINAL, "comfy"),
    *frames(qwen_image.QWEN_IMAGE, QWEN_WHOLE, "diffusers kohya comfy"),
    *frames(
        qwen_image.QWEN_IMAGE,
        qwen_image.BLOCKS,
        "metadata comfy-alpha default bare",
        "lokr lokr-lycoris lokr-kohya lycoris onetrainer",
    ),
    *frames(z_image.Z_IMAGE, Z_IMAGE_WHOLE, "diffusers comfy"),
    *frames(z_image.Z_IMAGE, Z_IMAGE_OWN, "metadata kohya comfy-alpha default"),
    *frames(z_image.Z_IMAGE, z_image.ORIGINAL, "kohya", "comfy", "fused"),
    *frames(z_image.Z_IMAGE, z_image.ATTENTION, "lokr lokr-whole", "lokr-kohya"),
    # diffusers cuts the fused layers at the real network's width, and knows kohya's names not at all.
    *frames(lumina2.LUMINA2, lumina2.BLOCKS, "diffusers metadata"),
    *frames(lumina2.LUMINA2, {**lumina2.ORIGINAL, **lumina2.AROUND}, "", "comfy kohya"),
    *frames(sana.SANA, (*sana.BLOCKS, *sana.AROUND), "diffusers metadata", "lycoris default"),
    *frames(sana.SANA, sana.CONVOLUTIONS, "diffusers", label="convolutions"),
    *frames(hidream.HIDREAM, hidream.BLOCKS, "diffusers metadata comfy", "kohya lokr-lycoris"),
    *frames(anima.ANIMA, anima.MODULES, "metadata"),
    *frames(anima.ANIMA, anima.ORIGINAL, "", "kohya comfy-down-up"),
    *frames(anima.ANIMA, anima.BLOCKS, "", "lokr"),
    *rows(
        anima.ANIMA,
        ("conditioner diffusers", parts(in_frame("diffusers", anima.MODULES), ANIMA_CONDITIONER["component"])),
        ("conditioner comfy", parts(in_frame("comfy", anima.ORIGINAL), ANIMA_CONDITIONER["comfy"])),
        ("conditioner kohya", parts(in_frame("kohya", anima.ORIGINAL), ANIMA_CONDITIONER["kohya"]), UNREAD),
        ("text kohya", parts(in_frame("kohya", anima.ORIGINAL), ANIMA_TEXT), UNREAD),
    ),
    *frames(krea2.KREA2, krea2.MODULES, "diffusers metadata"),
    *frames(krea2.KREA2, krea2.ORIGINAL, "comfy peft", "kohya"),
    *frames(ernie.ERNIE, ernie.BLOCKS, "diffusers comfy", "kohya lokr-lycoris"),
    *frames(kandinsky.KANDINSKY_5, kandinsky.BLOCKS, "diffusers metadata", "comfy kohya"),
    *frames(ideogram.IDEOGRAM_4, ideogram.BLOCKS, "diffusers"),
    *frames(ideogram.IDEOGRAM_4, ideogram.ORIGINAL, "comfy-alpha conditional", "kohya"),
    *frames(fibo2.FIBO_2, fibo2.BLOCKS, "diffusers"),
    *frames(fibo2.FIBO_2, fibo2.ORIGINAL, "", "comfy kohya"),
    *frames(wan.WAN_21, wan.BLOCKS, "diffusers metadata", "default"),
    *frames(wan.WAN_21, WAN_WHOLE, "comfy", "fun kohya"),
    *frames(wan.WAN_21, wan.ORIGINAL, "comfy-down-up kohya"),
    *rows(wan.WAN_21, ("biases comfy", WAN_BIASES), ("distilled", WAN_DISTILLED, UNREAD)),
    # A file that does not say for which of the two networks it is made is the first one's, as with diffusers.
    *frames(wan.WAN_22, wan.ORIGINAL, "comfy kohya"),
    *frames(wan.WAN_I2V, {**wan.ORIGINAL, **wan.IMAGE}, "comfy kohya"),
    *frames(wan.WAN_I2V, wan.ORIGINAL, "comfy", label="text-to-video"),
    *frames(ltx_video.LTX_VIDEO, ltx_video.BLOCKS, "diffusers metadata comfy", "kohya"),
    *frames(ltx_video.LTX_VIDEO, {**as_they_are(ltx_video.BLOCKS), **ltx_video.AROUND}, "", "comfy"),
    *frames(ltx2.LTX_2, ltx2.BLOCKS, "diffusers comfy", "kohya"),
    *frames(ltx2.LTX_23, ltx2.BLOCKS, "diffusers"),
    *frames(ltx2.LTX_23, {**as_they_are(ltx2.BLOCKS), **ltx2.NEWER}, "comfy", "kohya"),
    *frames(hunyuan_video.HUNYUAN_VIDEO, hunyuan_video.BLOCKS, "diffusers metadata", "kohya"),
    *frames(hunyuan_video.HUNYUAN_VIDEO, HUNYUAN, "comfy diffusers", "tencent", "original"),
    *frames(hunyuan_video.HUNYUAN_VIDEO, HUNYUAN_WHOLE, "", "comfy kohya", "whole"),
    *frames(hunyuan_video.HUNYUAN_VIDEO, hunyuan_video.LAST, "", "comfy", "last", swapped=True),
    # diffusers has no loader for these two.
    *frames(hunyuan_guided.HUNYUAN_IMAGE, (*hunyuan_guided.BLOCKS, *hunyuan_guided.SINGLE), "", "diffusers"),
    *frames(hunyuan_guided.HUNYUAN_VIDEO_15, hunyuan_guided.BLOCKS, "", "diffusers"),
    *frames(kandinsky.KANDINSKY_5_T2V, kandinsky.BLOCKS, "diffusers"),
)
DORA = Row(base=qwen_image.QWEN_IMAGE, name="dora", make=dora("diffusers", qwen_image.BLOCKS))
ERNIE_DORA = Row(base=ernie.ERNIE, name="dora", make=dora("comfy", ernie.BLOCKS))
