"""The strength an author recommends: said in a text, or used in the author's own prompts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from connectors.facts.trigger_words import LORA_TAG
from connectors.record import Claim
from connectors.wire import number

# "the recommended scale is `0.8`", "preferred weight: 0.65", "set the weight between 0.5 and 0.8".
# "LoRA strength: **0.85 - 1.4**", "Weight: 0.8", "a LoRA weight of 1.0", 权重 0.5. Of a range, the first number.
_SAID = re.compile(
    r"(?:recommend\w*|suggest\w*|best|preferred|ideal|optimal|use[ds]?|set)[ \w]{0,20}\b(?:scale|weight|strength)s?\b"
    r"[^\d\n]{0,20}(?P<one>\d(?:\.\d+)?)"
    r"|(?P<of>[\w-]{0,20})[ \t]{0,2}\b(?:(?:lora|model)[ -]scale|weight|strength)s?\b"
    r"(?:[ \t*`|~≈]{0,6}[:：=|][ \t*`|~≈]{0,6}"
    r"|[ \t]{1,2}(?:(?:of|is|at|around|between|from|should be)[ \t]{1,2}){1,2})(?P<two>\d?\.?\d+)"
    r"|(?P<three>\d\.\d+)(?:[ \t]{0,2}(?:[~–-]|to|and|or)[ \t]{0,2}\d(?:\.\d+)?)?[ \t]{1,2}(?:lora )?"
    r"(?:weight|strength)\b"
    r"|^[ \t*>•-]{0,8}(?:lora )?(?:weight|strength)[ \t~≈]{1,3}(?P<five>\d\.\d+)"
    r"|(?:权重|強度|强度)[^\d\n]{0,12}(?P<four>\d(?:\.\d+)?)",
    re.IGNORECASE | re.MULTILINE,
)
# Other strengths that a description of pictures names.
_OTHERS = ("denois", "control", "ip-adapter", "prompt", "noise", "hires", "fix", "conditioning", "img2img")
_STRONGEST = 3
_STRONGEST_TAG = 10


def scale_claims(body: str, where: str) -> tuple[Claim, ...]:
    """ "The recommended scale is `0.8`", "| Recommended LoRA scale | `1.0` to `1.25` |": the first number."""
    for match in _SAID.finditer(body):
        before = f"{body[max(0, match.start() - 14) : match.start()]}{match[0]}".casefold()
        said = number(match["one"] or match["two"] or match["three"] or match["four"] or match["five"])
        if said is not None and 0 < said <= _STRONGEST and not any(other in before for other in _OTHERS):
            quote = " ".join(match[0].split())[:80]
            return (Claim(field="weight", value=said, source="card", where=f"{where}: {quote}"),)
    return ()


def weight_claims(written: Iterable[str], where: str) -> tuple[Claim, ...]:
    """The author's weight out of the first `<lora:name:0.8>` among the trigger words."""
    weight = next((weight for entry in written for _, weight in _tagged(entry)), None)
    return (Claim(field="weight", value=weight, source="example", where=where),) if weight is not None else ()


def prompt_claims(prompts: Iterable[str], stems: Iterable[str], where: str) -> tuple[Claim, ...]:
    """The weight that the author's pictures were mostly made with: `<lora:STEM:0.7>` in their prompts."""
    own = {stem.casefold() for stem in stems}
    used = Counter(weight for prompt in prompts for name, weight in _tagged(prompt) if name.casefold() in own)
    if not used:
        return ()
    weight, times = used.most_common(1)[0]
    said = f"{where}: {times} of {used.total()} prompts"
    return (Claim(field="weight", value=weight, source="example", where=said),)


def _tagged(text: str) -> Iterator[tuple[str, float]]:
    for match in LORA_TAG.finditer(text):
        name, _, rest = match["inside"].partition(":")
        weight = number(rest.partition(":")[0])
        if weight is not None and abs(weight) <= _STRONGEST_TAG:
            yield name.strip(), weight
