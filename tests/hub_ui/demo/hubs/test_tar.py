import io
import tarfile

from hub_ui.demo.hubs.content import InMemory
from hub_ui.demo.hubs.tar import model_tar


def test_a_tar_put_together_is_read_by_tarfile() -> None:
    tar = model_tar(InMemory(data=b"weights"))
    with tarfile.open(fileobj=io.BytesIO(tar.read(0, tar.size))) as opened:
        member = opened.extractfile("output/flux_train_replicate/lora.safetensors")
        assert member is not None
        assert member.read() == b"weights"
        assert "output/flux_train_replicate/config.yaml" in opened.getnames()


def test_a_tar_is_padded_to_a_whole_record() -> None:
    assert model_tar(InMemory(data=b"weights")).size == 10240
