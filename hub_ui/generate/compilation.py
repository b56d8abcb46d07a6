"""torch.compile for the network of a pipeline, with merged LoRAs only: hooks keep state that it can't follow."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from connectors.errors import PreviewError
from hub_ui.generate.callbacks import replace_attribute
from hub_ui.generate.device_kinds import kind_of
from hub_ui.generate.lora.manager import AdapterManager
from hub_ui.i18n import _

_NETWORKS = ("unet", "transformer", "transformer_2")
_COMPILERS = ("g++", "clang++", "c++", "cl")
COMPILED = "The network was compiled: its images may differ from those without --compile in a few pixels' last digits."
ADDED = "It was not compiled: LoRAs with different weights share a batch, where they are added while the network runs."
OFFLOADED = "It was not compiled: the network does not fit into the device's memory as a whole."


def check_compiler(kind: str) -> None:
    """Raises PreviewError where torch.compile would lack its compiler. `kind` is torch's name for the device."""
    if not (os.environ.get("CXX") or any(shutil.which(name) for name in _COMPILERS)):
        raise PreviewError(
            _("--compile needs a C++ compiler, and there is none here. Install g++ or clang++, or leave --compile out.")
        )
    package = kind_of(kind).compiler
    if package is not None and importlib.util.find_spec(package) is None:
        raise PreviewError(
            _(
                "--compile needs Triton for this GPU, and it is not installed. Install it with pip install "
                "triton (on Windows triton-windows), or leave --compile out."
            )
        )


@contextmanager
def compiled_network(
    pipe: Any, manager: AdapterManager, note: Callable[[str], None], backend: str | Callable[..., Any] = "inductor"
) -> Iterator[None]:
    """Within it, the network's repeated blocks run compiled, or a note says why not. `backend` is torch.compile's."""
    import torch

    networks = {name: part for name in _NETWORKS if (part := getattr(pipe, name, None)) is not None}
    if manager.hooked_components & networks.keys():
        note(ADDED)
        yield
        return
    if any(_is_offloaded(part) for part in networks.values()):
        note(OFFLOADED)
        yield
        return
    with ExitStack() as stack:
        for network in networks.values():
            for block in _blocks(network):
                # torch keeps what it has compiled, by code and shapes: only the first image waits for it.
                stack.enter_context(replace_attribute(block, "forward", torch.compile(block.forward, backend=backend)))
        yield
        note(COMPILED)


def _is_offloaded(network: Any) -> bool:
    """Whether accelerate or diffusers move its weights while it runs."""
    registries = (getattr(module, "_diffusers_hook", None) for module in network.modules())
    return hasattr(network, "_hf_hook") or any(
        registry is not None and registry.get_hook("group_offloading") is not None for registry in registries
    )


def _blocks(network: Any) -> list[Any]:
    """diffusers names the classes of a network that repeat: compiling those takes seconds, not minutes."""
    repeated = getattr(network, "_repeated_blocks", None) or ()
    return [module for module in network.modules() if type(module).__name__ in repeated] or [network]
