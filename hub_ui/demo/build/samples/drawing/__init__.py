"""Draws the sample images. A name consists of motif, palette and seed, as in `dunes-dusk-3`."""
