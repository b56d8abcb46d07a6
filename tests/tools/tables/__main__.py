"""`python -m tests.tools.tables` prints the tables of docs/base-models.md, `... memory` docs/memory.md's,
`... limits` those of docs/hosting.md, `... filters` docs/query-language.md's, and `... glossary` the words of
docs/glossary.md.
"""

import sys
from textwrap import fill

from connectors.claims import base_models
from connectors.query import FIELDS
from hub_ui.access.quotas import TABLE
from hub_ui.generate.base_models.choose import bases_for_architecture
from hub_ui.generate.base_models.table import BASES, NETWORKS, PACKAGED, SUBSTITUTIONS, PipelineSpec, precision_name
from hub_ui.generate.memory.device import OffloadLevel
from hub_ui.generate.memory.plan import CARDS, GIBIBYTE, footprint
from hub_ui.generate.plan import plan_on_card
from hub_ui.web.layout.render import TERMS

_WORDS: dict[OffloadLevel, str] = {"whole": "whole", "model_offload": "parts", "group_offload": "layers"}


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
    for base, gguf in ((base, base.gguf) for base in BASES if base.gguf):
        network = next(model.parameters for part, model in base.parts.items() if part in NETWORKS)
        files = gguf.gigabytes.items()
        sizes = ", ".join(f"{precision_name(f'gguf-{kind.lower()}')} {size:g} GB" for kind, size in files)
        lines.append(f"| `{base.id}` | {network * 2 / 1e9:.1f} GB | {sizes} | {gguf.repo} |")
    return "\n".join(lines)


def table_of_substitutions() -> str:
    """For the models that no base is."""
    lines = ["| LoRAs for | Run on | What hub-ui says of it |", "| --- | --- | --- |"]
    own = {base.lineage for base in BASES}
    for row in SUBSTITUTIONS:
        for model in filter(None, (base_models.by_id(name) for name in row.made_for if name not in own)):
            spec = next(iter(bases_for_architecture(model.architecture)), None)
            reason = row.reason.format(made_for=model.label, base=spec.label if spec else "")
            lines.append(f"| {model.label} | {f'`{spec.id}`' if spec and row.runs else 'nothing'} | {reason} |")
    return "\n".join(lines)


def memory_table() -> str:
    """How each base runs on cards of each size by default, with the most that it takes there, in a computer of enough
    memory: the precision, if it is not the full one, the level, and GB. The page has it without extras installed.
    """
    cards = " | ".join(f"{card} GB" for card in CARDS)
    lines = [f"| Base model | Weights | {cards} |", f"| --- | --- |{' --- |' * len(CARDS)}"]
    for base in BASES:
        weights = footprint(base, base.dtype).weights / 1e9
        cells = " | ".join(_cell(base, card) for card in CARDS)
        lines.append(f"| `{base.id}` | {weights:.1f} GB | {cells} |")
    return "\n".join(lines)


def _cell(base: PipelineSpec, card: int) -> str:
    spec, plan = plan_on_card(base, "balanced", card * GIBIBYTE)
    if not plan.fits:
        return "–"
    precision = "" if spec == base else f"{spec.storage.label}, "
    return f"{precision}{_WORDS[plan.level]}{', tiled' if plan.is_tiled else ''}, {plan.peak / 1e9:.1f}"


def limits_table(*, shared: bool) -> str:
    """What all visitors of a hosted page have together, or one of them alone."""
    rows = [f"| {row.text} | {row.show(row.default)} | `{row.variable}` |" for row in TABLE if row.shared == shared]
    head = f"| For {'all visitors' if shared else 'one visitor'} | At most | Variable |"
    return "\n".join([head, "| --- | --- | --- |", *rows])


def table_of_filters() -> str:
    lines = []
    for each in FIELDS:
        values = ", ".join(f"`{choice}`" for choice in each.choices())
        if each.is_open:
            # Too many to list, or names of any kind.
            values = f"{values}, or another" if 0 < len(each.choices()) < 10 else ""
        lines.append(f"| `{each.key}` | {each.meaning} | {values} | `{each.key}:{each.example}` |")
    return "\n".join(lines)


def glossary() -> str:
    texts = ((term["title"], f"{term['text']} {term['more']}") for term in TERMS.values())
    return "\n".join(f"## {title}\n\n{fill(text, 120, break_on_hyphens=False)}\n" for title, text in texts)


if __name__ == "__main__":
    if "filters" in sys.argv[1:]:
        print(table_of_filters())
    elif "glossary" in sys.argv[1:]:
        print(glossary(), end="")
    elif "memory" in sys.argv[1:]:
        print(memory_table())
    elif "limits" in sys.argv[1:]:
        print(limits_table(shared=False), limits_table(shared=True), sep="\n\n")
    else:
        print(table(), table_of_substitutions(), table_of_files(), sep="\n\n")
