"""hub-ui show: everything known about one LoRA, with sources."""

import os
from dataclasses import dataclass, replace
from typing import Annotated, Any

from connectors.claims.resolve import record_of, with_header
from connectors.errors import HubUiError
from connectors.record import Access, Lora, Record, Version, claims_to_json, distinct, example_to_json, file_to_json
from hub_ui import services, settings
from hub_ui.commands.options import JsonOption, argument, parse_ref
from hub_ui.format import size
from hub_ui.terminal import Terminal

# Files that cannot be downloaded.
_NO_FILE: tuple[Access, ...] = ("generation-only", "archived", "removed")


@dataclass(frozen=True, kw_only=True)
class Show(JsonOption):
    ref: Annotated[str, argument("REF", "A web address, or HUB:ID.")]

    def run(self, terminal: Terminal) -> int:
        ref = parse_ref(self.ref)
        with services.build(settings.from_environment(os.environ)) as built:
            lora = built.lookup.get(ref)
            record = record_of(lora, ref)
            if record.file and record.file.format == "safetensors" and record.access not in _NO_FILE:
                try:
                    facts = built.lookup.inspect(record.file.ref)
                    lora = with_header(lora, record.file.ref, facts.adapter)
                    record = record_of(lora, ref)
                except HubUiError as error:
                    terminal.note(f"The file's own header is not among the facts: {error.message}")
            record = replace(record, homes=built.catalog.homes(lora.ref))
        if terminal.json:
            terminal.document({**record.to_json(), "versions": [version_json(version) for version in lora.versions]})
        else:
            _print(lora, record, terminal)
        return 0


def version_json(version: Version) -> dict[str, Any]:
    files = [
        {"ref": str(file.ref), **file_to_json(file), "primary": file.primary, "claims": claims_to_json(file.claims)}
        for file in version.files
    ]
    return {
        "ref": str(version.ref),
        "name": version.name,
        "updated_at": version.updated_at,
        "access": version.access,
        "access_note": version.access_note,
        "files": files,
        "images": [example_to_json(example) for example in version.examples],
        "claims": claims_to_json(version.claims),
    }


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
            ("content", record.nsfw or "unknown"),
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
