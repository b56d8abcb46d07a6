import pytest

from hub_ui.generate.base_models import BASES, PipelineSpec, base_by_id
from hub_ui.generate.base_models.precision import (
    bytes_of_part,
    in_precision,
    precise_label,
    precision_by_id,
    precisions_of,
)
from hub_ui.generate.base_models.table import ModelSize

ROWS = [(base, kind, size) for base in BASES if base.gguf for kind, size in base.gguf.gigabytes.items()]


@pytest.mark.parametrize(("base", "kind", "size"), ROWS, ids=[f"{base.id} {kind}" for base, kind, _ in ROWS])
def test_a_file_is_as_large_as_its_type_makes_the_network(base: PipelineSpec, kind: str, size: float) -> None:
    precision = precision_by_id(f"gguf-{kind.lower()}")
    assert precision is not None
    # Some layers are in more bits: tables, the first and the last, a fifth of all in small networks.
    assert 0.95 < size * 8e9 / base.parts["transformer"].parameters / precision.bits < 1.4


def test_the_files_of_a_base_are_sorted_from_the_best() -> None:
    for files in (base.gguf.gigabytes for base in BASES if base.gguf):
        assert list(files.values()) == sorted(files.values(), reverse=True)


@pytest.mark.parametrize(
    ("name", "device", "installed", "first"),
    [
        ("kolors", "cuda", True, "int8"),
        ("kolors", "cuda", False, "fp8"),
        ("kolors", "xpu", True, "fp8"),
        # Its values leave the range of float16, in which 8-bit integers are computed.
        ("qwen-image-2", "cuda", True, "fp8"),
    ],
)
def test_8_bit_integers_come_before_8_bit_floats_where_they_run(
    monkeypatch: pytest.MonkeyPatch, name: str, device: str, installed: bool, first: str
) -> None:
    monkeypatch.setattr(
        "hub_ui.generate.base_models.precision.find_spec",
        lambda package: object() if installed and package == "bitsandbytes" else None,
    )
    base = base_by_id(name)
    assert base is not None
    assert [one.precision for one in precisions_of(base, device)][:2] == ["full", first]


def test_a_base_is_named_with_its_precision() -> None:
    dev = base_by_id("flux.1-dev")
    assert dev is not None
    packed = in_precision(dev, "gguf-q4_k_s")
    assert packed is not None
    assert (precise_label(dev), precise_label(packed)) == ("FLUX.1 dev", "FLUX.1 dev in Q4")


def test_wan_2_2_has_a_file_for_each_of_its_networks() -> None:
    wan = base_by_id("wan-2.2-t2v-a14b")
    packed = in_precision(wan, "gguf-q4_k_m") if wan else None
    assert packed is not None
    assert packed.checkpoint is not None
    assert packed.checkpoint.brings == {"transformer", "transformer_2"}
    assert (packed.checkpoint.file, packed.checkpoint.beside) == (
        "HighNoise/Wan2.2-T2V-A14B-HighNoise-Q4_K_M.gguf",
        (("transformer_2", "LowNoise/Wan2.2-T2V-A14B-LowNoise-Q4_K_M.gguf"),),
    )


def test_a_text_encoder_keeps_its_table_of_words_in_the_type_that_is_computed_in() -> None:
    dev = base_by_id("flux.1-dev")
    assert dev is not None
    stored = in_precision(dev, "fp8")
    assert stored is not None
    t5, clip = ModelSize(4_000_000_000, 100_000_000), ModelSize(100_000_000, 0)
    assert bytes_of_part(dev, "text_encoder_2", t5, width=2.0, kind="cuda")[0] == 8_000_000_000
    assert bytes_of_part(stored, "text_encoder_2", t5, width=2.0, kind="cuda")[0] == 4_100_000_000
    assert bytes_of_part(stored, "text_encoder_2", t5, width=2.0, kind="mps")[0] == 8_000_000_000
    assert bytes_of_part(stored, "text_encoder", clip, width=2.0, kind="cuda")[0] == 200_000_000
