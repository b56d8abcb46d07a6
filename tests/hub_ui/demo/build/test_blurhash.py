from PIL import Image

from hub_ui.demo.build.samples import blurhash
from hub_ui.demo.hubs.folder import SAMPLES


def test_a_blurhash_is_the_one_that_other_encoders_write() -> None:
    with Image.open(SAMPLES / "pictures" / "astronaut-dusk-1.webp") as picture:
        assert blurhash(picture) == "UUH1DIxD5Aj]0hsA-Sn%%1sni{oKIXWVbba#"
