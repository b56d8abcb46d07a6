from __future__ import annotations

import pytest
import torch

from hub_ui.generate.host_copy import copy_to_host


def test_a_copy_keeps_its_values_when_the_tensor_changes() -> None:
    tensor = torch.ones(2, 2)
    copied = copy_to_host(tensor)
    tensor.zero_()
    assert (copied.is_ready, copied.read().tolist()) == (True, [[1.0, 1.0], [1.0, 1.0]])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_on_cuda_a_copy_is_read_behind_the_work_that_makes_it() -> None:
    tensor = torch.ones(512, 512, device="cuda")
    for _ in range(50):
        tensor = tensor @ tensor / 512
    copied = copy_to_host(tensor.sum())
    assert (copied.values.is_pinned(), copied.read().item()) == (True, 512.0 * 512.0)
