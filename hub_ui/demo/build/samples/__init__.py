"""Generates the sample data: about fifty LoRAs on the three hubs, with images and weights."""

from hub_ui.demo.build.samples.write import write_samples

__all__ = ["write_samples"]
