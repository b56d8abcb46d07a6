"""Templates -> HTML, with hubs' images under this server's addresses. Only detail.py's Markup is unescaped.

Gradio evaluates a filled `html_template` as a JavaScript template literal, so `${...}` in a title would run as code. So
Jinja2 fills all templates here, and the browser receives the finished HTML.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any
from urllib.parse import urlencode, urlsplit

import gradio as gr
from jinja2 import Environment, PackageLoader, StrictUndefined

from connectors.ref import Ref
from connectors.registry import HUBS, origin_label
from hub_ui import format
from hub_ui.widgets.glossary import TERMS

HUB_IMAGE_PATH = "hub-picture"
LONGEST = 4000


@dataclass(frozen=True, kw_only=True)
class ImageLinks:
    """Links are signed, so that the server fetches only addresses that it has shown."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def link(self, url: str, hub: str) -> str:
        """A relative link for an image of `hub`; empty for what is no web address."""
        if not is_web_address(url) or len(url) > LONGEST:
            return ""
        return f"{HUB_IMAGE_PATH}?{urlencode({'url': url, 'hub': hub, 'signed': self._signature(url, hub)})}"

    def read(self, query: Mapping[str, str]) -> tuple[str, str] | None:
        """The address and the hub of a link; None for an invalid signature."""
        url, hub = query.get("url", ""), query.get("hub", "")
        return (url, hub) if hmac.compare_digest(self._signature(url, hub), query.get("signed", "")) else None

    def _signature(self, url: str, hub: str) -> str:
        return hmac.digest(self.secret, f"{hub} {url}".encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def is_web_address(url: str) -> bool:
    """Hub text may hold javascript: or data: addresses."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


class Renderer:
    """Fills the templates of hub_ui/widgets/templates. A hub's image goes in by its link of `links`."""

    def __init__(self, links: ImageLinks | None = None) -> None:
        self.links = links or ImageLinks()
        self._environment = Environment(
            loader=PackageLoader("hub_ui.widgets"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            address=address,
            ago=format.ago,
            count=format.count,
            mark=lambda hub: HUBS[hub].mark,
            origin=origin_label,
            pairs=lambda values: [(value, value) for value in values],
            image=self.image_url,
            size=format.size,
            visible=format.visible,
        )
        self._environment.globals["glossary"] = TERMS

    def __call__(self, template: str, **values: Any) -> str:
        return self._environment.get_template(f"{template}.html").render(**values)

    def image_url(self, url: str, ref: Ref | str) -> str:
        """This server's address for an image of the LoRA `ref`."""
        return self.links.link(url, str(ref).partition(":")[0])


def address(url: str | None) -> str:
    """`url` if it is a web address, else empty."""
    return url if url and is_web_address(url) else ""


def widget(value: str = "", *, elem_id: str, script: str = "") -> gr.HTML:
    """`value` is finished HTML; the event `act` carries the clicked element's data- attributes. `script` may call
    `trigger('act', {...})`. A function, since Gradio (6.31) writes a .pyi file for each component subclass.
    """
    return gr.HTML(
        value,
        html_template="${value}",
        css_template="",
        js_on_load=read_script("widget") + script,
        apply_default_css=False,
        elem_id=elem_id,
    )


def read_script(name: str) -> str:
    """One of hub_ui/widgets/scripts, for a widget's `script`."""
    return (resources.files("hub_ui.widgets") / "scripts" / f"{name}.js").read_text(encoding="utf-8")


def act_data(event: gr.EventData) -> dict[str, Any]:
    """The clicked element's attributes, all strings. The browser is not trusted: callers check each value."""
    data = event._data
    return {str(k): v for k, v in data.items()} if isinstance(data, dict) else {}
