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
class GalleryItem:
    """`index` is its position in the record."""

    index: int
    example: Example

    @property
    def is_usable(self) -> bool:
        """Whether it has settings to generate with."""
        return bool(self.example.prompt or self.example.params)

    @property
    def is_mature(self) -> bool:
        return not within(self.example.nsfw, "soft")

    @property
    def prompt(self) -> str:
        return _lines(self.example.prompt)

    @property
    def negative(self) -> str:
        return _lines(example_settings.settings(self.example).negative)

    @property
    def settings(self) -> tuple[Setting, ...]:
        return tuple(settings(self.example))

    @property
    def loras(self) -> tuple[tuple[str, str, str], ...]:
        """Each with its weight, and the tag that calls it in a prompt of A1111 and its kin."""
        return tuple(map(lora, example_settings.settings(self.example).loras))


def gallery(record: Record, ceiling: Nsfw) -> tuple[GalleryItem, ...]:
    shown = [(index, each) for index, each in enumerate(record.images) if within(each.nsfw, ceiling)]
    return tuple(GalleryItem(index=index, example=each) for index, each in shown[:MOST_ITEMS])


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


def lora(used: UsedLora) -> tuple[str, str, str]:
    name, weight = format.visible(used.name), "" if used.weight is None else f"{used.weight:g}"
    return name, weight, f"<lora:{name}:{weight or 1}>"


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
