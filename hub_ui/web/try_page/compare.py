"""What an image was made with, in words, and what differs between two."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hub_ui.generate.base_models.precision import precision_name
from hub_ui.i18n import N_, _
from hub_ui.images.provenance import Provenance

SETTINGS: tuple[tuple[str, Callable[[Provenance], str]], ...] = (
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


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A setting of two images."""

    name: str
    left: str
    right: str


def differences(left: Provenance, right: Provenance) -> Iterator[Difference]:
    """The weights of their LoRAs first."""
    titles = {lora.ref.lora: lora.title or str(lora.ref) for image in (left, right) for lora in image.loras}
    for ref, title in titles.items():
        weights = [{lora.ref.lora: lora.weight for lora in image.loras}.get(ref, 0.0) for image in (left, right)]
        if weights[0] != weights[1]:
            name = _("Weight of {title}").format(title=title)
            yield Difference(name=name, left=f"{weights[0]:g}", right=f"{weights[1]:g}")
    for name, value in SETTINGS:
        if value(left) != value(right):
            yield Difference(name=_(name), left=value(left) or "–", right=value(right) or "–")
