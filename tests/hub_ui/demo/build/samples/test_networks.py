import pytest

from hub_ui.demo.build.samples.networks import NETWORKS, Layer


@pytest.mark.parametrize(
    ("network", "layers"),
    [("flux1", 304), ("flux1 diffusers", 418), ("qwen-image", 840), ("sd1", 192), ("sdxl", 722), ("wan 14b", 400)],
)
def test_has_as_many_layers_as_the_base_model(network: str, layers: int) -> None:
    assert len(list(NETWORKS[network]())) == layers


@pytest.mark.parametrize("network", NETWORKS)
def test_names_every_layer_once(network: str) -> None:
    names = [layer.name for layer in NETWORKS[network]()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("network", "layer"),
    [
        ("flux1", Layer("single_blocks.37.linear1", 3072, 21504)),
        ("flux1 control", Layer("x_embedder", 128, 3072)),
        ("sd1", Layer("up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_k", 768, 320)),
        ("sdxl", Layer("input_blocks.7.1.transformer_blocks.9.attn2.to_v", 2048, 1280)),
        ("sd3.5 large", Layer("joint_blocks.37.x_block.mlp.fc2", 9728, 2432)),
        ("wan 14b", Layer("blocks.39.ffn.2", 13824, 5120)),
        ("z-image", Layer("layers.29.adaLN_modulation.0", 256, 15360)),
    ],
)
def test_knows_the_sizes_of_its_layers(network: str, layer: Layer) -> None:
    assert layer in list(NETWORKS[network]())
