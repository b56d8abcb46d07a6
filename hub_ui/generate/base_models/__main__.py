"""`python -m hub_ui.generate.base_models` prints the table of base models in docs/base-models.md."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.claims import base_models
from hub_ui.generate.base_models.choose import BASES
from hub_ui.generate.base_models.spec import PipelineSpec


def table() -> str:
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "| LoRAs for | Default base model | Download | Others |"
    yield "| --- | --- | --- | --- |"
    for architecture in dict.fromkeys(base.architecture for base in BASES):
        first, *others = [base for base in BASES if base.architecture == architecture]
        ids = ", ".join(f"`{base.id}`" for base in others)
        name = base_models.architecture_label(architecture)
        yield f"| {name}{' (video)' if first.film else ''} | `{first.id}` | {_size(first)} | {ids} |"


def _size(base: PipelineSpec) -> str:
    if base.architecture == "tiny-shapes":
        return "included"
    return f"{base.gigabytes:g} GB{', gated' if base.gated else ''}"


if __name__ == "__main__":
    print(table())
