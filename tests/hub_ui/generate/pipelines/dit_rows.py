"""Formats of Stable Diffusion 3, PixArt, AuraFlow and CogView4."""

from tests.hub_ui.generate.pipelines.files import KOHYA, PEFT, varied
from tests.hub_ui.generate.pipelines.rows import BLOCKS, REFUSED, SILENT, T5, dit_rows, file, parts, rows
from tests.hub_ui.generate.pipelines.spellings import layers, of_clip, original, own

SD3_TEXT = parts(
    file(own("transformer", "transformer.", BLOCKS), PEFT),
    file(of_clip("text_encoder", "text_encoder."), PEFT),
    file(of_clip("text_encoder_2", "text_encoder_2."), PEFT),
)
SD3_WHOLE = parts(
    file(original("lora_unet_", layers("sd3.blocks", "sd3.outside")), KOHYA),
    file(of_clip("text_encoder", "lora_te1_"), KOHYA),
    file(of_clip("text_encoder_2", "lora_te2_"), KOHYA),
    file(own("text_encoder_3", "lora_te3_", T5), KOHYA),
)
ONETRAINER = own("transformer", "lora_transformer_", BLOCKS)
SD3S = (
    *dit_rows("sd3"),
    *rows(
        "sd3",
        ("diffusers with text encoders", SD3_TEXT),
        ("kohya", file(original("lora_unet_", layers("sd3.blocks")), KOHYA, varied), SILENT),
        ("kohya with text encoders, every layer", SD3_WHOLE, SILENT),
        ("ai-toolkit", file(original("diffusion_model.", layers("sd3.blocks")), PEFT), SILENT),
        ("OneTrainer", file(ONETRAINER, KOHYA), REFUSED),
    ),
)


NO_LOADER = "diffusers has no loader for this pipeline"
OTHERS = (
    *rows(
        "pixart",
        ("diffusers", file(own("transformer", "transformer."), PEFT), NO_LOADER),
        ("peft", file(own("transformer", "transformer.base_model.model.", BLOCKS), PEFT), NO_LOADER),
        ("OneTrainer", file(ONETRAINER, KOHYA, varied), NO_LOADER),
        ("kohya", file(own("transformer", "lora_unet_", BLOCKS), KOHYA, varied), NO_LOADER),
    ),
    *dit_rows("auraflow"),
    *rows(
        "auraflow",
        ("ComfyUI", file(original("diffusion_model.", layers("auraflow.blocks")), PEFT), SILENT),
        ("kohya", file(original("lora_unet_", layers("auraflow.blocks")), KOHYA, varied), SILENT),
    ),
    *dit_rows("cogview4"),
)
