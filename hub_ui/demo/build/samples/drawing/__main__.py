"""`python -m hub_ui.demo.build.samples.drawing` draws every picture of the catalogue into samples/pictures."""

from pathlib import Path

from hub_ui.demo.build.samples.catalogue import SAMPLES
from hub_ui.demo.build.samples.drawing.motifs import draw

FOLDER = Path(__file__).parent.parent / "pictures"


def names() -> set[str]:
    return {picture.name for sample in SAMPLES for release in sample.releases for picture in release.pictures}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for left_over in set(FOLDER.glob("*.webp")) - {FOLDER / f"{name}.webp" for name in names()}:
        left_over.unlink()
    for name in sorted(names()):
        draw(name).save(FOLDER / f"{name}.webp", quality=74, method=6)


if __name__ == "__main__":
    main()
