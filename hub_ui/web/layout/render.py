"""Rendering of templates to HTML, signed links for images, and the tables of words and of glossary terms.

All values are escaped, except the Markup of lora/detail.py.
"""

import hmac
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from connectors.query_language import value_text
from connectors.record import within
from connectors.ref import Ref
from connectors.registry import HUBS, Media, origin_label, with_width
from hub_ui.base import format
from hub_ui.base.i18n import LANGUAGES, _, ngettext

HUB_IMAGE_PATH = "hub-picture"
HUB_VIDEO_PATH = "hub-video"
LOCAL_IMAGE_PATH = "local-picture"
LONGEST = 4000
_NOT_XML = re.compile("[^\\t\\n\\r -\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
# The places of an image, and the width in pixels to request from its hub, or None for the original. 450 is twice the
# width of a card, and a width that CivitAI's pages use.
Place = Literal["card", "panel", "full"]
WIDTHS: Mapping[Place, int | None] = {"card": 450, "panel": 900, "full": None}


def read_table(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


_TEXTS = read_table("terms")
_MORE = _TEXTS.pop("more")
# The glossary, by the anchors of its headings.
TERMS: Mapping[str, Mapping[str, str]] = {
    title.casefold().replace(" ", "-"): {"title": title, "text": text, "more": _MORE.get(title, "")}
    for title, text in _TEXTS.items()
}
WORDS: Mapping[str, Mapping[str, Any]] = read_table("words")


def word(table: str, key: str) -> str:
    """Return the translated word of `key`, or "" if the table lacks it."""
    return _(WORDS[table].get(key, ""))


@dataclass(frozen=True, kw_only=True)
class ImageLinks:
    """Signed links to images, so that the server fetches only URLs from its own pages."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def link(self, url: str, hub: str, path: str = HUB_IMAGE_PATH) -> str:
        """Return a relative link for an image or a video of `hub`, or "" if `url` is not a web address."""
        return self._sign(path, url=url, hub=hub) if is_web_address(url) and len(url) <= LONGEST else ""

    def local_link(self, path: Path) -> str:
        """Return a relative link for a local image, or "" if its path does not fit in a URL."""
        text = str(path)
        return self._sign(LOCAL_IMAGE_PATH, path=text) if text.isprintable() and len(text) <= LONGEST else ""

    def _sign(self, address: str, **values: str) -> str:
        return f"{address}?{urlencode({**values, 'signed': self.signature(address, values)})}"

    def read(self, address: str, query: Mapping[str, str], *names: str) -> Mapping[str, str] | None:
        """Return the values of a link, or None if its signature is invalid."""
        values = {name: query.get(name, "") for name in names}
        is_valid = hmac.compare_digest(self.signature(address, values).encode(), query.get("signed", "").encode())
        return values if is_valid else None

    def signature(self, address: str, values: Mapping[str, str]) -> str:
        text = f"{address}?{urlencode(values, errors='surrogatepass')}"
        return hmac.digest(self.secret, text.encode(), "sha256").hex()[:32]


def is_web_address(url: str) -> bool:
    """Return whether `url` is http or https. Text of hubs may contain javascript: or data: URLs."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


class Renderer:
    """The renderer of the templates in hub_ui/web. Its filters turn URLs of hubs' images into signed links."""

    def __init__(self) -> None:
        self.links = ImageLinks()
        # Cached, because pages repeat the same images.
        self.image_url = lru_cache(maxsize=10_000)(self._image_url)
        self._environment = Environment(
            loader=PackageLoader("hub_ui", "web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            auto_reload=False,
            lstrip_blocks=True,
        )
        # Not Jinja's own i18n extension, whose gettext() marks its result as safe.
        self._environment.globals.update(_=_, ngettext=ngettext, languages=LANGUAGES, glossary=TERMS, tables=WORDS)
        self._environment.filters.update(
            address=address,
            key=key,
            ago=format.ago,
            base=format.base_name,
            base_of=format.base_label,
            count=format.count,
            heading=format.title,
            name=format.record_title,
            part=lambda text, key: f"{key}:{value_text(text or '')}",
            number=format.number,
            lines=lambda text: "\n".join(map(format.visible, text.splitlines())),
            mark=lambda hub: HUBS[hub].mark,
            origin=origin_label,
            image=self.image_url,
            video=partial(self.image_url, media="video"),
            still=partial(self.image_url, media="still"),
            since=format.since,
            size=format.size,
            visible=format.visible,
            xml=xml,
        )

        self._environment.tests.update(mature=lambda level: not within(level, "soft"))

    def __call__(self, template: str, **values: Any) -> str:
        name = template if template.endswith(".xml") else f"{template}.html"
        return self._environment.get_template(name).render(**values)

    def _image_url(self, url: str, ref: Ref | str, place: Place | None = None, media: Media = "image") -> str:
        """Return a link for an image or video of the LoRA `ref`, in the width for `place`.

        The link is for `url` itself if `place` is None. Return "" if the hub has no still image of a video.
        """
        hub = str(ref).partition(":")[0]
        sized = with_width(url, hub, WIDTHS[place], media) if place else url
        if media == "still" and sized == url:
            return ""
        return self.links.link(sized, hub, HUB_VIDEO_PATH if media == "video" else HUB_IMAGE_PATH)


def xml(text: str) -> str:
    """Remove hidden characters, and characters that XML does not allow."""
    return _NOT_XML.sub("", format.visible(text))


def key(text: str) -> str:
    """Return a short digest of `text` for the id of an element."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def address(url: str | None) -> str:
    """Return `url` if it is a web address, else ""."""
    return url if url and is_web_address(url) else ""
