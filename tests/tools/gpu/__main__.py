"""`python -m tests.tools.gpu`: proves the engine on the GPU that is here, without a network, for docs/gpu.md's table.

`--short` goes through the same sections on the CPU with tiny pipelines, and writes nothing.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.utils import logging as of_diffusers

from hub_ui.generate.memory.device import is_out_of_memory
from tests.tools.gpu import attention, correctness, networks, offloading, short, small_cards, speed
from tests.tools.gpu.card import GIGABYTE, Card, cpu, find_card
from tests.tools.gpu.results import Budget, Line, Section, failures, judged, table, write_between_markers

PAGE = Path(__file__).resolve().parents[3] / "docs" / "gpu.md"
SKIPPED = "skipped: no CUDA or MPS device"


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A section to be run, and the seconds that it may take; what it has begun may take longer."""

    title: str
    seconds: float
    lines: Callable[[Budget], Iterable[Line]]


def full_tasks(card: Card, folder: Path) -> tuple[Task, ...]:
    """Eight minutes in all: a minute is left for what is begun as the time of a section ends."""
    return (
        Task(title="LoRAs on the device", seconds=150, lines=lambda budget: correctness.lines(card, budget)),
        Task(title="Offload levels", seconds=50, lines=lambda budget: offloading.lines(card, budget)),
        Task(title="Speed", seconds=100, lines=lambda budget: speed.lines(_sdxl(card, folder), budget)),
        Task(title="Attention", seconds=40, lines=lambda budget: attention.lines(card, budget, _flux(card))),
        Task(title="Small cards", seconds=140, lines=lambda budget: small_cards.lines(card, budget, _real(card))),
    )


def short_tasks(card: Card, folder: Path) -> tuple[Task, ...]:
    rows, sizes = (correctness.BASES[0], correctness.ROWS[-1]), (card.total / GIGABYTE, 8)
    real, measured, tiny = short.real(), short.measured(card, folder), short.flux(card.kind, card.half)
    return (
        Task(title="LoRAs on the device", seconds=60, lines=lambda budget: correctness.lines(card, budget, rows)),
        Task(title="Offload levels", seconds=60, lines=lambda budget: offloading.lines(card, budget, rows[:1])),
        Task(title="Speed", seconds=60, lines=lambda budget: speed.lines(measured, budget)),
        Task(title="Attention", seconds=60, lines=lambda budget: attention.lines(card, budget, tiny, size=64, steps=1)),
        Task(title="Small cards", seconds=60, lines=lambda budget: small_cards.lines(card, budget, real, sizes)),
    )


def _sdxl(card: Card, folder: Path) -> speed.Measured:
    pipe = networks.sdxl(card.kind, card.half)
    return speed.measured_sdxl(card, folder, pipe, size=1024, rank=16, name="SDXL, 1024 pixels")


def _flux(card: Card) -> Any:
    return networks.flux(card.kind, card.half, attention.FEW_BLOCKS)


def _real(card: Card) -> tuple[small_cards.Real, ...]:
    return (
        small_cards.real("sdxl-1.0", torch.float16, 1024, networks.sdxl, 6 * GIGABYTE),
        small_cards.real("flux.1-dev", card.half, 1024, networks.flux, 26 * GIGABYTE),
    )


def run(card: Card, tasks: Sequence[Task]) -> Iterator[Section]:
    """Prints each line when it is known."""
    for task in tasks:
        print(f"\n{task.title}", flush=True)
        start, lines = time.monotonic(), []
        for line in _lines(task):
            print(f"  {line}", flush=True)
            lines.append(line)
        card.release()
        yield Section(title=task.title, seconds=time.monotonic() - start, lines=tuple(lines))


def _lines(task: Task) -> Iterator[Line]:
    """A section that takes more memory than there is ends with that, and the next ones are run all the same."""
    try:
        yield from task.lines(Budget(seconds=task.seconds))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        yield judged("the rest of this section", "memory ran out", good=False)


def versions(card: Card) -> str:
    cuda = f", CUDA {torch.version.cuda}" if card.kind == "cuda" else ""
    return f"torch {torch.__version__}{cuda}, diffusers {diffusers.__version__}, {platform.system()}"


def main(arguments: list[str], page: Path = PAGE, found: Callable[[], Card | None] = find_card) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.gpu", description=__doc__)
    parser.add_argument("--short", action="store_true", help="on the CPU, with tiny pipelines; writes nothing")
    chosen = parser.parse_args(arguments)
    card = cpu() if chosen.short else found()
    if card is None:
        print(SKIPPED)
        return 0
    os.environ["HF_HUB_OFFLINE"] = "1"
    of_diffusers.set_verbosity_error()
    of_diffusers.disable_progress_bar()
    with tempfile.TemporaryDirectory() as name:
        tasks = short_tasks(card, Path(name)) if chosen.short else full_tasks(card, Path(name))
        sections = list(run(card, tasks))
    if not chosen.short:
        memory = f"{card.label} with {card.total / GIGABYTE:.0f} GB"
        write_between_markers(page, table(sections, device=memory, versions=versions(card)))
    wrong = failures(sections)
    print(f"\n{len(wrong)} wrong." if wrong else "\nAll good.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
