"""hub-ui show: everything known about one LoRA, and who said it."""

from __future__ import annotations

import argparse
import os
from typing import Any

from connectors.claims.resolve import record_of, with_header
from connectors.errors import HubUiError
from connectors.record import (
    Access,
    Claim,
    Lora,
    Record,
    Version,
    WeightFile,
    claims_to_json,
    distinct,
    example_to_json,
    file_to_json,
)
from connectors.ref import Ref
from hub_ui import services, settings
from hub_ui.commands.targets import ref_of
from hub_ui.services import Services
from hub_ui.terminal import Terminal, facts, size

# Files that nobody can have any more, or never could.
_NO_FILE: tuple[Access, ...] = ("generation-only", "archived", "removed")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    ref = ref_of(args.ref)
    with services.build(settings.from_environment(os.environ)) as built:
        lora = _with_header(built, built.lookup.get(ref), ref, terminal)
        record = record_of(lora, ref)
    if terminal.json:
        terminal.document({**record.to_json(), "versions": [version_json(version) for version in lora.versions]})
    else:
        _print(lora, record, terminal)
    return 0


def _with_header(built: Services, lora: Lora, ref: Ref, terminal: Terminal) -> Lora:
    """With what the shown file says itself, where its header can be had: a hub that won't is no failure here."""
    record = record_of(lora, ref)
    if record.file is None or record.file.format != "safetensors" or record.access in _NO_FILE:
        return lora
    try:
        found = built.lookup.inspect(record.file.ref)
    except HubUiError as error:
        terminal.note(f"The file's own header is not among the facts: {error.message}")
        return lora
    return with_header(lora, record.file.ref, found.adapter)


def version_json(version: Version) -> dict[str, Any]:
    return {
        "ref": str(version.ref),
        "name": version.name,
        "updated_at": version.updated_at,
        "access": version.access,
        "access_note": version.access_note,
        "files": [_file_json(file) for file in version.files],
        "images": [example_to_json(example) for example in version.examples],
        "claims": claims_to_json(version.claims),
    }


def _file_json(file: WeightFile) -> dict[str, Any]:
    return {
        "ref": str(file.ref),
        **file_to_json(file),
        "primary": file.primary,
        "claims": claims_to_json(file.claims),
    }


def _print(lora: Lora, record: Record, terminal: Terminal) -> None:
    terminal.lines(facts(_facts(record)))
    for version in lora.versions:
        terminal.line()
        terminal.line(f"{version.name}  {version.updated_at or ''}  {version.access}  {version.ref}")
        terminal.lines([f"  {file.name}  {size(file.size) or 'size unknown'}" for file in version.files])
    if record.claims:
        terminal.line()
        terminal.lines([_claim(claim) for claim in distinct(record.claims)])


def _facts(record: Record) -> list[tuple[str, str | None]]:
    strength = " ".join(f"{name} {value}" for name, value in _numbers(record) if value)
    return [
        ("title", record.title),
        ("by", record.creator),
        ("ref", str(record.ref)),
        ("address", record.url),
        ("base model", record.base_model or record.raw_base_model),
        ("architecture", record.architecture),
        ("kind", record.kind),
        ("trigger words", ", ".join(record.trigger_words)),
        ("strength", strength),
        ("file", f"{record.file.name} {size(record.file.size) or ''}" if record.file else None),
        ("licence", record.license),
        ("access", record.access),
        ("content", record.nsfw or "unknown"),
        ("conflicts", " ".join(record.conflict_sentences)),
    ]


def _numbers(record: Record) -> list[tuple[str, str]]:
    alpha = "" if record.alpha is None else f"{record.alpha:g}"
    return [("rank", str(record.rank or "")), ("alpha", alpha), ("weight", record.weight_text)]


def _claim(claim: Claim) -> str:
    value = ", ".join(claim.value) if isinstance(claim.value, tuple) else claim.value
    return f"{claim.field} = {value}  ({claim.source}: {claim.where})"
