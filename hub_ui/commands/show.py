"""hub-ui show: everything known about one LoRA, with sources."""

import os
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from connectors.record import Lora, Record, distinct, is_marked
from hub_ui import documents, services, settings
from hub_ui.commands.options import JsonOption, argument, parse_ref
from hub_ui.format import danger, size
from hub_ui.terminal import Terminal
from hub_ui.used_loras import find_ref


@dataclass(frozen=True, kw_only=True)
class Show(JsonOption):
    ref: Annotated[str, argument("REF", "A web address, or HUB:ID.")]

    def run(self, terminal: Terminal) -> int:
        with services.build(settings.from_environment(os.environ)) as built:
            found = documents.show(built, parse_ref(self.ref, partial(find_ref, built)))
        if found.note:
            terminal.note(found.note)
        if terminal.json:
            terminal.document(found.to_json())
        else:
            _print(found.lora, found.record, terminal)
        return 0


def _print(lora: Lora, record: Record, terminal: Terminal) -> None:
    numbers = (
        ("rank", record.rank),
        ("alpha", None if record.alpha is None else f"{record.alpha:g}"),
        ("weight", record.weight_text),
    )
    terminal.facts(
        [
            ("title", record.title),
            ("by", record.creator),
            ("ref", str(record.ref)),
            ("address", record.url),
            ("also at", ", ".join(map(str, record.homes))),
            ("base model", record.base_model or record.raw_base_model),
            ("architecture", record.architecture),
            ("kind", record.kind),
            ("trigger words", ", ".join(record.trigger_words)),
            ("strength", " ".join(f"{name} {value}" for name, value in numbers if value)),
            ("file", f"{record.file.name} {size(record.file.size, precise=True)}" if record.file else None),
            ("licence", record.license),
            ("access", record.access),
            ("content", record.nsfw or "unrated"),
            ("shows", "a real person" if is_marked(record.claims, "real_person") else None),
            ("danger", danger(record) or None),
            ("conflicts", " ".join(record.conflict_sentences)),
        ]
    )
    for version in lora.versions:
        terminal.line()
        terminal.line(f"{version.name}  {version.updated_at or ''}  {version.access}  {version.ref}")
        sizes = [(file.name, size(file.size, precise=True) or "size unknown") for file in version.files]
        terminal.lines(f"  {name}  {text}" for name, text in sizes)
    if record.claims:
        terminal.line()
    for claim in distinct(record.claims):
        value = ", ".join(claim.value) if isinstance(claim.value, tuple) else claim.value
        terminal.line(f"{claim.field} = {value}  ({claim.source}: {claim.where})")
