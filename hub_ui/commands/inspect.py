"""hub-ui inspect: what weight files prove about themselves, read from their headers alone."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from connectors.errors import HubUiError
from connectors.ref import Ref
from connectors.weights.file_type import Layouts
from connectors.weights.inspect import Facts, inspect_path, inspect_url
from hub_ui import services, settings
from hub_ui.commands.targets import meant
from hub_ui.services import Services
from hub_ui.terminal import Terminal, facts, size

Result = Facts | HubUiError


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    with ExitStack() as stack:
        # Only a ref needs the catalog and the hubs: a file on disk is read where neither can be had.
        built = cache(lambda: stack.enter_context(services.build(settings.from_environment(os.environ))))
        layouts = Layouts()
        results = [_result(text, built, layouts, terminal) for text in args.files]
    if terminal.json:
        items = [_item(result) for result in results]
        terminal.document(items[0] if len(items) == 1 else items)
    else:
        _print(args.files, results, terminal)
    return next((result.exit_code for result in results if isinstance(result, HubUiError)), 0)


def _result(text: str, built: Callable[[], Services], layouts: Layouts, terminal: Terminal) -> Result:
    """One that fails does not keep the others from being read."""
    try:
        return _inspected(meant(text), built, layouts)
    except HubUiError as error:
        terminal.note(f"{text}: {error.message}")
        return error


def _inspected(named: Path | Ref | str, built: Callable[[], Services], layouts: Layouts) -> Facts:
    if isinstance(named, Path):
        return inspect_path(named, layouts)
    if isinstance(named, Ref):
        return built().lookup.inspect(named)
    return inspect_url(named)


def _item(result: Result) -> dict[str, Any]:
    if isinstance(result, HubUiError):
        return {"error": result.name, "message": result.message}
    return result.to_json()


def _print(names: Sequence[str], results: Sequence[Result], terminal: Terminal) -> None:
    read = [(name, result) for name, result in zip(names, results, strict=True) if isinstance(result, Facts)]
    for place, (name, found) in enumerate(read):
        if place:
            terminal.line()
        terminal.lines(facts([("file", name), *facts_of(found)]))
        terminal.lines([f"! {warning}" for warning in found.adapter.warnings])


def facts_of(found: Facts) -> list[tuple[str, str | None]]:
    """The rows that people read; what is unknown is None."""
    adapter = found.adapter
    ranks = ", ".join(f"{rank} in {layers}" for rank, layers in adapter.ranks.items())
    return [
        ("is", "a LoRA" if adapter.is_lora else f"no LoRA: {adapter.what}"),
        ("architecture", adapter.architecture),
        ("base model", adapter.base_model),
        ("algorithm", adapter.algorithm),
        ("format", adapter.format),
        ("rank", str(adapter.rank) if adapter.rank is not None else None),
        ("layers by rank", ranks if len(adapter.ranks) > 1 else None),
        ("alpha", f"{adapter.alpha:g}  ({adapter.alpha_source})" if adapter.alpha is not None else None),
        ("strength at 1", f"{adapter.scale:g}" if adapter.scale is not None and adapter.is_lora else None),
        ("text encoder", "changed too" if adapter.text_encoder else None),
        ("control", "yes: it takes a control picture" if adapter.control else None),
        ("trigger words", ", ".join(adapter.trigger_words)),
        ("tensors", str(adapter.tensors)),
        ("size", size(found.size)),
        ("read", _cost(found)),
    ]


def _cost(found: Facts) -> str:
    if not found.bytes_read:
        return "nothing: known from before"
    requests = f" in {found.requests} requests" if found.requests else ""
    return f"{size(found.bytes_read)}{requests}"
