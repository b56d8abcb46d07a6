"""Templates -> HTML. Everything is escaped but Markup, which only description.py makes of a stranger's text."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from connectors.ref import Ref
from connectors.registry import HUBS, origin_label
from hub_ui.widgets import format
from hub_ui.widgets.picture_links import ImageLinks, is_web_address


class Renderer:
    """Fills the templates of hub_ui/widgets/templates. A hub's picture goes in by its link of `pictures`."""

    def __init__(self, pictures: ImageLinks | None = None) -> None:
        self.pictures = pictures or ImageLinks()
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
            picture=self.picture,
            size=format.size,
            visible=format.visible,
        )

    def __call__(self, template: str, **values: Any) -> str:
        return self._environment.get_template(f"{template}.html").render(**values)

    def picture(self, url: str, ref: Ref | str) -> str:
        """The page's own address of a picture that the LoRA `ref` shows."""
        return self.pictures.link(url, str(ref).partition(":")[0])


def address(url: str | None) -> str:
    """`url` if it is a web address, else empty."""
    return url if url and is_web_address(url) else ""
