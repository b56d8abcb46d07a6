"""Algorithms beyond plain factors, on a UNet with convolutions and on FLUX, whose layers the files have fused."""

from typing import Any

from tests.hub_ui.generate.pipelines.algorithms import LYCORIS, lycoris
from tests.hub_ui.generate.pipelines.bases import TINY
from tests.hub_ui.generate.pipelines.flux_rows import FLUX_NAMES
from tests.hub_ui.generate.pipelines.frame import File
from tests.hub_ui.generate.pipelines.rows import Row
from tests.hub_ui.generate.pipelines.spellings import Spelling, layers, original, own, sai

WORKED_OUT = "diffusers reads plain factors only; alpha / rank once is what LyCORIS trains with and ComfyUI applies"


def _trained_by_lycoris(base: str, spelling: Spelling, algorithm: str, whose: str = "") -> Row:
    def make(pipe: Any, seed: int) -> File:
        return lycoris(pipe, spelling(pipe), LYCORIS[algorithm], seed)

    return Row(base=TINY[base], name=whose + algorithm, make=make, alone=WORKED_OUT)


CONVOLUTIONS = r"attentions|resnets|samplers"
ALGORITHMS = (
    *(_trained_by_lycoris("sd1", own("unet", "lora_unet_", CONVOLUTIONS), algorithm) for algorithm in LYCORIS),
    *(
        _trained_by_lycoris("sdxl", sai(wanted=r"mid_block|up_blocks\.0.*(resnets|to_q)"), algorithm)
        for algorithm in ("LoHa with a core", "LoKr", "LoCon with a core", "DoRA", "OFT")
    ),
    *(
        _trained_by_lycoris("flux1 dev", original("lora_unet_", layers(*FLUX_NAMES)), algorithm)
        for algorithm in ("LoHa", "LoKr", "LoKr whole", "DoRA", "full")
    ),
    # kohya's own OFT has another first word.
    _trained_by_lycoris("sdxl", sai("oft_unet_", r"mid_block.*attentions"), "OFT held back", "kohya's "),
)
