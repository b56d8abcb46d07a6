import hashlib
import zlib

from hub_ui.demo.hubs.content import InMemory
from hub_ui.demo.hubs.hashes import civitai_hashes, digest_of
from hub_ui.demo.hubs.weights import generate_safetensors

SMALL = {"tensors": {"a": ["F32", [2]]}, "seed": 1}
LARGE = {"tensors": {"a": ["F32", [600, 1024]]}, "seed": 1}


def hashes(data: bytes) -> dict[str, str]:
    return civitai_hashes(digest_of(InMemory(data=data)))


def test_text_has_the_hashes_that_other_tools_give_it() -> None:
    assert hashes(b"abc") == {
        "AutoV2": "BA7816BF8F",
        "SHA256": "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        "CRC32": "352441C2",
        "BLAKE3": "6437B3AC38465133FFB63B75273A8DB548C558465D79DB03FD359C6CD5BD9D85",
    }


def test_a_safetensors_file_is_also_known_by_its_tensors_alone() -> None:
    content = generate_safetensors(SMALL)
    tensors = content.read(content.size - 8, content.size)
    assert civitai_hashes(digest_of(content))["AutoV3"] == hashlib.sha256(tensors).hexdigest()[:12].upper()


def test_a_file_of_two_megabytes_has_the_oldest_hash_too() -> None:
    content = generate_safetensors(LARGE)
    part = content.read(0x100000, 0x110000)
    assert civitai_hashes(digest_of(content))["AutoV1"] == hashlib.sha256(part).hexdigest()[:8].upper()
    assert "AutoV1" not in civitai_hashes(digest_of(generate_safetensors(SMALL)))


def test_the_hashes_are_of_all_bytes_wherever_the_header_ends() -> None:
    content = generate_safetensors(LARGE)
    whole, digest = content.read(0, content.size), digest_of(content)
    assert (digest.sha256, digest.crc32) == (hashlib.sha256(whole).hexdigest(), f"{zlib.crc32(whole):08x}")


def test_a_zip_is_no_safetensors_file_whatever_its_first_bytes_say() -> None:
    assert digest_of(InMemory(data=b"PK\x03\x04" + bytes(100))).tensors is None
    assert digest_of(InMemory(data=(4).to_bytes(8, "little") + b"none")).tensors is None
