"""Algorithms beyond plain factors, on a UNet with convolutions and on FLUX, whose layers the files have fused."""

from itertools import cycle
from typing import Any

from tests.hub_ui.generate.pipelines.algorithms import LYCORIS, by_peft, lycoris
from tests.hub_ui.generate.pipelines.algorithms import PEFT as PEFT_CONFIGS
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.flux_rows import FLUX_NAMES
from tests.hub_ui.generate.pipelines.frame import File
from tests.hub_ui.generate.pipelines.rows import Row
from tests.hub_ui.generate.pipelines.spellings import Spelling, original, sai, underscored

WORKED_OUT = "diffusers reads plain factors only; alpha / rank once is what LyCORIS trains with and ComfyUI applies"


def _trained_by_lycoris(base: str, spelling: Spelling, algorithm: str, whose: str = "") -> Row:
    def make(pipe: Any, seed: int) -> File:
        return lycoris(pipe, spelling(pipe), LYCORIS[algorithm], seed)

    return Row(base=TINY[base], name=whose + algorithm, make=make, alone=WORKED_OUT)


def _trained_by_peft(algorithm: str, prefix: str) -> Row:
    def make(pipe: Any, seed: int) -> File:
        return by_peft(pipe, PEFT_CONFIGS[algorithm], prefix, seed)

    # Of PEFT's own, diffusers reads DoRA, and a weight other than 0 and 1 means there what PEFT means by it.
    alone = None if algorithm == "DoRA" else "PEFT itself has merged it"
    # The second of two DoRAs multiplies what the first made there, so that their order counts; here both start from
    # the base.
    stacked = algorithm != "DoRA"
    return Row(base=TINY["sd1"], name=f"PEFT's {algorithm}", make=make, alone=alone, stacked=stacked)


PREFIXES = ("base_model.model.", "unet.base_model.model.", "unet.")
CONVOLUTIONS = r"attentions|resnets|samplers"
ALGORITHMS = (
    *(_trained_by_lycoris("sd1", underscored("unet", "lora_unet_", CONVOLUTIONS), algorithm) for algorithm in LYCORIS),
    *(
        _trained_by_lycoris("sdxl", sai(wanted=r"mid_block|up_blocks\.0.*(resnets|to_q)"), algorithm)
        for algorithm in ("LoHa with a core", "LoKr", "LoCon with a core", "DoRA", "OFT")
    ),
    *(
        _trained_by_lycoris("flux1 dev", original("lora_unet_", *FLUX_NAMES, between="_"), algorithm)
        for algorithm in ("LoHa", "LoKr", "LoKr whole", "DoRA", "full")
    ),
    # kohya's own OFT has another first word.
    _trained_by_lycoris("sdxl", sai("oft_unet_", r"mid_block.*attentions"), "OFT held back", "kohya's "),
    *(_trained_by_peft(algorithm, prefix) for algorithm, prefix in zip(PEFT_CONFIGS, cycle(PREFIXES), strict=False)),
)
