"""`python -m hub_ui.demo.build.samples.drawing` draws all sample images into demo/data/samples."""

from pathlib import Path

from hub_ui.demo.build.samples.catalogue import SAMPLES
from hub_ui.demo.build.samples.drawing.motifs import draw
from hub_ui.demo.build.samples.trained import trained_loras

FOLDER = Path(__file__).parents[3] / "data" / "samples" / "pictures"


def names() -> set[str]:
    return {picture.name for sample in SAMPLES for release in sample.releases for picture in release.pictures}


def trained_names() -> set[str]:
    """Pictures that the LoRAs for the tiny base model made."""
    return {picture.name for lora in trained_loras().values() for picture in lora.pictures}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for left_over in {path.stem for path in FOLDER.glob("*.webp")} - names() - trained_names():
        (FOLDER / f"{left_over}.webp").unlink()
    for name in sorted(names()):
        draw(name).save(FOLDER / f"{name}.webp", quality=74, method=6)


if __name__ == "__main__":
    main()
