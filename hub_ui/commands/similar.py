"""hub-ui similar: LoRAs like one, from the catalog."""

import os
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from connectors.errors import NotFound
from connectors.query import Query
from hub_ui import services, settings
from hub_ui.commands import options
from hub_ui.commands.options import JsonOption, argument, option, parse_ref
from hub_ui.commands.search import print_records
from hub_ui.terminal import Terminal
from hub_ui.used_loras import find_ref


@dataclass(frozen=True, kw_only=True)
class Similar(JsonOption):
    ref: Annotated[str, argument("REF", "A web address, or HUB:ID.")]
    limit: Annotated[int, option("N", "The number of results.", options.count)] = 12
    nsfw: Annotated[
        str, option("LEVEL", "At most safe (rated so), soft (also what nobody rated), mature or explicit.")
    ] = "soft"

    def run(self, terminal: Terminal) -> int:
        level = Query.of(nsfw=self.nsfw).nsfw
        with services.build(settings.from_environment(os.environ)) as built:
            ref = parse_ref(self.ref, partial(find_ref, built))
            try:
                lora = built.catalog.lora(ref)
            except NotFound:
                # Its hub tells of it, which enters it into the catalog.
                lora = built.lookup.get(ref)
            records = built.catalog.similar(lora.ref, limit=self.limit, nsfw=level)
        if terminal.json:
            terminal.document({"results": [record.to_json() for record in records]})
        else:
            print_records(records, terminal)
        if not records:
            terminal.note("The catalog has nothing similar yet. hub-ui crawl reads the hubs' lists into it.")
        return 0
