from hub_ui.demo.hubs.endpoints import Origins

ORIGINS = Origins(huggingface="http://h", civitai="http://c", replicate="http://r", delivery="http://d")


def test_the_environment_names_the_three_hubs() -> None:
    assert ORIGINS.as_env() == {
        "HF_ENDPOINT": "http://h",
        "CIVITAI_ENDPOINT": "http://c",
        "REPLICATE_ENDPOINT": "http://r",
    }


def test_placeholders_become_origins_and_other_braces_stay() -> None:
    assert ORIGINS.fill("{DELIVERY}/x {CIVITAI_ENDPOINT} {other} {}") == "http://d/x http://c {other} {}"
