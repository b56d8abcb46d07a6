"""The patterns of wording.toml: texts become one, and parts stand in their places."""

from connectors.claims import read_wording


def test_a_pattern_of_several_texts_with_parts_is_one() -> None:
    found = read_wording("card").patterns["sentence"].search("It was trained on the FLUX.1-dev model.")
    assert found is not None
    assert found["name"] == "FLUX.1-dev"


def test_no_part_is_left_in_a_pattern_by_its_name() -> None:
    several = [read_wording(name) for name in ("trigger_words", "strength", "kind", "kind_titles", "nsfw", "card")]
    patterns = [pattern for one in several for pattern in (*one.patterns.values(), *sum(one.lists.values(), ()))]
    assert [pattern.pattern for pattern in patterns if "{GAP}" in pattern.pattern or "{QUOTE" in pattern.pattern] == []
