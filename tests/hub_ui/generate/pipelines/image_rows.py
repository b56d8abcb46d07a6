"""Formats of the image models of after FLUX.1."""

from tests.hub_ui.generate.pipelines import (
    anima,
    ernie,
    fibo2,
    flux2,
    flux3,
    hidream,
    ideogram,
    kandinsky,
    krea2,
    lumina2,
    qwen_image,
    sana,
    z_image,
)
from tests.hub_ui.generate.pipelines.files import KOHYA, PEFT, PEFT_ALPHA, PEFT_DEFAULT
from tests.hub_ui.generate.pipelines.rows import UNREAD, Row, parts, rows
from tests.hub_ui.generate.pipelines.trained import as_they_are, dora, lokr, lora, spelled, with_metadata

COMFY, KOHYAS, LYCORIS, ONETRAINER = "diffusion_model.", "lora_unet_", "lycoris_", "lora_transformer_"


def flux2_rows() -> tuple[Row, ...]:
    base, own = flux2.KLEIN, as_they_are(flux2.BLOCKS)
    original = {**flux2.ORIGINAL, **flux2.AROUND}
    whole = {**original, **flux2.MODULATION}
    single = {name: modules for name, modules in flux2.ORIGINAL.items() if len(modules) == 1}
    fused = {name: modules for name, modules in flux2.ORIGINAL.items() if len(modules) > 1}
    converted = {name.replace("attn.", "attn_"): modules for name, modules in flux2.ORIGINAL.items()}
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("metadata", with_metadata(spelled(own, "transformer."))),
        ("kohya", lora(spelled(original, KOHYAS, flat=True), KOHYA)),
        ("comfy", lora(spelled(whole, COMFY), PEFT)),
        ("peft", lora(spelled(whole, "base_model.model."), PEFT)),
        ("lokr", lokr(spelled(single, COMFY), whole=False)),
        ("lokr-whole", lokr(spelled(single, COMFY), whole=True)),
        ("lokr-lycoris", lokr(spelled(own, LYCORIS, flat=True), whole=True)),
        ("lokr-bare", lokr(spelled(own, ""), whole=False)),
        ("lokr-fused", lokr(spelled(fused, COMFY), whole=False), UNREAD),
        ("lokr-kohya", lokr(spelled(single, KOHYAS, flat=True), whole=True), UNREAD),
        ("comfy-alpha", lora(spelled(whole, COMFY), PEFT_ALPHA), UNREAD),
        ("comfy-down-up", lora(spelled(whole, COMFY), KOHYA), UNREAD),
        ("musubi-converted", lora(spelled(converted, COMFY), PEFT), UNREAD),
        ("last", lora(spelled(flux2.LAST, COMFY, swapped=True), PEFT), UNREAD),
    )


def flux2_dev_rows() -> tuple[Row, ...]:
    base, own = flux2.DEV, as_they_are(flux2.BLOCKS)
    whole = {**flux2.ORIGINAL, **flux2.AROUND, **flux2.MODULATION, **flux2.GUIDANCE}
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("kohya", lora(spelled(flux2.ORIGINAL, KOHYAS, flat=True), KOHYA)),
        ("comfy", lora(spelled(whole, COMFY), PEFT)),
    )


def flux3_rows() -> tuple[Row, ...]:
    comfy = lora(spelled(flux3.ORIGINAL, COMFY), PEFT)
    klein = rows(
        flux3.KLEIN,
        ("diffusers", lora(spelled(as_they_are(flux3.BLOCKS), "transformer."), PEFT)),
        ("comfy", comfy),
        ("kohya", lora(spelled(flux3.ORIGINAL, KOHYAS, flat=True), KOHYA), UNREAD),
    )
    return (*klein, *rows(flux3.KLEIN_BASE, ("comfy", comfy)))


def fibo2_rows() -> tuple[Row, ...]:
    base, own = fibo2.FIBO_2, as_they_are(fibo2.BLOCKS)
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("comfy", lora(spelled(fibo2.ORIGINAL, COMFY), PEFT), UNREAD),
        ("kohya", lora(spelled(fibo2.ORIGINAL, KOHYAS, flat=True), KOHYA), UNREAD),
    )


def ernie_rows() -> tuple[Row, ...]:
    base, own = ernie.ERNIE, as_they_are(ernie.BLOCKS)
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("comfy", lora(spelled(own, COMFY), PEFT)),
        ("kohya", lora(spelled(own, KOHYAS, flat=True), KOHYA), UNREAD),
        ("lycoris", lokr(spelled(own, LYCORIS, flat=True), whole=True), UNREAD),
    )


def ideogram_rows() -> tuple[Row, ...]:
    base, own = ideogram.IDEOGRAM_4, as_they_are(ideogram.BLOCKS)
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("comfy", lora(spelled(ideogram.ORIGINAL, COMFY), PEFT_ALPHA)),
        ("conditional", lora(spelled(ideogram.ORIGINAL, "conditional_transformer."), PEFT)),
        ("kohya", lora(spelled(ideogram.ORIGINAL, KOHYAS, flat=True), KOHYA), UNREAD),
    )


def kandinsky_rows() -> tuple[Row, ...]:
    base, own = kandinsky.KANDINSKY_5, as_they_are(kandinsky.BLOCKS)
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("metadata", with_metadata(spelled(own, "transformer."))),
        ("comfy", lora(spelled(own, COMFY), PEFT), UNREAD),
        ("kohya", lora(spelled(own, KOHYAS, flat=True), KOHYA), UNREAD),
    )


def qwen_rows() -> tuple[Row, ...]:
    base, own = qwen_image.QWEN_IMAGE, as_they_are(qwen_image.BLOCKS)
    whole = {**own, **as_they_are(qwen_image.AROUND)}
    return rows(
        base,
        ("diffusers", lora(spelled(whole, "transformer."), PEFT)),
        ("metadata", with_metadata(spelled(own, "transformer."))),
        ("kohya", lora(spelled(whole, KOHYAS, flat=True), KOHYA)),
        ("comfy", lora(spelled(whole, COMFY), PEFT)),
        ("comfy-alpha", lora(spelled(own, COMFY), PEFT_ALPHA)),
        ("default", lora(spelled(own, ""), PEFT_DEFAULT)),
        ("bare", lora(spelled(own, ""), KOHYA)),
        ("lokr", lokr(spelled(own, COMFY), whole=False), UNREAD),
        ("lokr-lycoris", lokr(spelled(own, LYCORIS, flat=True), whole=True), UNREAD),
        ("lokr-kohya", lokr(spelled(own, KOHYAS, flat=True), whole=True), UNREAD),
        ("lycoris", lora(spelled(own, LYCORIS, flat=True), KOHYA), UNREAD),
        ("onetrainer", lora(spelled(own, ONETRAINER, flat=True), KOHYA), UNREAD),
    )


def z_image_rows() -> tuple[Row, ...]:
    base, attention = z_image.Z_IMAGE, as_they_are(z_image.ATTENTION)
    own = {**attention, **as_they_are(z_image.REST)}
    whole = {**own, **as_they_are(z_image.AROUND)}
    return rows(
        base,
        ("diffusers", lora(spelled(whole, "transformer."), PEFT)),
        ("metadata", with_metadata(spelled(own, "transformer."))),
        ("kohya", lora(spelled(own, KOHYAS, flat=True), KOHYA)),
        ("kohya-fused", lora(spelled(z_image.ORIGINAL, KOHYAS, flat=True), KOHYA)),
        ("comfy", lora(spelled(whole, COMFY), PEFT)),
        ("comfy-alpha", lora(spelled(own, COMFY), PEFT_ALPHA)),
        ("default", lora(spelled(own, ""), PEFT_DEFAULT)),
        ("lokr", lokr(spelled(attention, COMFY), whole=False)),
        ("lokr-whole", lokr(spelled(attention, COMFY), whole=True)),
        ("comfy-fused", lora(spelled(z_image.ORIGINAL, COMFY), PEFT), UNREAD),
        ("lokr-kohya", lokr(spelled(attention, KOHYAS, flat=True), whole=True), UNREAD),
    )


def lumina2_rows() -> tuple[Row, ...]:
    """diffusers cuts the fused layers at the real network's width, and knows kohya's names not at all."""
    base, own = lumina2.LUMINA2, as_they_are(lumina2.BLOCKS)
    whole = {**lumina2.ORIGINAL, **lumina2.AROUND}
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("metadata", with_metadata(spelled(own, "transformer."))),
        ("comfy", lora(spelled(whole, COMFY), PEFT), UNREAD),
        ("kohya", lora(spelled(whole, KOHYAS, flat=True), KOHYA), UNREAD),
    )


def sana_rows() -> tuple[Row, ...]:
    base, own = sana.SANA, as_they_are((*sana.BLOCKS, *sana.AROUND))
    convolutions = as_they_are(sana.CONVOLUTIONS)
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("metadata", with_metadata(spelled(own, "transformer."))),
        ("convolutions", lora(spelled(convolutions, "transformer."), PEFT)),
        ("lycoris", lora(spelled(own, LYCORIS, flat=True), KOHYA), UNREAD),
        ("default", lora(spelled(own, ""), PEFT_DEFAULT), UNREAD),
    )


def hidream_rows() -> tuple[Row, ...]:
    base, own = hidream.HIDREAM, as_they_are(hidream.BLOCKS)
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("metadata", with_metadata(spelled(own, "transformer."))),
        ("comfy", lora(spelled(own, COMFY), PEFT)),
        ("kohya", lora(spelled(own, KOHYAS, flat=True), KOHYA), UNREAD),
        ("lokr-lycoris", lokr(spelled(own, LYCORIS, flat=True), whole=True), UNREAD),
    )


def anima_rows() -> tuple[Row, ...]:
    base, own, text = anima.ANIMA, as_they_are(anima.MODULES), as_they_are(anima.TEXT)
    conditioner, part = as_they_are(anima.CONDITIONER), "text_conditioner"
    kohya = lora(spelled(anima.ORIGINAL, KOHYAS, flat=True), KOHYA)
    words = lora(spelled(text, "lora_te_", flat=True, component="text_encoder"), KOHYA)
    diffusers = parts(
        lora(spelled(own, "transformer."), PEFT),
        lora(spelled(conditioner, "text_conditioner.", component=part), PEFT),
    )
    comfy = parts(
        lora(spelled(anima.ORIGINAL, COMFY), PEFT),
        lora(spelled(conditioner, f"{COMFY}llm_adapter.", component=part), PEFT),
    )
    adapter = lora(spelled(conditioner, "lora_unet_llm_adapter_", flat=True, component=part), KOHYA)
    return rows(
        base,
        ("metadata", with_metadata(spelled(own, "transformer."))),
        ("diffusers", diffusers),
        ("comfy", comfy),
        ("kohya", kohya, UNREAD),
        ("kohya-text", parts(kohya, words), UNREAD),
        ("kohya-adapter", parts(kohya, adapter), UNREAD),
        ("comfy-alpha", lora(spelled(anima.ORIGINAL, COMFY), KOHYA), UNREAD),
        ("lokr", lokr(spelled(anima.BLOCKS, COMFY), whole=False), UNREAD),
    )


def krea2_rows() -> tuple[Row, ...]:
    base, own = krea2.KREA2, as_they_are(krea2.MODULES)
    return rows(
        base,
        ("diffusers", lora(spelled(own, "transformer."), PEFT)),
        ("metadata", with_metadata(spelled(own, "transformer."))),
        ("comfy", lora(spelled(krea2.ORIGINAL, COMFY), PEFT)),
        ("peft", lora(spelled(krea2.ORIGINAL, "base_model.model."), PEFT)),
        ("kohya", lora(spelled(krea2.ORIGINAL, KOHYAS, flat=True), KOHYA), UNREAD),
    )


DORA = Row(base=qwen_image.QWEN_IMAGE, name="dora", make=dora(spelled(as_they_are(qwen_image.BLOCKS), "transformer.")))
ERNIE_DORA = Row(base=ernie.ERNIE, name="dora", make=dora(spelled(as_they_are(ernie.BLOCKS), COMFY)))
ROWS = [
    *flux2_rows(), *flux2_dev_rows(), *flux3_rows(), *qwen_rows(), *z_image_rows(), *lumina2_rows(), *sana_rows(),
    *hidream_rows(), *anima_rows(), *krea2_rows(), *ernie_rows(), *kandinsky_rows(), *ideogram_rows(), *fibo2_rows(),
]  # fmt: skip
