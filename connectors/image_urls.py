"""The width of an image that is asked of a hub: a card needs no original of many megabytes."""

from typing import Literal

from connectors.ref import Origin
from connectors.registry import HUBS

# A still is the first frame of a video.
Media = Literal["image", "video", "still"]


def with_width(url: str, origin: Origin, width: int | None, media: Media = "image") -> str:
    """`url` for about `width` pixels, or for the original with None; unchanged where the hub has one size only."""
    sizes = HUBS[origin].image_sizes if origin in HUBS else None
    match = sizes.address.fullmatch(url) if sizes else None
    if sizes is None or match is None:
        return url
    forms = {"image": sizes.image, "video": sizes.video, "still": sizes.still}
    return match[1] + (sizes.original if width is None else forms[media].format(width=width)) + match[2]
