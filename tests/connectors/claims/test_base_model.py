"""The file of base models: what is wrong in a block is said at the start, with the block and the key."""

from __future__ import annotations

import pytest

from connectors.claims.base_models import BaseModel, read_tables
from connectors.errors import UsageError

FILE = """
[[architecture]]
id = "new"
label = "New network"
network = [{ width = 1024, blocks = { blocks = 12 } }]

[[base]]
id = "new-1"
label = "New 1"
architecture = "new"
repos = ["someone/new-1"]

[[base.pipeline]]
id = "new-1-turbo"

[[family]]
name = "new"
row = [{ versions = ["1"], base = "new-1" }]

[checkpoints]
"new.?1" = "new-1"

[components]

[decoders]
"""


def test_a_block_is_a_base_model_with_its_pipelines_as_they_are_written() -> None:
    tables = read_tables(FILE)
    assert tables.models == (BaseModel(id="new-1", label="New 1", architecture="new", repos=("someone/new-1",)),)
    assert tables.pipelines == ((tables.models[0], ({"id": "new-1-turbo"},)),)
    assert tables.architectures["new"].network[0].blocks == {"blocks": 12}


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('label = "New 1"\n', "", "base new-1: Object missing required field `label`"),
        ('id = "new-1"\n', "", "base: Object missing required field `id`"),
        ("repos =", "repo =", "base new-1: there is no key `repo`"),
        ('["someone/new-1"]', '"someone/new-1"', "base new-1: Expected `array`, got `str` - at `$.repos`"),
        ('repos = ["someone/new-1"]', "width = 1.5", "base new-1: Expected `int | null`, got `float` - at `$.width`"),
        ("width = 1024", "wide = 1024", "architecture new: Object missing required field `width` - at `$.network[0]`"),
        ("{ width = 1024,", "{ width = 1024, depth = 3,", "architecture new: there is no key `network.depth`"),
        ('["1"]', '"1"', "family new: Expected `array`, got `str` - at `$.row[0].versions`"),
        ("[[base.pipeline]]", "[base.pipeline]", "base new-1, pipeline new-1-turbo: Expected `array`, got `object`"),
        ("[[family]]", "[[famly]]", "base_models.toml: there is no key `famly`"),
        ('base = "new-1" }', 'base = "new-2" }', "a parent, family or checkpoint is new-2, which is no base"),
        ('"new.?1" = "new-1"', '"new.?1" = "new-3"', "a parent, family or checkpoint is new-3, which is no base"),
        (
            'label = "New 1"',
            'label = "New 1"\nparent = "old"',
            "a parent, family or checkpoint is old, which is no base",
        ),
    ],
)
def test_what_is_wrong_in_a_block_is_said_with_the_block_and_the_key(right: str, wrong: str, message: str) -> None:
    assert right in FILE
    with pytest.raises(UsageError) as raised:
        read_tables(FILE.replace(right, wrong))
    assert message in str(raised.value)
