"""Templates -> HTML. Everything is escaped unless a template says `|safe`, which only sanitised text may have."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import nh3
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hub_ui.widgets import words

_ALLOWED_TAGS = {
    "a", "b", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "hr", "i", "li", "ol", "p", "pre", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "u", "ul",
}  # fmt: skip


class Renderer:
    """Fills the templates of hub_ui/widgets/templates."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("hub_ui.widgets"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            address=address, ago=words.ago, count=words.count, size=words.size, visible=words.visible
        )

    def __call__(self, template: str, **values: Any) -> str:
        return self._environment.get_template(f"{template}.html").render(**values)


def address(url: str | None) -> str:
    """`url` if it is a web address, else empty: hub text may hold javascript: or data: addresses."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


def sanitised(description: str, kind: str) -> Markup:
    """A hub's description as harmless HTML: no scripts, styles, pictures, forms or relative links."""
    if kind == "html":
        html = description
    else:
        html = "".join(f"<p>{nh3.clean_text(part)}</p>" for part in description.split("\n\n") if part.strip())
    return Markup(nh3.clean(html, tags=_ALLOWED_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https"}))
