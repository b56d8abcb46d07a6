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
            similar = built.catalog.similar(lora.ref, limit=self.limit, nsfw=level)
        if terminal.json:
            found = [{**each.record.to_json(), "score": each.score, "reason": each.reason} for each in similar]
            terminal.document({"results": found})
        else:
            terminal.table(
                ("TITLE", "BY", "BASE MODEL", "SCORE", "WHY", "REF"),
                [
                    (
                        each.record.title,
                        each.record.creator or "",
                        each.record.base_model or each.record.raw_base_model or "",
                        f"{each.score:.2f}",
                        each.reason,
                        str(each.record.ref),
                    )
                    for each in similar
                ],
            )
        if not similar:
            terminal.note("The catalog has nothing similar yet. hub-ui crawl reads the hubs' lists into it.")
        return 0
