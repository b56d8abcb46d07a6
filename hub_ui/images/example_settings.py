"""Read the settings of an existing image: our own, a hub's example or an A1111 file.

Settings that have no counterpart here are listed. The second part counts how people use a LoRA, over the example
images on its hub.
"""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import quantiles
from typing import Any

import msgspec

from connectors.claims import base_models
from connectors.claims.content import level_of, mature_claims
from connectors.http.json_fields import number
from connectors.record import Claim, Example, Version, within
from connectors.ref import Ref
from hub_ui.base.i18n import N_, _
from hub_ui.generate import samplers
from hub_ui.generate.base_models.table import precision_name
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.try_fields import TRY_FIELDS, TrySettings, clamp_weight, prompt_text
from hub_ui.images import infotext
from hub_ui.images.infotext import OTHER_PROGRAMS, Infotext, UsedLora
from hub_ui.images.provenance import LoraProvenance, Provenance

_LONGEST_SIDE, _MOST_STEPS = 4096, 500
_MOST_UNKNOWN = 5
OTHER_NOISE = N_("Another program made it, from other noise for the same seed: expect a similar image, not the same.")

# The names of each setting in A1111, CivitAI, Replicate's inputs and ComfyUI.
NAMES: Mapping[str, tuple[str, ...]] = {
    "schedule": ("Schedule type", "Scheduler", "Schedule"),
    "scheduler": ("scheduler",),
    "width": ("width", "Width"),
    "height": ("height", "Height"),
    "aspect": ("aspect_ratio", "aspectRatio"),
    "frames": ("num_frames",),
    "scale": ("lora_scale", "lora_strength"),
    **{row.attribute: row.infotext for row in TRY_FIELDS if row.infotext},
}
_ASPECTS = msgspec.convert(OTHER_PROGRAMS["aspects"], dict[str, tuple[int, int]])
_SIZE = re.compile(r"\s*(\d{1,5})\s*[xX×]\s*(\d{1,5})\s*")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExampleSettings(TrySettings):
    """The settings of an example image.

    `prompt` contains no tags of LoRAs, because `loras` has the LoRAs of the tags and lists. `scale` is the weight of
    the LoRA on whose page the image is. `strength` is the strength of image to image; infotexts never name the input
    image. `unmapped` are the settings that have no counterpart: "clip skip 2".
    """

    loras: tuple[UsedLora, ...] = ()
    scale: float | None = None
    unmapped: tuple[str, ...] = ()

    def try_settings(self) -> TrySettings:
        """Return the settings for the form of the Compare page."""
        values = {row.attribute: getattr(self, row.attribute) for row in TRY_FIELDS}
        return TrySettings(**values | {name: prompt_text(values[name]) for name in ("prompt", "negative")})

    @property
    def start(self) -> str:
        """The text of `unmapped` for an input image."""
        return _("the image it was generated over (denoising strength {:g})").format(self.strength or 0)

    def used(self, version: Version | None) -> UsedLora | None:
        """Return the example's LoRA that is this version, or None."""
        return next((lora for lora in self.loras if version and is_of(lora, version)), None)

    def weight(self, version: Version | None) -> float | None:
        """Return the weight of this version in the example, or None if it is unknown."""
        used = self.used(version)
        return used.weight if used and used.weight is not None else self.scale

    def others(self, version: Version | None) -> tuple[UsedLora, ...]:
        """Return the LoRAs of the example that are not this version."""
        return tuple(lora for lora in self.loras if not (version and is_of(lora, version)))

    def sentence(self) -> str | None:
        """Return a sentence for `unmapped`: "Not taken over: clip skip 2, ADetailer."."""
        return _("Not taken over: {settings}.").format(settings=", ".join(self.unmapped)) if self.unmapped else None


def settings(example: Example) -> ExampleSettings:
    """Read generation settings from a hub's example image."""
    return _settings(example.prompt or "", example.params)


def of_text(found: Infotext) -> ExampleSettings:
    """Read generation settings from the infotext of another program."""
    return _settings(found.prompt, {**found.fields, "Negative prompt": found.negative})


def of_provenance(image: Provenance) -> TrySettings:
    """Return the form settings that reproduce an image of hub-ui, or the comparison on a contact sheet."""
    sheet, is_local = image.whole_comparison, image.report is None or image.report.place == "local"
    # Use the settings of the full image, not of its draft.
    chosen = image.draft or image
    several = weights_compared(sheet)
    varied = next((i for i, values in enumerate(several) if len(values) > 1), 0)
    seeds = len({cell.seed for cell in sheet.cells}) if sheet else 1
    # Take each prompt once. If there are several seeds, a row's name ends with its seed.
    prompts = [row.rpartition(" · ")[0] if seeds > 1 else row for row in sheet.rows[::seeds]] if sheet else []
    same = {row.attribute: getattr(image, row.attribute) for row in TRY_FIELDS if row.attribute in image.__slots__}
    return replace(
        TrySettings(**same),
        prompt=prompt_text(image.typed if sheet else image.prompt),
        negative=prompt_text(image.negative),
        steps=chosen.steps or None,
        guidance=chosen.guidance,
        size=(chosen.width, chosen.height) if chosen.width and chosen.height else None,
        drafts="always" if image.draft else "auto",
        base=(image.base or "") if is_local else "",
        sampler=image.sampler or "",
        use_trigger_words=image.typed_with_words if sheet else False,
        sheet=sheet.kind if sheet and sheet.kind != "one" else "pair",
        prompts=tuple(prompts[1:]) if sheet and sheet.kind in ("grid", "loras") else (),
        seeds=seeds,
        place="replicate" if image.report and image.report.place == "replicate" else "local",
        weights=tuple(several[varied]) if several else (),
        varied=varied,
        strength=image.image.strength if image.image else None,
        **weights_of_parts([used_lora(lora, lora.full_weight) for lora in image.loras]),
    )


def weights_compared(sheet: Comparison | None) -> list[list[float]]:
    """Return the distinct weights of each LoRA in a comparison of weights."""
    if sheet is None or sheet.kind not in ("strip", "grid"):
        return []
    return [list(dict.fromkeys(values)) for values in zip(*(cell.weights for cell in sheet.cells), strict=True)]


def used_lora(lora: LoraProvenance, weight: float) -> UsedLora:
    return UsedLora(
        name=lora.title or lora.ref.id,
        weight=weight,
        hash=lora.sha256,
        clip_weight=round(weight * lora.text_encoder_scale, 2) if lora.text_encoder_scale != 1 else None,
        blocks=",".join(f"{number:g}" for number in lora.block_weights) or None,
    )


def weights_of_parts(loras: Sequence[UsedLora]) -> dict[str, Any]:
    """Return the form's clip and block weights: one for each LoRA, or none if no LoRA deviates from the default."""
    weights = [lora.weight if lora.clip_weight is None else lora.clip_weight for lora in loras]
    clip_weights = tuple(clamp_weight(1.0 if weight is None else weight) for weight in weights)
    return {
        "clip_weights": clip_weights if any(lora.clip_weight is not None for lora in loras) else (),
        "blocks": tuple((lora.blocks or "ALL")[:800] for lora in loras) if any(lora.blocks for lora in loras) else (),
    }


# The label and the text of each setting of a hub-ui image.
SETTINGS: tuple[tuple[str, Callable[[Provenance], str]], ...] = (
    (N_("Prompt"), lambda image: image.prompt),
    (N_("Negative prompt"), lambda image: image.negative),
    (N_("Seed"), lambda image: str(image.seed)),
    (N_("Quality"), lambda image: _("draft") if image.draft else _("in full")),
    (N_("Steps"), lambda image: str(image.steps)),
    (N_("Guidance"), lambda image: f"{image.guidance:g}"),
    (N_("Sampler"), lambda image: image.report.sampler if image.report else image.sampler or ""),
    (N_("Size"), lambda image: f"{image.width} × {image.height}"),
    (N_("Base"), lambda image: image.report.base if image.report else image.base or ""),
    (N_("Precision"), lambda image: precision_name(image.report.precision) if image.report else ""),
    (N_("Device"), lambda image: image.report.device if image.report else ""),
)


def is_of(lora: UsedLora, version: Version) -> bool:
    """Return whether a LoRA of an infotext is this version: by CivitAI's id, by hash, or else by file name."""
    if lora.version is not None and version.ref.hub == "civitai":
        return lora.version == version.ref.version
    for file in version.files:
        if lora.hash and file.sha256 and file.sha256.startswith(lora.hash):
            return True
        if file_stem(file.name) == file_stem(lora.name):
            return True
    return False


def _settings(prompt: str, params: Mapping[str, Any]) -> ExampleSettings:
    fields = {str(name): str(value) for name, value in params.items()}
    said = {
        name: next((fields[each].strip() for each in names if fields.get(each, "").strip()), None)
        for name, names in NAMES.items()
    }
    unmapped: list[str] = []
    read: dict[str, Any] = {
        row.attribute: row.default if row.check(said[row.attribute] or "") else row.value([said[row.attribute] or ""])
        for row in TRY_FIELDS
        if row.infotext
    }
    read |= {
        "prompt": infotext.without_tags(prompt),
        "negative": infotext.without_tags(said["negative"] or ""),
        # Other programs use 64 bits; the page has fewer seeds.
        "seed": _whole(said["seed"], 0, 2**63 - 1),
        "steps": _whole(said["steps"], 1, _MOST_STEPS),
        "guidance": _number(said["guidance"], 0, 100),
        "sampler": _sampler(said, unmapped),
        "size": _size(said),
        # "Hires fix" has a strength without an input image.
        "strength": None
        if any(name.startswith("Hires") for name in fields)
        else _number(fields.get("Denoising strength"), 0.001, 1),
    }
    found = ExampleSettings(
        loras=infotext.loras(Infotext(prompt=prompt, fields=fields)),
        scale=_number(said["scale"], -10, 10),
        **read,
    )
    start = [found.start] if found.strength else []
    return replace(found, unmapped=tuple(dict.fromkeys([*unmapped, *_find_unmapped(said, fields), *start])))


def _sampler(said: Mapping[str, str | None], unmapped: list[str]) -> str:
    """Return the sampler's name here, or "". ComfyUI's "scheduler" is the schedule; Replicate's is the sampler."""
    name = said["sampler"] or said["scheduler"]
    if name is None or name.lower() in ("undefined", "none"):
        return ""
    choice = samplers.read(name, said["schedule"] or (said["scheduler"] if said["sampler"] else None))
    if choice is None:
        unmapped.append(_("the sampler “{name}”").format(name=name[:60]))
        return ""
    if choice.unread:
        unmapped.append(_("the schedule type “{name}”").format(name=choice.unread[:60]))
    return choice.name


def _size(said: Mapping[str, str | None]) -> tuple[int, int] | None:
    """Return (width, height). Replicate's FLUX models use width and height only if the ratio is "custom"."""
    if said["aspect"] in _ASPECTS:
        return _ASPECTS[said["aspect"] or ""]
    match = _SIZE.fullmatch(said["size"] or "")
    sides = match.groups() if match else (said["width"], said["height"])
    width, height = (_whole(side, 1, _LONGEST_SIDE) for side in sides)
    return (width, height) if width and height else None


_OFF, _SILENT, _WHOLE = (tuple(OTHER_PROGRAMS[name]) for name in ("off", "silent", "whole"))
_RULES = msgspec.convert(OTHER_PROGRAMS["unmapped"], tuple[tuple[str, str, tuple[str, ...]], ...])
_PLAIN_NAME = re.compile(r"[A-Z][\w ]{2,40}")


def _find_unmapped(said: Mapping[str, str | None], fields: Mapping[str, str]) -> Iterator[str]:
    """Yield the numbers that are out of range here, and the settings that have no counterpart."""
    if said["steps"] and _whole(said["steps"], 1, _MOST_STEPS) is None:
        yield _("{count} steps").format(count=said["steps"][:20])
    if said["guidance"] and _number(said["guidance"], 0, 100) is None:
        yield _("CFG scale {number}").format(number=said["guidance"][:20])
    # A seed of -1 means a random seed.
    if said["seed"] and not said["seed"].startswith("-1") and _whole(said["seed"], 0, 2**63 - 1) is None:
        yield _("seed {seed}").format(seed=said["seed"][:30])
    if said["size"] and _size(said) is None:
        yield _("size {size}").format(size=said["size"][:20])
    for begins, words, unless in _RULES:
        is_whole = begins in _WHOLE
        names = (name for name in fields if (name == begins if is_whole else name.startswith(begins)))
        value = next((fields[name] for name in names), None)
        if value is not None and value.strip() not in (*unless, *(_OFF if "off" in unless else ())):
            yield _(words).format(value.strip()[:60])
    known = (*(name for names in NAMES.values() for name in names), *_SILENT, *(begins for begins, _, _ in _RULES))
    unknown = [name for name in fields if _PLAIN_NAME.fullmatch(name) and not name.startswith(known)]
    yield from (f"{name} {fields[name][:40]}".strip() for name in unknown[:_MOST_UNKNOWN])


def _whole(text: str | None, least: int, most: int) -> int | None:
    found = _number(text, least, most)
    # Above 2**53 a float is no longer exact.
    if found is not None and text is not None and text.strip().isascii() and text.strip().isdigit():
        return int(text)
    return int(found) if found is not None and found == int(found) else None


def _number(text: str | None, least: float, most: float) -> float | None:
    found = number(text)
    return found if found is not None and least <= found <= most else None


def file_stem(name: str) -> str:
    """Return a file's name for comparison: without folder and suffix, case-folded."""
    return re.sub(r"[\s_]+", " ", name.rpartition("/")[2].removesuffix(".safetensors")).casefold().strip()


# With fewer images, or for rarer choices, the statistics would mean little.
FEWEST = 5
LEAST_SHARE = 0.1
MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """The usual value of a setting: the median of a number, or a choice that `count` of `total` images made.

    The middle half of a number's values is between `low` and `high`, which are None for a choice.
    """

    field: str
    value: float | str
    count: int
    total: int
    low: float | None = None
    high: float | None = None

    def claim(self, hub: str) -> Claim:
        """Return a claim with the value and the count. `hub` is the hub's label."""
        text = f"{self.count} of {self.total} images on {hub}"
        if self.low is not None:
            text = f"median of {self.total} images on {hub}, half of them from {self.low:g} to {self.high:g}"
        return Claim(field=self.field, value=self.value, source="usage", where=text)


def usage(version: Version, examples: Iterable[Example]) -> tuple[Used, ...]:
    """Count how the examples use `version`: the median of each number, then the commonest choices."""
    read = [(example, settings(example)) for example in examples if example.prompt or example.params]
    made = [found for _example, found in read]
    bases = [_base(example) for example, _found in read]
    others = [frozenset(_others(found, version)) for found in made]
    return (
        *_median("weight", [found.weight(version) for found in made]),
        *_median("steps", [found.steps for found in made]),
        *_median("guidance", [found.guidance for found in made]),
        *_choices("sampler", [[found.sampler] for found in made if found.sampler]),
        *_choices("base_model", [[base] for base in bases if base]),
        *_choices("used_with", others),
    )


def _median(field: str, values: Sequence[float | None]) -> Iterator[Used]:
    known = [value for value in values if value is not None]
    if len(known) < FEWEST:
        return
    low, middle, high = (round(each, 2) for each in quantiles(known, n=4, method="inclusive"))
    whole = round(middle) if field == "steps" else middle
    yield Used(field=field, value=whole, count=len(known), total=len(known), low=low, high=high)


def _choices(field: str, chosen: Sequence[Iterable[Hashable]]) -> Iterator[Used]:
    """Yield the commonest choices. `chosen` has the choices of each image."""
    if len(chosen) < FEWEST:
        return
    counts = Counter[Any](value for values in chosen for value in values)
    for value, count in sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))[:MOST_NAMED]:
        if count >= max(2, LEAST_SHARE * len(chosen)):
            yield Used(field=field, value=value, count=count, total=len(chosen))


def _base(example: Example) -> str:
    """Return the id of the example's base, or the hub's name for an unknown base."""
    name = str(example.params.get("Base model", ""))
    found = base_models.find_base_name(name) if name else None
    return found[0] if found else name


def _others(found: ExampleSettings, version: Version) -> Iterator[str]:
    """Yield the names of the other LoRAs. The hub's own generator names a LoRA by its version alone: yield its ref.

    Names above soft are left out, because they are hub text.
    """
    for lora in found.others(version):
        if lora.version is not None and lora.name == lora.version:
            yield str(Ref(hub=version.ref.hub, id="", version=lora.version))
        elif lora.name and within(level_of(mature_claims((), [(lora.name, "name")])), "soft"):
            yield lora.name[:80]
