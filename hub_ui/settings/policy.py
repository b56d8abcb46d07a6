"""What visitors may do: all on one's own computer; on a shared page no keys, folders, money or others' things."""

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from connectors.errors import UsageError
from hub_ui.hosting.limits import Limits
from hub_ui.i18n import N_, _, language

Action = Literal[
    "use keys", "pull", "see library", "change library", "train", "run on Replicate", "fetch bases", "open paths",
    "use own files", "keep history", "change settings", "annotate", "ask other hosts",
]  # fmt: skip

REFUSALS: dict[Action, str] = {
    "use keys": N_(
        "A shared page uses nobody's keys. Choose a LoRA that is open to everyone, or run hub-ui on your own computer."
    ),
    "pull": N_("Nothing is downloaded for visitors of a shared page. Copy the ref and pull it at home."),
    "see library": N_("A shared page shows nobody's library. Run hub-ui on your own computer to have one."),
    "change library": N_("The library of a shared page can't be changed by its visitors."),
    "train": N_("A shared page trains nothing. Run hub-ui on your own computer to train with a key of your own."),
    "run on Replicate": N_("A shared page generates on its own computer only."),
    "fetch bases": N_(
        "This shared page does not have {what} on its disk. Choose another base, or run hub-ui on your own computer."
    ),
    "open paths": N_(
        "A shared page generates with the bases of its list. Choose one of those, or run hub-ui on your own computer."
    ),
    "use own files": N_(
        "A shared page tries what hubs have. Choose one of their LoRAs, or run hub-ui on your own computer."
    ),
    "change settings": N_("The settings of a shared page are its owner's."),
    "keep history": N_(
        "A shared page keeps no history. Save the images that you like, or run hub-ui on your own computer."
    ),
    "ask other hosts": N_("A shared page reads what hubs have. Give the address of a LoRA on one of them."),
    "annotate": N_("A shared page keeps nobody's notes and favourites. Run hub-ui on your own computer to have them."),
}


@dataclass(frozen=True, kw_only=True)
class WebLimits:
    """What requests may take of the computer that serves the page.

    `uploads_bytes` is of all that are kept. `pixels` is of an uploaded image, which is gone after `keep_seconds`.
    `events` are the requests of one visitor without an answer yet, `address_events` those of all at one address.
    `media_bytes` of hubs' images and videos are kept on disk.
    """

    body_bytes: int
    upload_bytes: int
    uploads_bytes: int
    keep_seconds: int
    pixels: int
    events: int
    address_events: int
    media_bytes: int


_NAMES = {
    "loras": N_("LoRAs"),
    "images": N_("images"),
    "steps": N_("steps"),
    "side": N_("pixels a side"),
    "frames": N_("frames"),
}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """`bounds` are what one generation may use, None where the engine's own are enough. `frames` are the sites that may
    show the page in a frame.

    `has_rates`: whether all visitors together ask a hub only as often as its rate says.
    """

    allowed: frozenset[Action]
    limits: WebLimits
    bounds: Limits | None = None
    frames: str = "'self'"
    has_rates: bool = False

    def allows(self, action: Action) -> bool:
        return action in self.allowed

    def check(self, action: Action, what: str = "") -> None:
        """Raises UsageError, with what to do instead. `what` it is about is named where that is not plain."""
        if action not in self.allowed:
            raise UsageError(_(REFUSALS[action]).format(what=what))

    def check_bounds(self, **requested: int | None) -> None:
        """Raises UsageError that names what is too much, and how much is not. None is the base's own value."""
        for name, number in requested.items() if self.bounds else ():
            most = getattr(self.bounds, name)
            if number is not None and number > most:
                text = _(
                    "A shared page takes at most {most} {things} at once, not {number}. Ask for less, or run hub-ui "
                    "on your own computer."
                )
                things = _(_NAMES.get(name, name))
                shown = language().number
                raise UsageError(text.format(most=shown(most), things=things, number=shown(number)))

    @property
    def allows_every_base(self) -> bool:
        return self.bounds is None or not self.bounds.bases

    def allows_base(self, base: str) -> bool:
        """Whether to generate with a base model of the table, by its id."""
        return self.bounds is None or not self.bounds.bases or base in self.bounds.bases


LOCAL = Policy(
    allowed=frozenset(get_args(Action)),
    limits=WebLimits(
        body_bytes=16_000_000, upload_bytes=1_000_000_000, uploads_bytes=50_000_000_000, keep_seconds=86_400,
        pixels=80_000_000, events=500, address_events=500, media_bytes=500_000_000,
    ),
)  # fmt: skip


@cache
def hosted_policy(limits: Limits) -> Policy:
    """What the visitors of a page may do whose operator has set `limits`."""
    web = WebLimits(
        body_bytes=1_000_000, upload_bytes=limits.upload_bytes, uploads_bytes=limits.uploads_bytes,
        keep_seconds=3_600, pixels=4096 * 4096, events=100, address_events=1_000, media_bytes=200_000_000,
    )  # fmt: skip
    # A Space is shown within a page of Hugging Face.
    frames = "'self' https://huggingface.co"
    return Policy(allowed=frozenset(), limits=web, bounds=limits, frames=frames, has_rates=True)
