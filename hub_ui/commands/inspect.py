"""hub-ui inspect: facts from the headers of weight files."""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from connectors.errors import HubUiError
from connectors.ref import Ref
from connectors.weights.file_type import Layouts
from connectors.weights.inspect import Facts, inspect_path, inspect_url
from hub_ui import services, settings
from hub_ui.commands.options import JsonOption, argument, parse_source, print_json_results, try_each
from hub_ui.format import size
from hub_ui.services import Services
from hub_ui.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Inspect(JsonOption):
    files: Annotated[list[str], argument("PATH|URL|REF", "A .safetensors here, at a web address, or on a hub.")]

    def run(self, terminal: Terminal) -> int:
        layouts = Layouts()
        with ExitStack() as stack:

            @cache
            def build() -> Services:
                """Only for a ref: files on disk need neither the catalog nor the hubs."""
                return stack.enter_context(services.build(settings.from_environment(os.environ)))

            def inspect(text: str) -> Facts:
                source = parse_source(text)
                if isinstance(source, Path):
                    return inspect_path(source, layouts)
                return build().lookup.inspect(source) if isinstance(source, Ref) else inspect_url(source)

            results = try_each(self.files, inspect, terminal)
        if terminal.json:
            print_json_results(results, Facts.to_json, terminal)
        else:
            found = [(name, r) for name, r in zip(self.files, results, strict=True) if isinstance(r, Facts)]
            for place, (name, facts) in enumerate(found):
                if place:
                    terminal.line()
                terminal.facts([("file", name), *_facts_rows(facts)])
                terminal.lines(f"! {warning}" for warning in facts.adapter.remarks)
        return next((result.exit_code for result in results if isinstance(result, HubUiError)), 0)


def _facts_rows(facts: Facts) -> list[tuple[str, str | None]]:
    """Names and values; an unknown value is None."""
    adapter = facts.adapter
    ranks = ", ".join(f"{rank} in {layers}" for rank, layers in adapter.ranks.items())
    read = "nothing: known from before"
    if facts.bytes_read:
        read = size(facts.bytes_read, precise=True) + (f" in {facts.requests} requests" if facts.requests else "")
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
        ("control", "yes: it takes a control image" if adapter.control else None),
        ("trigger words", ", ".join(adapter.trigger_words)),
        ("tensors", str(adapter.tensors)),
        ("size", size(facts.size, precise=True)),
        ("read", read),
    ]
