"""Templates -> HTML, with hubs' images under this server's addresses. Only detail.py's Markup is unescaped."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from connectors.image_urls import Media, with_width
from connectors.ref import Ref
from connectors.registry import HUBS, origin_label
from hub_ui import format
from hub_ui.i18n import LANGUAGES, _, ngettext
from hub_ui.locales import COOKIE
from hub_ui.web.glossary.glossary import TERMS

HUB_IMAGE_PATH = "hub-picture"
HUB_VIDEO_PATH = "hub-video"
LOCAL_IMAGE_PATH = "local-picture"
LONGEST = 4000
# Where an image stands, and the width in pixels that is asked of its hub: twice what a card is wide, and what CivitAI's
# own pages use. None is the original.
Place = Literal["card", "panel", "full"]
WIDTHS: Mapping[Place, int | None] = {"card": 450, "panel": 900, "full": None}


@dataclass(frozen=True, kw_only=True)
class ImageLinks:
    """Links are signed, so that the server fetches only addresses that it has shown."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def link(self, url: str, hub: str, path: str = HUB_IMAGE_PATH) -> str:
        """A relative link for an image or a video of `hub`; empty for what is no web address."""
        if not is_web_address(url) or len(url) > LONGEST:
            return ""
        return f"{path}?{urlencode({'url': url, 'hub': hub, 'signed': self._signature(url, hub, path)})}"

    def read(self, query: Mapping[str, str], path: str = HUB_IMAGE_PATH) -> tuple[str, str] | None:
        """The address and the hub of a link; None for an invalid signature."""
        url, hub = query.get("url", ""), query.get("hub", "")
        return (url, hub) if hmac.compare_digest(self._signature(url, hub, path), query.get("signed", "")) else None

    def local_link(self, path: Path) -> str:
        """A relative link for an image on this computer; empty for a name that no address can hold."""
        text = str(path)
        if not text.isprintable() or len(text) > LONGEST:
            return ""
        return f"{LOCAL_IMAGE_PATH}?{urlencode({'path': text, 'signed': self._signature(text, '', LOCAL_IMAGE_PATH)})}"

    def read_local(self, query: Mapping[str, str]) -> Path | None:
        """None for an invalid signature."""
        text = query.get("path", "")
        is_ours = hmac.compare_digest(self._signature(text, "", LOCAL_IMAGE_PATH), query.get("signed", ""))
        return Path(text) if text and is_ours else None

    def _signature(self, url: str, hub: str, path: str) -> str:
        return hmac.digest(self.secret, f"{path} {hub} {url}".encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def is_web_address(url: str) -> bool:
    """Hub text may hold javascript: or data: addresses."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


class Renderer:
    """Fills the templates of hub_ui/web. A hub's image goes in by its link of `links`."""

    def __init__(self, links: ImageLinks | None = None) -> None:
        self.links = links or ImageLinks()
        self._environment = Environment(
            loader=PackageLoader("hub_ui", "web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            auto_reload=False,
            lstrip_blocks=True,
        )
        # Not Jinja's own i18n extension, whose gettext() marks its result as safe.
        self._environment.globals.update(_=_, ngettext=ngettext, languages=LANGUAGES, language_cookie=COOKIE)
        self._environment.filters.update(
            address=address,
            key=key,
            place=lambda view, name: view.place(name),
            ago=format.ago,
            count=format.count,
            heading=format.title,
            number=format.number,
            mark=lambda hub: HUBS[hub].mark,
            origin=origin_label,
            pairs=lambda values: [(value, value) for value in values],
            image=self.image_url,
            video=partial(self.image_url, media="video"),
            still=partial(self.image_url, media="still"),
            since=format.since,
            size=format.size,
            visible=format.visible,
        )
        self._environment.globals["glossary"] = TERMS

    def __call__(self, template: str, **values: Any) -> str:
        return self._environment.get_template(f"{template}.html").render(**values)

    def image_url(self, url: str, ref: Ref | str, place: Place | None = None, media: Media = "image") -> str:
        """This server's address for an image or video of the LoRA `ref`, of the width for its place.

        Without a place it is fetched from `url` as it is.
        """
        hub = str(ref).partition(":")[0]
        sized = with_width(url, hub, WIDTHS[place], media) if place else url
        if media == "still" and sized == url:
            # This hub has the video alone.
            return ""
        return self.links.link(sized, hub, HUB_VIDEO_PATH if media == "video" else HUB_IMAGE_PATH)


def key(text: str) -> str:
    """A short name for an element's id, the same for the same text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def address(url: str | None) -> str:
    """`url` if it is a web address, else empty."""
    return url if url and is_web_address(url) else ""
