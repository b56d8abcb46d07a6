"""Pictures of the library's rows: the hub's, else the latest one made with a LoRA, else the one beside its file."""

from connectors.record import Record
from hub_ui.library_index import LibraryRow
from hub_ui.services import Services
from hub_ui.widgets import cards
from hub_ui.widgets.render import Renderer, address


def picture(services: Services, render: Renderer, row: LibraryRow, record: Record | None) -> str:
    """Its address on this server; empty for none. Nothing mature is shown here."""
    cover = cards.cover(record, "soft") if record else None
    if cover is not None and address(cover.url):
        return render.image_url(cover.url, row.entry.ref, "card")
    use = services.uses.latest().get(row.entry.ref.lora)
    path = use.thumbnail if use else services.library_index.picture_beside(row.entry)
    return render.links.local_link(path) if path else ""
