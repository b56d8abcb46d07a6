"""Base models by what names and short descriptions say in passing: "pixel-art-flux-lora", "an SDXL fine-tune".

The weakest way to know a base model: asked only where no field says one. Rows go from the narrow name to the wide one.
"""

from __future__ import annotations

import re

_NAMED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), base)
    for pattern, base in (
        (r"tiny[- _]shapes", "tiny-shapes"),
        (
            r"flux[-. _]?2.{0,12}klein.{0,12}base.{0,3}9b|flux[-. _]?2.{0,12}klein.{0,6}9b.{0,3}base",
            "flux.2-klein-9b-base",
        ),
        (
            r"flux[-. _]?2.{0,12}klein.{0,12}base.{0,3}4b|flux[-. _]?2.{0,12}klein.{0,6}4b.{0,3}base",
            "flux.2-klein-4b-base",
        ),
        (r"flux[-. _]?2.{0,12}klein.{0,6}9b", "flux.2-klein-9b"),
        (r"flux[-. _]?2.{0,12}klein.{0,6}4b", "flux.2-klein-4b"),
        (r"flux[-. _]?2(?!\d)", "flux.2-dev"),
        (r"flux.{0,12}kontext", "flux.1-kontext"),
        (r"flux.{0,12}krea", "flux.1-krea"),
        (r"flux.{0,12}schnell", "flux.1-schnell"),
        (r"(?<![a-z])flux", "flux.1-dev"),
        (r"krea[- _]?2(?!\d)", "krea-2"),
        (r"hunyuan[- _]?video[- _]?1[._]5", "hunyuan-video-1.5"),
        (r"hunyuan.{0,2}video|(?<![a-z])hunyuan(?!.{0,2}(?:dit|image|3d))", "hunyuan-video"),
        (r"qwen[- _]?image[- _]?layered", "qwen-image-layered"),
        (r"qwen[- _]?image[- _]?edit|qwen[- _]edit", "qwen-image-edit"),
        (r"qwen[- _]?image", "qwen-image"),
        (r"z[- _]?image[- _]?turbo", "z-image-turbo"),
        (r"(?<![a-z])z[- _]?image", "z-image"),
        (r"(?<![a-z])wan[- _.]?(?:video[- _]?)?2", "wan"),
        (r"(?<![a-z])ltx[- _]?v?(?:ideo)?[- _]?2(?!\d)", "ltx-2"),
        (r"(?<![a-z])ltx[- _]?video", "ltx-video"),
        (r"cogvideo[- _]?x", "cogvideox"),
        (r"hidream", "hidream"),
        (r"minimax[- _]?h3", "minimax-h3"),
        (r"ideogram[- _]?4", "ideogram-4"),
        (r"longcat[- _]?image", "longcat-image"),
        (r"ovis[- _]?image", "ovis-image"),
        (r"glm[- _]?image", "glm-image"),
        (r"ernie[- _]?image", "ernie"),
        (r"hunyuan[- _]?image", "hunyuan-image"),
        (r"kandinsky[- _]?5", "kandinsky-5"),
        (r"cosmos[- _]?predict[- _]?2", "cosmos"),
        (r"(?<![a-z])ace[- _]?step[- _]?v?1[._]?5", "ace-step-1.5"),
        (r"illustrious", "illustrious"),
        (r"noob[- _]?ai", "noobai"),
        (r"animagine", "animagine-xl"),
        (r"(?<!little[- _])(?<![a-z])pony[- _]?(?:xl|v6|diffusion|sdxl)", "pony"),
        (r"(?:(?<![a-z])sd|stable[- _]diffusion[- _]|realvis|juggernaut)[- _]?xl|hotshot[- _]xl", "sdxl-1.0"),
        (r"(?:(?<![a-z])sd|stable[- _]diffusion)[- _]?3[._]5", "sd-3.5"),
        (r"(?:(?<![a-z])sd|stable[- _]diffusion)[- _]?v?1[._-]?5", "sd-1.5"),
    )
)
_LONGEST = 1_000


def named_base(text: str) -> tuple[str, str] | None:
    """The base model that a text names, and the words that name it."""
    for pattern, base in _NAMED:
        if match := pattern.search(text[:_LONGEST]):
            return base, match[0]
    return None
