"""The network of a tiny base in a GGUF file, as city96's tool writes it: matrices packed, everything else as it is."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader, GGUFWriter, quants
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file


def save_gguf(base: Path, path: Path, kind: str, others: str = "F32", part: str = "transformer") -> Path:
    """A network of the base in `base`; `others` is the type of what isn't packed."""
    writer, packed, plain = GGUFWriter(str(path), "flux"), GGMLQuantizationType[kind], GGMLQuantizationType[others]
    writer.add_quantization_version(2)
    writer.add_file_type(7)
    for name, value in load_file(_weights(base, part)).items():
        values = value.float().numpy()
        width = GGML_QUANT_SIZES[packed][0]
        is_packed = (
            values.ndim == 2 and values.shape[1] % width == 0 and not name.startswith(("x_embedder", "proj_out"))
        )
        dtype = packed if is_packed else plain
        writer.add_tensor(name, _pack(values, dtype), raw_dtype=dtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _pack(values: NDArray[np.float32], kind: GGMLQuantizationType) -> NDArray[Any]:
    """gguf can't pack K types: they get random whole numbers, and the values' spread."""
    if not kind.name.endswith("_K"):
        return np.asarray(quants.quantize(values, kind))
    block, size = GGML_QUANT_SIZES[kind]
    random = np.random.default_rng(values.size).integers(0, 256, (values.size // block, size), np.uint8)
    # The two scales of Q4_K and Q5_K come first, the one of Q6_K last.
    scales = slice(size - 2, size) if kind.name == "Q6_K" else slice(0, 4)
    random[:, scales] = np.frombuffer(np.full((scales.stop - scales.start) // 2, 1e-4, np.float16).tobytes(), np.uint8)
    return random.reshape(values.shape[0], -1)


def unpack_gguf(base: Path, file: Path, folder: Path, part: str = "transformer") -> Path:
    """A copy of the base with the values of the file, as gguf unpacks them."""
    if not folder.exists():
        shutil.copytree(base, folder)
    tensors = {
        tensor.name: torch.from_numpy(quants.dequantize(tensor.data, tensor.tensor_type).copy())
        for tensor in GGUFReader(str(file)).tensors
    }
    save_file(tensors, _weights(folder, part))
    return folder


def _weights(base: Path, part: str) -> Path:
    [path] = (base / part).glob("*.safetensors")
    return path
