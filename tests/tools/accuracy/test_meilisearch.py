"""The yardstick orders by Meilisearch's rules."""

import pytest

from tests.tools.accuracy.meilisearch import Meilisearch


@pytest.mark.parametrize(
    ("query", "found", "others"),
    [
        pytest.param("dark red knight", ["red dark knight", "red dark", "dark"], ["red knight"], id="words"),
        pytest.param("watercolor", ["a|watercolor", "watercoolr", "watrcolour"], ["watrkolour"], id="typo"),
        pytest.param("water", ["water", "wader", "watr", "watre"], ["later", "wadder"], id="one typo in five letters"),
        pytest.param("ink wash", ["ink wash", "ink on wash", "wash on ink", "ink|wash"], [], id="proximity"),
        pytest.param("ink", ["ink pen", "pen ink", "pen|ink"], [], id="attribute"),
        pytest.param("neon", ["neon", "neons"], ["noen", "anneon"], id="exactness, and the beginning of a word"),
        pytest.param("neon sign", ["neon sign", "neon|a"], ["neons"], id="only the last word is a beginning"),
        pytest.param("dragon ball", ["dragon ball", "dragonball", "dragon"], ["ball"], id="two words as one"),
        pytest.param("dragonball", ["dragonball", "dragon ball"], ["dragon the ball"], id="one word as two"),
        pytest.param("水墨 ink", ["水墨 ink", "水墨"], ["水彩 墨"], id="Han"),
        pytest.param("?", [], ["ink"], id="no words"),
    ],
)
def test_each_rule_decides_among_those_that_the_rules_before_it_hold_equal(
    query: str, found: list[str], others: list[str]
) -> None:
    documents = {text: [[attribute] for attribute in text.split("|")] for text in (*others, *reversed(found))}
    assert Meilisearch(documents).search(query) == found
