"""Draws the sample pictures. A picture's name is its recipe: motif, palette and seed, as in `dunes-dusk-3`."""
