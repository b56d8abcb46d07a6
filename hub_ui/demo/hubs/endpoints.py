"""Where the local hubs answer."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Origins:
    """One origin a hub, and one that stands for the hubs' content delivery networks.

    They differ in their port, so a client that keeps its token on a redirect to `delivery` leaks it, as it would on
    the real hubs.
    """

    huggingface: str
    civitai: str
    replicate: str
    delivery: str

    def as_env(self) -> dict[str, str]:
        return {
            "HF_ENDPOINT": self.huggingface,
            "CIVITAI_ENDPOINT": self.civitai,
            "REPLICATE_ENDPOINT": self.replicate,
        }

    def fill(self, text: str) -> str:
        """Sample data names the origins by placeholders, because ports are only known once the hubs run."""
        for name, url in {**self.as_env(), "DELIVERY": self.delivery}.items():
            text = text.replace("{" + name + "}", url)
        return text
