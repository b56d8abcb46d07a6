import hashlib
from dataclasses import replace

from hub_ui.demo.build.samples.digests import known_digests, recipe
from hub_ui.demo.build.samples.hashing import digest, made_up
from hub_ui.demo.build.samples.headers import spec
from hub_ui.demo.build.samples.sample import Weights
from hub_ui.demo.hubs.content import generate_safetensors, header_bytes

WEIGHTS = Weights(network="z-image", layout="ai-toolkit", rank=2, seed=5)


def test_every_made_up_file_is_in_the_table() -> None:
    assert known_digests().keys() == made_up().keys()


def test_the_table_knows_the_headers_as_they_are_made_now() -> None:
    known = known_digests()
    for name, weights in made_up().items():
        content = generate_safetensors(spec(weights))
        assert content.size == known[name].size, name
        assert hashlib.sha256(header_bytes(content)).hexdigest() == known[name].header, name


def test_the_table_knows_the_bytes_of_small_files() -> None:
    known = known_digests()
    small = {name: weights for name, weights in made_up().items() if known[name].size < 6_000_000}
    assert len(small) == 16
    assert {name: digest(weights) for name, weights in small.items()} == {name: known[name] for name in small}


def test_a_recipe_names_everything_that_changes_the_bytes() -> None:
    assert recipe(WEIGHTS) == "z-image, ai-toolkit, lora, rank 2, BF16, seed 5"
    assert recipe(replace(WEIGHTS, seed=6)) != recipe(WEIGHTS)


def test_different_weights_have_different_recipes() -> None:
    assert len(set(made_up().values())) == len(made_up())
