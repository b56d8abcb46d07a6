"""`python -m hub_ui.generate.base_models` prints the table of base models in docs/base-models.md."""

from connectors.claims import base_models
from hub_ui.generate.base_models.choose import BASES, bases_for_architecture
from hub_ui.generate.base_models.table import PACKAGED


def table() -> str:
    lines = ["| LoRAs for | Default base model | Download | Others |", "| --- | --- | --- | --- |"]
    for architecture in dict.fromkeys(base.architecture for base in BASES):
        first, *others = bases_for_architecture(architecture)
        ids = ", ".join(f"`{base.id}`" for base in others)
        name = base_models.architecture_label(architecture)
        size = f"{first.gigabytes:g} GB{', gated' if first.gated else ''}"
        download = "included" if first.source == str(PACKAGED) else size
        lines.append(f"| {name}{' (video)' if first.video else ''} | `{first.id}` | {download} | {ids} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
