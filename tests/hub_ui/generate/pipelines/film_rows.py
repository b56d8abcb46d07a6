"""Formats of the video models, and of HunyuanImage, whose names are HunyuanVideo's."""

from tests.hub_ui.generate.pipelines import hunyuan_guided, hunyuan_video, kandinsky, ltx2, ltx_video, wan
from tests.hub_ui.generate.pipelines.files import KOHYA, KOHYA_BARE, PEFT, PEFT_DEFAULT
from tests.hub_ui.generate.pipelines.rows import UNREAD, Row, parts, rows
from tests.hub_ui.generate.pipelines.trained import as_they_are, differences, lora, spelled, with_metadata

COMFY, KOHYAS = "diffusion_model.", "lora_unet_"


def wan_rows() -> tuple[Row, ...]:
    base, own = wan.WAN_21, as_they_are(wan.BLOCKS)
    whole = {**wan.ORIGINAL, **wan.AROUND}
    single = {name: modules[0] for name, modules in wan.ORIGINAL.items()}
    comfy = lora(spelled(wan.ORIGINAL, COMFY), PEFT)
    biases = differences(single, COMFY, "diff_b", "bias")
    norms = parts(
        lora(spelled(wan.ORIGINAL, COMFY), KOHYA_BARE),
        lora(spelled(as_they_are(["patch_embedding"]), COMFY), KOHYA_BARE),
        differences(wan.NORMS, COMFY, "diff", "weight"),
        differences({**single, "blocks.0.norm3": "blocks.0.norm2"}, COMFY, "diff_b", "bias"),
    )
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("metadata", with_metadata(spelled(own, "transformer."))),
        ("comfy", lora(spelled(whole, COMFY), PEFT)),
        ("comfy-alpha", lora(spelled(wan.ORIGINAL, COMFY), KOHYA)),
        ("comfy-biases", parts(comfy, biases)),
        ("kohya", lora(spelled(wan.ORIGINAL, KOHYAS, flat=True), KOHYA)),
        ("fun", lora(spelled(whole, "lora_unet__", flat=True), KOHYA), UNREAD),
        ("distilled", norms, UNREAD),
        ("default", lora(spelled(own, ""), PEFT_DEFAULT), UNREAD),
        ("kohya-around", lora(spelled(whole, KOHYAS, flat=True), KOHYA), UNREAD),
    )


def wan_i2v_rows() -> tuple[Row, ...]:
    base = wan.WAN_I2V
    whole = {**wan.ORIGINAL, **wan.IMAGE}
    return rows(
        base,
        ("comfy", lora(spelled(whole, COMFY), PEFT)),
        ("kohya", lora(spelled(whole, KOHYAS, flat=True), KOHYA)),
        ("text-to-video", lora(spelled(wan.ORIGINAL, COMFY), PEFT)),
    )


def wan_22_rows() -> tuple[Row, ...]:
    """A file that does not say for which of the two networks it is made is the first one's, as with diffusers."""
    return rows(
        wan.WAN_22,
        ("comfy", lora(spelled(wan.ORIGINAL, COMFY), PEFT)),
        ("kohya", lora(spelled(wan.ORIGINAL, KOHYAS, flat=True), KOHYA)),
    )


def ltx_rows() -> tuple[Row, ...]:
    base, own = ltx_video.LTX_VIDEO, as_they_are(ltx_video.BLOCKS)
    around = {**own, **ltx_video.AROUND}
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("metadata", with_metadata(spelled(own, "transformer."))),
        ("comfy", lora(spelled(own, COMFY), PEFT)),
        ("comfy-around", lora(spelled(around, COMFY), PEFT), UNREAD),
        ("kohya", lora(spelled(own, KOHYAS, flat=True), KOHYA), UNREAD),
    )


def ltx2_rows() -> tuple[Row, ...]:
    base, own = ltx2.LTX_2, as_they_are(ltx2.BLOCKS)
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("comfy", lora(spelled(own, COMFY), PEFT)),
        ("kohya", lora(spelled(own, KOHYAS, flat=True), KOHYA), UNREAD),
    )


def ltx23_rows() -> tuple[Row, ...]:
    base, own = ltx2.LTX_23, as_they_are(ltx2.BLOCKS)
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("comfy", lora(spelled({**own, **ltx2.NEWER}, COMFY), PEFT)),
        ("kohya", lora(spelled({**own, **ltx2.NEWER}, KOHYAS, flat=True), KOHYA), UNREAD),
    )


def hunyuan_rows() -> tuple[Row, ...]:
    base, own = hunyuan_video.HUNYUAN_VIDEO, as_they_are(hunyuan_video.BLOCKS)
    original = {**hunyuan_video.ORIGINAL, **hunyuan_video.MODULATION}
    whole = {**original, **hunyuan_video.SINGLE_IN, **hunyuan_video.TEXT, **hunyuan_video.AROUND}
    last = lora(spelled(hunyuan_video.LAST, COMFY, swapped=True), PEFT)
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("metadata", with_metadata(spelled(own, "transformer."))),
        ("comfy", lora(spelled(original, COMFY), PEFT)),
        ("transformer", lora(spelled(original, "transformer."), PEFT)),
        ("comfy-whole", lora(spelled(whole, COMFY), PEFT), UNREAD),
        ("kohya", lora(spelled(whole, KOHYAS, flat=True), KOHYA), UNREAD),
        ("tencent", lora(spelled(original, "Hunyuan_video_I2V_lora_", flat=True), KOHYA), UNREAD),
        ("framepack", lora(spelled(own, KOHYAS, flat=True), KOHYA), UNREAD),
        ("last", last, UNREAD),
    )


def kandinsky_rows() -> tuple[Row, ...]:
    own = as_they_are(kandinsky.BLOCKS)
    return rows(kandinsky.KANDINSKY_5_T2V, ("diffusers", lora(spelled(own, "transformer."), PEFT)))


def guided_rows() -> tuple[Row, ...]:
    """diffusers has no loader for either."""
    image, video = as_they_are((*hunyuan_guided.BLOCKS, *hunyuan_guided.SINGLE)), as_they_are(hunyuan_guided.BLOCKS)
    image_file, video_file = (lora(spelled(names, "transformer."), PEFT) for names in (image, video))
    return (
        *rows(hunyuan_guided.HUNYUAN_IMAGE, ("diffusers", image_file, UNREAD)),
        *rows(hunyuan_guided.HUNYUAN_VIDEO_15, ("diffusers", video_file, UNREAD)),
    )


ROWS = [
    *wan_rows(),
    *wan_22_rows(),
    *wan_i2v_rows(),
    *ltx_rows(),
    *ltx2_rows(),
    *ltx23_rows(),
    *hunyuan_rows(),
    *guided_rows(),
    *kandinsky_rows(),
]
