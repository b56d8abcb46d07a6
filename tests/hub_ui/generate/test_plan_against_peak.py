"""The plan's bytes are those of pipelines of published size on a simulated GPU, at each level, with LoRAs and without.

`without_values` has tests here too.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.hub_ui.generate import plan_against_peak
from tests.hub_ui.generate.plan_against_peak import GIGABYTE, Case, label, measure, planned_peak, some_cases
from tests.hub_ui.generate.real_pipelines import REAL, spec_of
from tests.hub_ui.generate.real_size import without_values
from tests.hub_ui.generate.simulated_cuda import Card

PAGE = Path(__file__).resolve().parents[3] / "docs" / "memory.md"
# Small images, beside which nothing that is forgotten looks small: a LoRA and an autoencoder that goes to float32, and
# layers that are unpacked.
PACKED = Case(base="flux.1-dev", precision="gguf-q4_k_s", level="group_offload", side=256)
CASES = (
    PACKED,
    Case(base="sdxl-1.0", level="group_offload", rank=128, side=512),
    # The hooks of a LoHa take more than ten times its file. The plan counts a DoRA that is merged: with smaller images
    # of Stable Diffusion 3.5 that takes more than the hooks that are measured here.
    replace(PACKED, rank=16, kind="loha"),
    replace(PACKED, rank=16, kind="dora"),
    replace(PACKED, precision="nf4", level="whole", rank=16, kind="dora"),
    *(Case(base=base, level="group_offload", rank=16, side=256) for base in ("qwen-image", "z-image")),
    Case(base="sd-3.5-large", level="group_offload", rank=16, side=512),
)


@pytest.mark.exact
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_plan_is_what_a_pipeline_of_real_size_takes(case: Case) -> None:
    [peak] = measure([case])
    assert abs(peak.ratio - 1) <= 0.05, f"{peak.case}: {peak.ratio:.3f}"


@pytest.mark.exact
def test_the_page_of_memory_has_the_plans_of_now_and_peaks_within_5_percent() -> None:
    shown = (
        PAGE.read_text(encoding="utf-8").partition("<!-- simulated: begin -->")[2].partition("<!-- simulated: end")[0]
    )
    rows = [line.strip("| ").split(" | ") for line in shown.strip().splitlines()[2:]]
    of_now = {(label(case), f"{planned_peak(case) / GIGABYTE:.2f} GB") for case in some_cases()}
    assert {row[0] for row in rows} >= {spec_of(base).label for base in REAL}
    assert [row for row in rows if (tuple(row[:3]), row[3]) not in of_now] == []
    assert [row for row in rows if abs(float(row[5].strip("%"))) > 5] == []


def test_layers_of_bitsandbytes_have_the_bytes_that_are_counted() -> None:
    its = pytest.importorskip("bitsandbytes").nn
    in_4 = its.Params4bit(torch.ones(256, 128), compress_statistics=False, quant_type="nf4").to("cpu")
    in_8 = its.Int8Params(torch.ones(256, 128), requires_grad=False).to("cpu")
    own = [plan_against_peak.BitsAndBytes(nn.Linear(128, 256), precision) for precision in ("nf4", "int8")]
    theirs = [(in_4.nbytes, in_4.quant_state.absmax.nbytes), (in_8.nbytes, in_8.SCB.nbytes)]
    assert [(layer.weight.nbytes, layer.get_buffer("scales").nbytes) for layer in own] == theirs


def test_shapes_are_counted_as_tensors_with_values_are() -> None:
    with without_values(Card()) as cuda, torch.inference_mode():
        with torch.device("meta"):
            layer = nn.Linear(10, 20, bias=False)
        layer.to("cuda:0")
        made = layer(torch.ones(5, 10, device="cuda:0"))
        assert (str(made.device), tuple(made.shape)) == ("cuda:0", (5, 20))
        assert (cuda.cards[0].used, cuda.cards[0].peak) == (4 * (200 + 100), 4 * (200 + 50 + 100))
        layer.to("cpu")
        assert cuda.cards[0].used == 4 * 100


def test_operands_on_two_devices_are_refused_without_values_too() -> None:
    with without_values(Card()), pytest.raises(RuntimeError, match="cpu and cuda:0 in add"):
        torch.ones(2, device="cuda:0") + torch.empty(2, device="meta")
