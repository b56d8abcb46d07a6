"""`python -m hub_ui.demo.build.train.measure`: how sharp the base's pictures are, and how clear.

Sharpness is the mean squared gradient of the pictures over that of the drawings of the same scenes. A small classifier,
trained on drawings alone, names the thing of each picture.
"""

import argparse
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from hub_ui.demo.build.train.captions import caption
from hub_ui.demo.build.train.fitting import Plan, draws_at, fit
from hub_ui.demo.build.train.model import Pipeline
from hub_ui.demo.build.train.pipeline import load_base, sample
from hub_ui.demo.build.train.scene import Scene, draw, random_scene
from hub_ui.demo.build.train.vae import LAYOUTS, to_bytes, to_model_range
from hub_ui.demo.build.train.vocabulary import THINGS

WEIGHTS = Path(__file__).resolve().parents[2] / "data" / "weights"
SEED = 71
BATCH = 25
ACROSS = 8
"""Pictures in a row of the contact sheet."""

PLAN = Plan(steps=400, rate=2e-3, warm_up=20, averaging=0.98)


def lone_scenes(count: int, layout: str, seed: int) -> list[Scene]:
    """Scenes of one thing each, all things equally often."""
    rng = random.Random(seed)
    found = [random_scene(rng, replace(LAYOUTS[layout], pairs=0.0)) for _ in range(count)]
    turns = [THINGS[i % len(THINGS)] for i in range(count)]
    return [replace(s, things=(replace(s.things[0], name=turn),)) for s, turn in zip(found, turns, strict=True)]


def stacked(pictures: Sequence[Image.Image]) -> Tensor:
    """count x 3 x side x side, -1 to 1."""
    return to_model_range(torch.stack([to_bytes(picture) for picture in pictures]))


def gradient_energy(pictures: Tensor) -> float:
    """Mean squared difference of neighbours, along rows and columns."""
    along, down = pictures.diff(dim=3), pictures.diff(dim=2)
    return float(along.square().mean() + down.square().mean())


def train_classifier(work: Path, count: int = 2600) -> nn.Sequential:
    """Names things from drawings at half size, where they may lie anywhere and have any of the sizes."""
    torch.manual_seed(SEED)
    model = _classifier()
    shown = lone_scenes(count, "loose", SEED)

    def loss(step: int) -> Tensor:
        chosen = draws_at(SEED, step).python.choices(shown, k=64)
        names = torch.tensor([THINGS.index(scene.things[0].name) for scene in chosen])
        return nn.functional.cross_entropy(model(stacked([draw(scene) for scene in chosen])), names)

    averages = fit(dict(model.named_parameters()), loss, PLAN, work / "classifier.pt")
    model.load_state_dict(averages)
    return model


@torch.no_grad()
def named(model: nn.Module, pictures: Tensor) -> list[str]:
    return [THINGS[int(i)] for part in torch.split(pictures, 100) for i in model(part).argmax(1)]


def generate(pipe: Pipeline, scenes: Sequence[Scene]) -> list[Image.Image]:
    """A picture for each scene's caption, from the seeds 0, 1, 2 ..."""
    made: list[Image.Image] = []
    for at in range(0, len(scenes), BATCH):
        part = [caption(scene) for scene in scenes[at : at + BATCH]]
        made += sample(pipe, part, seed=range(at, at + len(part)))
    return made


def contact_sheet(pictures: Sequence[Image.Image]) -> Image.Image:
    side = pictures[0].width
    sheet = Image.new("RGB", (ACROSS * side, -(-len(pictures) // ACROSS) * side))
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (i % ACROSS * side, i // ACROSS * side))
    return sheet


def _classifier() -> nn.Sequential:
    """Group norm, so that no running statistics need saving."""
    layers: list[nn.Module] = [nn.AvgPool2d(2)]
    for before, after in ((3, 24), (24, 48), (48, 96), (96, 96)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(8, after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(96 * 16, len(THINGS)))


@torch.no_grad()
def reconstructed(pipe: Pipeline, pictures: Tensor) -> Tensor:
    """Through the autoencoder and back."""
    parts = [pipe.vae.decode(pipe.vae.encode(part).latent_dist.mean).sample for part in torch.split(pictures, 10)]
    return torch.cat(parts).clamp(-1, 1)


def report(classifier: nn.Module, pictures: Tensor, drawings: Tensor, scenes: Sequence[Scene]) -> str:
    """The figures of pictures that should show the scenes of the drawings."""
    truth = [scene.things[0].name for scene in scenes]
    pairs = zip(truth, named(classifier, pictures), strict=True)
    missed = Counter(f"{shown} as {guess}" for shown, guess in pairs if shown != guess)
    sharpness = gradient_energy(pictures) / gradient_energy(drawings)
    worst = ", ".join(f"{pair} ({times})" for pair, times in missed.most_common(8))
    return f"sharpness {sharpness:.2f}, {1 - missed.total() / len(truth):.1%} named rightly; missed: {worst or 'none'}"


def main() -> None:
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    classifier, pipe = train_classifier(options.work), load_base(options.weights / "base")
    scenes = lone_scenes(options.count, "neat", SEED + 1)
    drawings = stacked([draw(scene) for scene in scenes])
    print("drawings:", report(classifier, drawings, drawings, scenes), flush=True)
    some = slice(100)
    print(
        "autoencoder:",
        report(classifier, reconstructed(pipe, drawings[some]), drawings[some], scenes[some]),
        flush=True,
    )
    made = generate(pipe, scenes)
    if options.sheet:
        contact_sheet(made[:48]).save(options.sheet, quality=90)
    print("pictures:", report(classifier, stacked(made), drawings, scenes), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hub_ui.demo.build.train.measure", description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--work", type=Path, default=Path("train-work"), help="where the classifier is kept")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--sheet", type=Path, help="write the first 48 pictures here")
    parser.add_argument("--threads", type=int, default=2)
    return parser


if __name__ == "__main__":
    main()
