"""Ways in which people write what LoRA they mean, each with what is opened: copied from pages, prompts and messages."""

from pathlib import Path

from tests.corpus import rows_of

COMMIT, HASH = "a1" * 20, "b2" * 32
# A file of civitai:4128@41280 by all its hashes; it is called ink_lines.safetensors.
SHA256, BLAKE3, AUTOV3 = "c3" * 32, "d4" * 32, "e5f6a7b8c9d0"
AUTOV2 = SHA256[:10]

# As they are: nobody has to be asked. First refs and AIRs, then addresses of each hub, mirrors, and amid a text.
WRITTEN = tuple((row["written"], row["opened"]) for row in rows_of(Path(__file__).with_suffix(".tsv")))

# By what was seen before, or by a hub that is asked.
LOOKED_UP: tuple[tuple[str, str], ...] = (
    (SHA256, "civitai:4128@41280#9001"),
    (SHA256.upper(), "civitai:4128@41280#9001"),
    (AUTOV2, "civitai:4128@41280#9001"),
    (AUTOV3.upper(), "civitai:4128@41280#9001"),
    (BLAKE3, "civitai:4128@41280#9001"),
    (f"sha256:{SHA256}", "civitai:4128@41280#9001"),
    (f"Ink lines: {AUTOV2}", "civitai:4128@41280#9001"),
    ("<lora:ink_lines:0.8>", "civitai:4128@41280#9001"),
    ("<lora:ink_lines:1:0.6>", "civitai:4128@41280#9001"),
    ("ink_lines.safetensors", "civitai:4128@41280#9001"),
)

# Addresses of hubs without the name of a LoRA in them.
NAMELESS: tuple[str, ...] = (
    "https://civitai.com/images/4128",
    f"https://cas-bridge.xethub.hf.co/xet-bridge-us/{HASH}?X-Amz-Signature=1",
)
