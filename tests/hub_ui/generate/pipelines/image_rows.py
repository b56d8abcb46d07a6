"""Formats of FLUX.2, Qwen-Image, Z-Image, Lumina 2, Sana, HiDream, Anima and Krea 2."""

from __future__ import annotations

from tests.hub_ui.generate.pipelines import anima, flux2, hidream, krea2, lumina2, qwen_image, sana, z_image
from tests.hub_ui.generate.pipelines.files import KOHYA, PEFT, PEFT_ALPHA, PEFT_DEFAULT
from tests.hub_ui.generate.pipelines.trained import Row, all_of, as_they_are, dora, lokr, lora, spelled, with_metadata

COMFY, KOHYAS, LYCORIS, ONETRAINER = "diffusion_model.", "lora_unet_", "lycoris_", "lora_transformer_"


def flux2_rows() -> list[Row]:
    base, own = flux2.KLEIN, as_they_are(flux2.BLOCKS)
    original = {**flux2.ORIGINAL, **flux2.AROUND}
    whole = {**original, **flux2.MODULATION}
    single = {name: modules for name, modules in flux2.ORIGINAL.items() if len(modules) == 1}
    fused = {name: modules for name, modules in flux2.ORIGINAL.items() if len(modules) > 1}
    converted = {name.replace("attn.", "attn_"): modules for name, modules in flux2.ORIGINAL.items()}
    return [
        Row(base=base, label="diffusers", file=lora(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="metadata", file=with_metadata(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="kohya", file=lora(spelled(original, KOHYAS, flat=True), KOHYA)),
        Row(base=base, label="comfy", file=lora(spelled(whole, COMFY), PEFT)),
        Row(base=base, label="peft", file=lora(spelled(whole, "base_model.model."), PEFT)),
        Row(base=base, label="lokr", file=lokr(spelled(single, COMFY), whole=False)),
        Row(base=base, label="lokr-whole", file=lokr(spelled(single, COMFY), whole=True)),
        Row(base=base, label="lokr-lycoris", file=lokr(spelled(own, LYCORIS, flat=True), whole=True)),
        Row(base=base, label="lokr-bare", file=lokr(spelled(own, ""), whole=False)),
        Row(base=base, label="lokr-fused", file=lokr(spelled(fused, COMFY), whole=False), loads=False),
        Row(base=base, label="lokr-kohya", file=lokr(spelled(single, KOHYAS, flat=True), whole=True), loads=False),
        Row(base=base, label="comfy-alpha", file=lora(spelled(whole, COMFY), PEFT_ALPHA), loads=False),
        Row(base=base, label="comfy-down-up", file=lora(spelled(whole, COMFY), KOHYA), loads=False),
        Row(base=base, label="musubi-converted", file=lora(spelled(converted, COMFY), PEFT), loads=False),
        Row(base=base, label="last", file=lora(spelled(flux2.LAST, COMFY, swapped=True), PEFT), loads=False),
    ]


def flux2_dev_rows() -> list[Row]:
    base, own = flux2.DEV, as_they_are(flux2.BLOCKS)
    whole = {**flux2.ORIGINAL, **flux2.AROUND, **flux2.MODULATION, **flux2.GUIDANCE}
    return [
        Row(base=base, label="diffusers", file=lora(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="kohya", file=lora(spelled(flux2.ORIGINAL, KOHYAS, flat=True), KOHYA)),
        Row(base=base, label="comfy", file=lora(spelled(whole, COMFY), PEFT)),
    ]


def qwen_rows() -> list[Row]:
    base, own = qwen_image.QWEN_IMAGE, as_they_are(qwen_image.BLOCKS)
    whole = {**own, **as_they_are(qwen_image.AROUND)}
    return [
        Row(base=base, label="diffusers", file=lora(spelled(whole, "transformer."), PEFT)),
        Row(base=base, label="metadata", file=with_metadata(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="kohya", file=lora(spelled(whole, KOHYAS, flat=True), KOHYA)),
        Row(base=base, label="comfy", file=lora(spelled(whole, COMFY), PEFT)),
        Row(base=base, label="comfy-alpha", file=lora(spelled(own, COMFY), PEFT_ALPHA)),
        Row(base=base, label="default", file=lora(spelled(own, ""), PEFT_DEFAULT)),
        Row(base=base, label="bare", file=lora(spelled(own, ""), KOHYA)),
        Row(base=base, label="lokr", file=lokr(spelled(own, COMFY), whole=False), loads=False),
        Row(base=base, label="lokr-lycoris", file=lokr(spelled(own, LYCORIS, flat=True), whole=True), loads=False),
        Row(base=base, label="lokr-kohya", file=lokr(spelled(own, KOHYAS, flat=True), whole=True), loads=False),
        Row(base=base, label="lycoris", file=lora(spelled(own, LYCORIS, flat=True), KOHYA), loads=False),
        Row(base=base, label="onetrainer", file=lora(spelled(own, ONETRAINER, flat=True), KOHYA), loads=False),
    ]


def z_image_rows() -> list[Row]:
    base, attention = z_image.Z_IMAGE, as_they_are(z_image.ATTENTION)
    own = {**attention, **as_they_are(z_image.REST)}
    whole = {**own, **as_they_are(z_image.AROUND)}
    return [
        Row(base=base, label="diffusers", file=lora(spelled(whole, "transformer."), PEFT)),
        Row(base=base, label="metadata", file=with_metadata(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="kohya", file=lora(spelled(own, KOHYAS, flat=True), KOHYA)),
        Row(base=base, label="kohya-fused", file=lora(spelled(z_image.ORIGINAL, KOHYAS, flat=True), KOHYA)),
        Row(base=base, label="comfy", file=lora(spelled(whole, COMFY), PEFT)),
        Row(base=base, label="comfy-alpha", file=lora(spelled(own, COMFY), PEFT_ALPHA)),
        Row(base=base, label="default", file=lora(spelled(own, ""), PEFT_DEFAULT)),
        Row(base=base, label="lokr", file=lokr(spelled(attention, COMFY), whole=False)),
        Row(base=base, label="lokr-whole", file=lokr(spelled(attention, COMFY), whole=True)),
        Row(base=base, label="comfy-fused", file=lora(spelled(z_image.ORIGINAL, COMFY), PEFT), loads=False),
        Row(base=base, label="lokr-kohya", file=lokr(spelled(attention, KOHYAS, flat=True), whole=True), loads=False),
    ]


def lumina2_rows() -> list[Row]:
    """diffusers cuts the fused layers at the real network's width, and knows kohya's names not at all."""
    base, own = lumina2.LUMINA2, as_they_are(lumina2.BLOCKS)
    whole = {**lumina2.ORIGINAL, **lumina2.AROUND}
    return [
        Row(base=base, label="diffusers", file=lora(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="metadata", file=with_metadata(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="comfy", file=lora(spelled(whole, COMFY), PEFT), loads=False),
        Row(base=base, label="kohya", file=lora(spelled(whole, KOHYAS, flat=True), KOHYA), loads=False),
    ]


def sana_rows() -> list[Row]:
    base, own = sana.SANA, as_they_are((*sana.BLOCKS, *sana.AROUND))
    convolutions = as_they_are(sana.CONVOLUTIONS)
    return [
        Row(base=base, label="diffusers", file=lora(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="metadata", file=with_metadata(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="convolutions", file=lora(spelled(convolutions, "transformer."), PEFT)),
        Row(base=base, label="lycoris", file=lora(spelled(own, LYCORIS, flat=True), KOHYA), loads=False),
        Row(base=base, label="default", file=lora(spelled(own, ""), PEFT_DEFAULT), loads=False),
    ]


def hidream_rows() -> list[Row]:
    base, own = hidream.HIDREAM, as_they_are(hidream.BLOCKS)
    return [
        Row(base=base, label="diffusers", file=lora(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="metadata", file=with_metadata(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="comfy", file=lora(spelled(own, COMFY), PEFT)),
        Row(base=base, label="kohya", file=lora(spelled(own, KOHYAS, flat=True), KOHYA), loads=False),
        Row(base=base, label="lokr-lycoris", file=lokr(spelled(own, LYCORIS, flat=True), whole=True), loads=False),
    ]


def anima_rows() -> list[Row]:
    base, own, text = anima.ANIMA, as_they_are(anima.MODULES), as_they_are(anima.TEXT)
    conditioner, part = as_they_are(anima.CONDITIONER), "text_conditioner"
    kohya = lora(spelled(anima.ORIGINAL, KOHYAS, flat=True), KOHYA)
    words = lora(spelled(text, "lora_te_", flat=True, component="text_encoder"), KOHYA)
    adapter = lora(spelled(conditioner, "lora_unet_llm_adapter_", flat=True, component=part), KOHYA)
    return [
        Row(base=base, label="metadata", file=with_metadata(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="diffusers", file=all_of(
            lora(spelled(own, "transformer."), PEFT),
            lora(spelled(conditioner, "text_conditioner.", component=part), PEFT),
        )),
        Row(base=base, label="comfy", file=all_of(
            lora(spelled(anima.ORIGINAL, COMFY), PEFT),
            lora(spelled(conditioner, f"{COMFY}llm_adapter.", component=part), PEFT),
        )),
        Row(base=base, label="kohya", file=kohya, loads=False),
        Row(base=base, label="kohya-text", file=all_of(kohya, words), loads=False),
        Row(base=base, label="kohya-adapter", file=all_of(kohya, adapter), loads=False),
        Row(base=base, label="comfy-alpha", file=lora(spelled(anima.ORIGINAL, COMFY), KOHYA), loads=False),
        Row(base=base, label="lokr", file=lokr(spelled(anima.BLOCKS, COMFY), whole=False), loads=False),
    ]  # fmt: skip


def krea2_rows() -> list[Row]:
    base, own = krea2.KREA2, as_they_are(krea2.MODULES)
    return [
        Row(base=base, label="diffusers", file=lora(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="metadata", file=with_metadata(spelled(own, "transformer."), PEFT)),
        Row(base=base, label="comfy", file=lora(spelled(krea2.ORIGINAL, COMFY), PEFT)),
        Row(base=base, label="peft", file=lora(spelled(krea2.ORIGINAL, "base_model.model."), PEFT)),
        Row(base=base, label="kohya", file=lora(spelled(krea2.ORIGINAL, KOHYAS, flat=True), KOHYA), loads=False),
    ]


DORA = Row(
    base=qwen_image.QWEN_IMAGE, label="dora", file=dora(spelled(as_they_are(qwen_image.BLOCKS), "transformer."), PEFT)
)
ROWS = [
    *flux2_rows(), *flux2_dev_rows(), *qwen_rows(), *z_image_rows(), *lumina2_rows(), *sana_rows(), *hidream_rows(),
    *anima_rows(), *krea2_rows(),
]  # fmt: skip
