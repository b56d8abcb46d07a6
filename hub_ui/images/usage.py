"""What people do with a LoRA, counted over the images that they show of it on its hub."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from connectors.claims import base_models
from connectors.claims.nsfw import level_of, text_claims
from connectors.record import Claim, Example, Version, within
from connectors.ref import Ref
from hub_ui.images.example_settings import ExampleSettings, settings

# Fewer images say nothing of people, and a rarer choice little of them.
FEWEST = 5
LEAST_SHARE = 0.1
MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """`value` is the median of a number, or a choice that `count` of `total` images made.

    From `low` to `high` is the middle half of a number's values; None for a choice.
    """

    field: str
    value: float | str
    count: int
    total: int
    low: float | None = None
    high: float | None = None

    def claim(self, hub: str) -> Claim:
        """`hub` is its label."""
        text = f"{self.count} of {self.total} images on {hub}"
        if self.low is not None:
            text = f"median of {self.total} images on {hub}, half of them from {self.low:g} to {self.high:g}"
        return Claim(field=self.field, value=self.value, source="usage", where=text)


def usage(version: Version, examples: Iterable[Example]) -> tuple[Used, ...]:
    """How `version` is used in them: the median of each number, then the commonest choices."""
    read = [(example, settings(example)) for example in examples if example.prompt or example.params]
    made = [found for _example, found in read]
    bases = [_base(example) for example, _found in read]
    others = [frozenset(_others(found, version)) for found in made]
    return (
        *_number("weight", [found.weight(version) for found in made]),
        *_number("steps", [found.steps for found in made]),
        *_number("guidance", [found.guidance for found in made]),
        *_choices("sampler", [[found.sampler] for found in made if found.sampler]),
        *_choices("base_model", [[base] for base in bases if base]),
        *_choices("used_with", others),
    )


def _number(field: str, values: Sequence[float | None]) -> Iterator[Used]:
    known = [value for value in values if value is not None]
    if len(known) < FEWEST:
        return
    low, middle, high = (round(each, 2) for each in quantiles(known, n=4, method="inclusive"))
    whole = round(middle) if field == "steps" else middle
    yield Used(field=field, value=whole, count=len(known), total=len(known), low=low, high=high)


def _choices(field: str, chosen: Sequence[Iterable[Hashable]]) -> Iterator[Used]:
    """`chosen` are each image's; of those that name none, nothing is known but where LoRAs are combined."""
    if len(chosen) < FEWEST:
        return
    counts = Counter[Any](value for values in chosen for value in values)
    for value, count in sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))[:MOST_NAMED]:
        if count >= max(2, LEAST_SHARE * len(chosen)):
            yield Used(field=field, value=value, count=count, total=len(chosen))


def _base(example: Example) -> str:
    """The id of the base that it was made on, or the hub's own name for one that is not listed."""
    name = str(example.params.get("Base model", ""))
    found = base_models.find_base_name(name) if name else None
    return found[0] if found else name


def _others(found: ExampleSettings, version: Version) -> Iterator[str]:
    """The names of the other LoRAs, or refs of those that the hub's own generator names by their version alone.

    Names are hub text: those that are not for everybody are left out.
    """
    for lora in found.others(version):
        if lora.version is not None and lora.name == lora.version:
            yield str(Ref(hub=version.ref.hub, id="", version=lora.version))
        elif lora.name and within(level_of(text_claims((), [(lora.name, "name")])), "soft"):
            yield lora.name[:80]
