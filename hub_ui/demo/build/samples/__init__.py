"""Sample data that this project makes itself: some fifty LoRAs over the three hubs, with pictures and weights."""

from hub_ui.demo.build.samples.write import write_samples

__all__ = ["write_samples"]
