"""Formats of Wan, LTX-Video, LTX-2, HunyuanVideo, and of HunyuanImage, whose names are the same."""

from __future__ import annotations

from tests.hub_ui.generate.pipelines import hunyuan_guided, hunyuan_video, ltx2, ltx_video, wan
from tests.hub_ui.generate.pipelines.files import KOHYA, KOHYA_BARE, PEFT, PEFT_DEFAULT
from tests.hub_ui.generate.pipelines.trained import Row, all_of, as_they_are, differences, lora, spelled, with_metadata

COMFY, KOHYAS = "diffusion_model.", "lora_unet_"


def wan_rows() -> list[Row]:
    base, own = wan.WAN_21, as_they_are(wan.BLOCKS)
    whole = {**wan.ORIGINAL, **wan.AROUND}
    single = {name: modules[0] for name, modules in wan.ORIGINAL.items()}
    comfy = lora(spelled(wan.ORIGINAL, COMFY), PEFT)
    biases = differences(single, COMFY, "diff_b", "bias")
    norms = all_of(
        lora(spelled(wan.ORIGINAL, COMFY), KOHYA_BARE),
        lora(spelled(as_they_are(["patch_embedding"]), COMFY), KOHYA_BARE),
        differences(wan.NORMS, COMFY, "diff", "weight"),
        differences({**single, "blocks.0.norm3": "blocks.0.norm2"}, COMFY, "diff_b", "bias"),
    )
    return [
        Row(base=base, label="diffusers", file=lora(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="metadata", file=with_metadata(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="comfy", file=lora(spelled(whole, COMFY), PEFT)),
        Row(base=base, label="comfy-alpha", file=lora(spelled(wan.ORIGINAL, COMFY), KOHYA)),
        Row(base=base, label="comfy-biases", file=all_of(comfy, biases)),
        Row(base=base, label="kohya", file=lora(spelled(wan.ORIGINAL, KOHYAS, flat=True), KOHYA)),
        Row(base=base, label="fun", file=lora(spelled(whole, "lora_unet__", flat=True), KOHYA), loads=False),
        Row(base=base, label="distilled", file=norms, loads=False),
        Row(base=base, label="default", file=lora(spelled(own, ""), PEFT_DEFAULT), loads=False),
        Row(base=base, label="kohya-around", file=lora(spelled(whole, KOHYAS, flat=True), KOHYA), loads=False),
    ]


def wan_i2v_rows() -> list[Row]:
    base = wan.WAN_I2V
    whole = {**wan.ORIGINAL, **wan.IMAGE}
    return [
        Row(base=base, label="comfy", file=lora(spelled(whole, COMFY), PEFT)),
        Row(base=base, label="kohya", file=lora(spelled(whole, KOHYAS, flat=True), KOHYA)),
        Row(base=base, label="text-to-video", file=lora(spelled(wan.ORIGINAL, COMFY), PEFT)),
    ]


def wan_22_rows() -> list[Row]:
    """A file that does not say for which of the two networks it is made is the first one's, as with diffusers."""
    return [
        Row(base=wan.WAN_22, label="comfy", file=lora(spelled(wan.ORIGINAL, COMFY), PEFT)),
        Row(base=wan.WAN_22, label="kohya", file=lora(spelled(wan.ORIGINAL, KOHYAS, flat=True), KOHYA)),
    ]


def ltx_rows() -> list[Row]:
    base, own = ltx_video.LTX_VIDEO, as_they_are(ltx_video.BLOCKS)
    around = {**own, **ltx_video.AROUND}
    return [
        Row(base=base, label="diffusers", file=lora(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="metadata", file=with_metadata(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="comfy", file=lora(spelled(own, COMFY), PEFT)),
        Row(base=base, label="comfy-around", file=lora(spelled(around, COMFY), PEFT), loads=False),
        Row(base=base, label="kohya", file=lora(spelled(own, KOHYAS, flat=True), KOHYA), loads=False),
    ]


def ltx2_rows() -> list[Row]:
    base, own = ltx2.LTX_2, as_they_are(ltx2.BLOCKS)
    return [
        Row(base=base, label="diffusers", file=lora(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="comfy", file=lora(spelled(own, COMFY), PEFT)),
        Row(base=base, label="kohya", file=lora(spelled(own, KOHYAS, flat=True), KOHYA), loads=False),
    ]


def hunyuan_rows() -> list[Row]:
    base, own = hunyuan_video.HUNYUAN_VIDEO, as_they_are(hunyuan_video.BLOCKS)
    original = {**hunyuan_video.ORIGINAL, **hunyuan_video.MODULATION}
    whole = {**original, **hunyuan_video.SINGLE_IN, **hunyuan_video.TEXT, **hunyuan_video.AROUND}
    last = lora(spelled(hunyuan_video.LAST, COMFY, swapped=True), PEFT)
    return [
        Row(base=base, label="diffusers", file=lora(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="metadata", file=with_metadata(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="comfy", file=lora(spelled(original, COMFY), PEFT)),
        Row(base=base, label="transformer", file=lora(spelled(original, "transformer."), PEFT)),
        Row(base=base, label="comfy-whole", file=lora(spelled(whole, COMFY), PEFT), loads=False),
        Row(base=base, label="kohya", file=lora(spelled(whole, KOHYAS, flat=True), KOHYA), loads=False),
        Row(
            base=base, label="tencent", loads=False,
            file=lora(spelled(original, "Hunyuan_video_I2V_lora_", flat=True), KOHYA),
        ),
        Row(base=base, label="framepack", file=lora(spelled(own, KOHYAS, flat=True), KOHYA), loads=False),
        Row(base=base, label="last", file=last, loads=False),
    ]  # fmt: skip


def guided_rows() -> list[Row]:
    """diffusers has no loader for either."""
    image, video = as_they_are((*hunyuan_guided.BLOCKS, *hunyuan_guided.SINGLE)), as_they_are(hunyuan_guided.BLOCKS)
    image_file, video_file = (lora(spelled(names, "transformer."), PEFT) for names in (image, video))
    return [
        Row(base=hunyuan_guided.HUNYUAN_IMAGE, label="diffusers", file=image_file, loads=False),
        Row(base=hunyuan_guided.HUNYUAN_VIDEO_15, label="diffusers", file=video_file, loads=False),
    ]


ROWS = [*wan_rows(), *wan_22_rows(), *wan_i2v_rows(), *ltx_rows(), *ltx2_rows(), *hunyuan_rows(), *guided_rows()]
