from connectors.query import Query


def test_the_words_for_hubs_are_those_of_text_and_phrases() -> None:
    assert Query(text="ink", phrases=("two words", "a"), excluded=(("text", "x"),)).words == "ink two words a"
    assert len(Query(text="x" * 150, phrases=("y" * 150,)).words) == 200
