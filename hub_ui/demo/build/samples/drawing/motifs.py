"""Every motif by its name, and the way from a picture's name to the picture."""

from PIL import Image

from hub_ui.demo.build.samples.drawing import figures, objects, patterns, people, scenery, studies
from hub_ui.demo.build.samples.drawing.canvas import Motif, Sheet
from hub_ui.demo.build.samples.drawing.palettes import PALETTES

MOTIFS: dict[str, Motif] = {
    motif.__name__: motif
    for motif in (
        figures.astronaut,
        figures.cat,
        figures.fox,
        figures.heron,
        figures.moth,
        objects.boat,
        objects.candle,
        objects.globe,
        objects.jar,
        objects.key,
        objects.matches,
        objects.pen,
        objects.shell,
        objects.sock,
        objects.teapot,
        objects.tram,
        objects.watch,
        patterns.bars,
        patterns.blocks,
        patterns.bubbles,
        patterns.confetti,
        patterns.contours,
        patterns.cutouts,
        patterns.glass,
        patterns.quilt,
        patterns.shards,
        patterns.velvet,
        patterns.waves,
        people.astronomer,
        people.ivo,
        people.mira,
        people.odile,
        people.wren,
        scenery.balloons,
        scenery.dunes,
        scenery.forest,
        scenery.harbour,
        scenery.planets,
        scenery.pond,
        scenery.ridges,
        scenery.shore,
        scenery.towers,
        scenery.town,
        studies.depth,
        studies.dial,
        studies.edges,
        studies.frames,
        studies.herbarium,
        studies.pose,
        studies.speed,
        studies.sprite,
        studies.still,
    )
}


def draw(name: str) -> Image.Image:
    """The picture of that name, for instance `dunes-dusk-3`. Raises KeyError for an unknown motif or palette."""
    motif, palette, _ = name.split("-")
    sheet = Sheet(PALETTES[palette], name)
    MOTIFS[motif](sheet)
    return sheet.finished()
