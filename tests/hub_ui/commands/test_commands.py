from hub_ui.commands import describe_progress
from hub_ui.generate.request import Step


def test_bytes_are_told_as_a_share() -> None:
    assert describe_progress(Step(stage="Fetching SDXL (6.9 GB)", done=1_380_000_000, total=6_900_000_000)) == (
        "Fetching SDXL (6.9 GB): 20 %"
    )
    assert describe_progress(Step(stage="Generating", done=3, total=20)) == "Generating: 3 of 20"
