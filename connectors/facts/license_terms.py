"""What well-known licences permit, in the words that CivitAI's permission boxes are told in.

A summary to choose by, and no legal advice: it says what the licence text says of pictures, of the file itself, of
merges and of credit. A licence whose text isn't known here has no summary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_OPEN = "images may be sold, it may be sold, merges allowed, credit the author"
_FREE = "images may be sold, it may be sold, merges allowed, credit not needed"
_COPYLEFT = "images may be sold, it may be sold, merges allowed, merges keep these terms, credit the author"
_RAIL = "images may be sold, it may be sold, merges allowed, merges keep these terms, harmful uses forbidden"
_NC = "images may not be sold, not for sale, merges allowed, credit the author"
_NC_COPYLEFT = "images may not be sold, not for sale, merges allowed, merges keep these terms, credit the author"
# The pictures are the user's own; using the weights to earn money needs a licence from Black Forest Labs.
_FLUX = (
    "images may be sold, no paid generation services, not for sale, merges allowed, merges keep these terms, "
    "credit the base's maker"
)
_STABILITY = (
    "images may be sold, free below 1 million US dollars of revenue a year, merges allowed, merges keep these terms, "
    "credit Stability AI"
)
_RESEARCH = "non-commercial and research use only: images may not be sold, not for sale, merges keep these terms"
_TENCENT = (
    "images may be sold, not licensed in the European Union, the United Kingdom and South Korea, merges allowed, "
    "merges keep these terms"
)

# By the letters and digits of Hugging Face's identifier or an author's `license_name`.
_TERMS: Mapping[str, str] = {
    name: terms
    for names, terms in (
        ("apache20 mit bsd bsd2clause bsd3clause isc ccby40 ccby30 ccby20 ccby25 ecl20 afl30 ncsa postgresql", _OPEN),
        ("cc010 cc0 unlicense wtfpl 0bsd publicdomain zlib pddl", _FREE),
        ("gpl gpl20 gpl30 agpl30 lgpl lgpl21 lgpl30 mpl20 epl20 eupl11 eupl12 osl30 ccbysa40 ccbysa30", _COPYLEFT),
        ("fairaipubliclicense10sd faipl10sd fairaipubliclicense10 faipl10", _COPYLEFT),
        ("openrail openrailm creativemlopenrailm openrailpp openrailppm", _RAIL),
        ("creativemlopenrailppm bigscienceopenrailm", _RAIL),
        ("ccbync40 ccbync30 ccbync20", _NC),
        ("ccbyncsa40 ccbyncsa30 ccbyncsa20", _NC_COPYLEFT),
        ("ccbynd40", "images may be sold, it may be sold, no merges, credit the author"),
        ("ccbyncnd40 ccbyncnd30", "images may not be sold, not for sale, no merges, credit the author"),
        ("flux1devnoncommerciallicense flux1devnoncommercial flux1dev fluxdevlicense flux1devlicense", _FLUX),
        ("flux1kontextdevnoncommerciallicense flux2devnoncommerciallicense fluxnoncommerciallicense", _FLUX),
        ("stabilityaicommunity stabilityaicommunitylicense stabilityaicommunitylicenseagreement", _STABILITY),
        ("sainccommunity sainc sdxl09research stabilityainccommunity", _RESEARCH),
        ("tencenthunyuancommunity tencenthunyuanvideolicenseagreement", _TENCENT),
        ("tencenthunyuancommunitylicenseagreement", _TENCENT),
    )
    for name in names.split()
}  # fmt: skip
# Replicate gives the address of a licence, and authors link to one.
_ADDRESSES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"FLUX[._-]?1[^/]*(?:dev|kontext)", re.IGNORECASE), "flux-1-dev-non-commercial-license"),
    (re.compile(r"FLUX[._-]?1[^/]*schnell(?![\w-])", re.IGNORECASE), "apache-2.0"),
    (
        re.compile(r"(?:LICENSE-SDXL1\.0|stable-diffusion-xl-base-1\.0|openrail(?:%2B|\+){2})(?![\w-])", re.IGNORECASE),
        "openrail++",
    ),
    (re.compile(r"(?:apache-2\.0|apache\.org/licenses/LICENSE-2\.0)(?![\w-])", re.IGNORECASE), "apache-2.0"),
    (
        re.compile(r"(?:creativeml-openrail-m|CompVis/stable-diffusion(?:-v1-\d)?)(?![\w-])", re.IGNORECASE),
        "creativeml-openrail-m",
    ),
    (re.compile(r"(?:opensource\.org/licenses?/MIT|licenses/mit)(?![\w-])", re.IGNORECASE), "mit"),
)


def terms(license_id: str) -> str | None:
    """What the licence of this identifier, name or address permits; None for one that isn't known."""
    if license_id.startswith(("https://", "http://")):
        named = next((name for pattern, name in _ADDRESSES if pattern.search(license_id)), None)
        return terms(named) if named else None
    spelled = license_id[:200].casefold().replace("+", "p")
    return _TERMS.get("".join(char for char in spelled if char.isalnum()))
