"""Two results side by side: any image of the one under the slider with any of the other, and what differs."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from connectors.errors import UsageError
from hub_ui.generate.base_models.precision import precision_name
from hub_ui.i18n import N_, _
from hub_ui.images import png_metadata
from hub_ui.images.provenance import Provenance
from hub_ui.web.images import GeneratedImages
from hub_ui.web.try_page.result import Difference, Result

_SETTINGS: tuple[tuple[str, Callable[[Provenance], str]], ...] = (
    (N_("Prompt"), lambda image: image.prompt),
    (N_("Negative prompt"), lambda image: image.negative),
    (N_("Seed"), lambda image: str(image.seed)),
    (N_("Steps"), lambda image: str(image.steps)),
    (N_("Guidance"), lambda image: f"{image.guidance:g}"),
    (N_("Sampler"), lambda image: image.report.sampler if image.report else image.sampler or ""),
    (N_("Size"), lambda image: f"{image.width} × {image.height}"),
    (N_("Base"), lambda image: image.report.base if image.report else image.base or ""),
    (N_("Precision"), lambda image: precision_name(image.report.precision) if image.report else ""),
    (N_("Device"), lambda image: image.report.device if image.report else ""),
)


def side_by_side(first: Result, second: Result, images: GeneratedImages) -> Result:
    """`first` on the left of the slider; of two results that are compared already, the right one stays."""
    kept, at = second.tiles[second.split :], second.right - second.split
    notes = [*first.notes, *second.notes]
    if (first.width, first.height) != (second.width, second.height):
        sizes = _("A has {size} pixels, B {other}: each is shown whole.")
        notes.insert(0, sizes.format(size=f"{first.width} × {first.height}", other=f"{second.width} × {second.height}"))
    both = replace(
        second, kind="one", tiles=(*first.tiles, *kept), split=len(first.tiles), left=first.right,
        right=len(first.tiles) + max(0, at), fits=True, sheet="", offered=(), request=None, missed=(), link="",
        link_note="", notes=tuple(dict.fromkeys(notes)), refs=tuple(dict.fromkeys((*first.refs, *second.refs))),
    )  # fmt: skip
    return with_differences(both, images)


def with_differences(both: Result, images: GeneratedImages) -> Result:
    """Those of the two images under the slider."""
    tiles = both.tiles[both.left], both.tiles[both.right]
    try:
        left, right = (png_metadata.read(images.path(tile.src)) for tile in tiles)
    # One that was dropped does not say it in our way.
    except UsageError:
        return replace(both, differences=())
    return replace(both, differences=tuple(differences(left, right)))


def differences(left: Provenance, right: Provenance) -> Iterator[Difference]:
    """The weights of their LoRAs first."""
    titles = {lora.ref.lora: lora.title or str(lora.ref) for image in (left, right) for lora in image.loras}
    for ref, title in titles.items():
        weights = [{lora.ref.lora: lora.weight for lora in image.loras}.get(ref, 0.0) for image in (left, right)]
        if weights[0] != weights[1]:
            name = _("Weight of {title}").format(title=title)
            yield Difference(name=name, left=f"{weights[0]:g}", right=f"{weights[1]:g}")
    for name, value in _SETTINGS:
        if value(left) != value(right):
            yield Difference(name=_(name), left=value(left) or "–", right=value(right) or "–")
