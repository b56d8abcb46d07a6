"""The images and videos of a LoRA, and how each was made: every setting that its hub knows, to read and to copy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.record import Example, Nsfw, Record, within
from hub_ui import format
from hub_ui.i18n import N_, _
from hub_ui.images import example_settings
from hub_ui.images.infotext import UsedLora

# More than any hub shows of one version.
MOST_ITEMS = 60
MOST_OTHER = 40
LONGEST_VALUE = 300
# (setting of example_settings, its name here, its word in the glossary)
SHOWN: tuple[tuple[str, str, str], ...] = (
    ("seed", N_("Seed"), "seed"),
    ("steps", N_("Steps"), "steps"),
    ("sampler", N_("Sampler"), "sampler"),
    ("schedule", N_("Schedule"), "sampler"),
    ("scheduler", N_("Scheduler"), "sampler"),
    ("guidance", N_("Guidance"), "guidance"),
    ("size", N_("Size"), ""),
    ("model", N_("Model"), "base-model"),
)
# Lists and digests that are shown as LoRAs, or that say nothing to a person.
HIDDEN = ("Lora hashes", "Lora weights", "Civitai resources", "Model hash", "Negative prompt", "prompt", "hashes")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """`term` is its word in the glossary, empty for none. What is shown is what is copied."""

    name: str
    value: str
    term: str = ""


@dataclass(frozen=True, kw_only=True)
class GalleryLora:
    """`tag` is how a prompt calls it in A1111 and its kin."""

    name: str
    weight: str
    tag: str


@dataclass(frozen=True, kw_only=True)
class GalleryItem:
    """`index` is its position in the record; `is_usable`: it has settings to generate with."""

    index: int
    example: Example
    is_usable: bool
    is_mature: bool
    prompt: str
    negative: str
    settings: tuple[Setting, ...]
    loras: tuple[GalleryLora, ...]


def gallery(record: Record, ceiling: Nsfw) -> tuple[GalleryItem, ...]:
    shown = [(index, each) for index, each in enumerate(record.images) if within(each.nsfw, ceiling)]
    return tuple(item(index, each) for index, each in shown[:MOST_ITEMS])


def item(index: int, example: Example) -> GalleryItem:
    read = example_settings.settings(example)
    return GalleryItem(
        index=index,
        example=example,
        is_usable=bool(example.prompt or example.params),
        is_mature=not within(example.nsfw, "soft"),
        prompt=_lines(example.prompt),
        negative=_lines(read.negative),
        settings=tuple(settings(example)),
        loras=tuple(map(lora, read.loras)),
    )


def settings(example: Example) -> Iterator[Setting]:
    """Those with a word of their own, then everything else as its hub names it."""
    params = {str(name): value for name, value in example.params.items()}
    names = {**example_settings.NAMES, "model": ("Model", "baseModel", "model")}
    for name, title, term in SHOWN:
        value = next((text for each in names[name] if (text := _text(params.get(each)))), "")
        if name == "size" and not value:
            value = _size(params)
        if value:
            yield Setting(name=_(title), value=value, term=term)
    used = {each for name in (*(row[0] for row in SHOWN), "negative", "width", "height") for each in names[name]}
    others = [(name, _text(value)) for name, value in params.items() if name not in used and name not in HIDDEN]
    yield from (
        Setting(name=format.visible(n)[:60], value=v) for n, v in [each for each in others if each[1]][:MOST_OTHER]
    )


def lora(used: UsedLora) -> GalleryLora:
    weight = "" if used.weight is None else f"{used.weight:g}"
    name = format.visible(used.name)
    return GalleryLora(name=name, weight=weight, tag=f"<lora:{name}:{weight or 1}>")


def _lines(text: str | None) -> str:
    return "\n".join(format.visible(line) for line in (text or "").splitlines())


def _size(params: Mapping[str, Any]) -> str:
    width, height = (_text(params.get(name)) for name in ("width", "height"))
    return f"{width} × {height}" if width and height else ""


def _text(value: Any) -> str:
    """Numbers and text; lists of the hub's own are no settings that a person reads."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return str(value).lower() if isinstance(value, bool) else ""
    text = f"{value:g}" if isinstance(value, float) else format.visible(str(value))
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
