"""`python -m hub_ui.generate.base_models` prints the tables of docs/base-models.md: bases, and their smaller files."""

from connectors.claims import base_models
from hub_ui.generate.base_models.choose import BASES, bases_for_architecture
from hub_ui.generate.base_models.part_sizes import MODELS
from hub_ui.generate.base_models.precision import FILES, NETWORKS, precision_name
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


def table_of_files() -> str:
    lines = ["| Base model | Its network | In files of fewer bits | From |", "| --- | --- | --- | --- |"]
    for name, files in FILES.items():
        network = next(model.parameters for part, model in MODELS[name].items() if part in NETWORKS)
        sizes = ", ".join(f"{precision_name(file.precision)} {file.gigabytes:g} GB" for file in files)
        lines.append(f"| `{name}` | {network * 2 / 1e9:.1f} GB | {sizes} | {files[0].repo} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
    print()
    print(table_of_files())
