from hub_ui.demo.hubs.cards import base_models, front_matter, hub_tags

LORA = {"tags": ["lora"], "base_model": ["a/one", "b/two"], "license": "mit", "library_name": "diffusers"}


def test_front_matter_is_read_at_the_start_only() -> None:
    assert front_matter("---\ntitle: one\n---\ntext\n---\ntitle: two\n---\n") == {"title": "one"}
    assert front_matter("text\n---\ntitle: two\n---\n") == {}


def test_front_matter_survives_windows_line_ends_and_a_byte_order_mark() -> None:
    assert front_matter("\ufeff---\r\ntitle: one\r\n---\r\ntext") == {"title": "one"}


def test_broken_front_matter_is_none() -> None:
    assert front_matter("---\n: [\n---\n") == front_matter("---\n- a list\n---\n") == {}


def test_a_lora_card_gets_adapter_tags_for_each_base_model() -> None:
    assert hub_tags(LORA, ["x.safetensors"]) == [
        "diffusers", "safetensors", "lora", "base_model:a/one", "base_model:b/two", "base_model:adapter:a/one",
        "base_model:adapter:b/two", "license:mit", "region:us",
    ]  # fmt: skip


def test_a_written_relation_wins() -> None:
    assert base_models({"base_model": "a/one"}) == {"relation": "finetune", "models": [{"id": "a/one"}]}
    assert base_models({**LORA, "base_model_relation": "merge"})["relation"] == "merge"  # type: ignore[index]
    assert base_models({}) is None
