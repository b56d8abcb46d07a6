"""Networks small enough to train for two steps within a test."""

from pathlib import Path

import pytest

from hub_ui.demo.build.train.model import Sizes


@pytest.fixture(scope="session")
def small() -> Sizes:
    return Sizes(
        vae_widths=(4, 4, 8, 8),
        latent_channels=4,
        unet_widths=(16, 16),
        unet_groups=4,
        heads=2,
        text_width=16,
        text_layers=1,
    )


@pytest.fixture(scope="session")
def weights_folder() -> Path:
    return Path(__file__).resolve().parents[5] / "hub_ui" / "demo" / "data" / "weights"
