from __future__ import annotations

import httpx2
import pytest
from huggingface_hub import errors as theirs

from connectors.errors import (
    BadAnswer,
    BadRef,
    Gated,
    HubDown,
    HubTimeout,
    HubUiError,
    KeyRequired,
    NotFound,
    RateLimited,
    RegionBlocked,
)
from connectors.huggingface.errors import as_ours, translated

REQUEST = httpx2.Request("GET", "https://huggingface.co/api/models/a/b")


def _response(status: int, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, headers=headers, request=REQUEST)


def _http(kind: type[theirs.HfHubHTTPError], status: int, **headers: str) -> theirs.HfHubHTTPError:
    return kind("no", response=_response(status, **headers))


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (_http(theirs.RepositoryNotFoundError, 401), NotFound),
        (_http(theirs.GatedRepoError, 403), Gated),
        (_http(theirs.DisabledRepoError, 403), NotFound),
        (_http(theirs.RevisionNotFoundError, 404), NotFound),
        (_http(theirs.RemoteEntryNotFoundError, 404), NotFound),
        (theirs.EntryNotFoundError("no"), NotFound),
        (theirs.LocalEntryNotFoundError("no"), HubDown),
        (theirs.FileMetadataError("no"), BadAnswer),
        (theirs.HFValidationError("no"), BadRef),
        (theirs.OfflineModeIsEnabled("no"), HubDown),
        (_http(theirs.BadRequestError, 400), BadAnswer),
        (_http(theirs.HfHubHTTPError, 401), KeyRequired),
        (_http(theirs.HfHubHTTPError, 403), KeyRequired),
        (_http(theirs.HfHubHTTPError, 404), NotFound),
        (_http(theirs.HfHubHTTPError, 410), NotFound),
        (_http(theirs.HfHubHTTPError, 429), RateLimited),
        (_http(theirs.HfHubHTTPError, 451), RegionBlocked),
        (_http(theirs.HfHubHTTPError, 503), HubDown),
        (_http(theirs.HfHubHTTPError, 418), BadAnswer),
        (httpx2.HTTPStatusError("no", request=REQUEST, response=_response(503)), HubDown),
        (httpx2.HTTPStatusError("no", request=REQUEST, response=_response(404)), NotFound),
        (httpx2.ConnectTimeout("no"), HubTimeout),
        (httpx2.ReadTimeout("no"), HubTimeout),
        (httpx2.WriteTimeout("no"), HubTimeout),
        (httpx2.PoolTimeout("no"), HubTimeout),
        (httpx2.ConnectError("no"), HubDown),
        (httpx2.ReadError("no"), HubDown),
        (httpx2.WriteError("no"), HubDown),
        (httpx2.CloseError("no"), HubDown),
        (httpx2.ProxyError("no"), HubDown),
        (httpx2.UnsupportedProtocol("no"), HubDown),
        (httpx2.LocalProtocolError("no"), HubDown),
        (httpx2.RemoteProtocolError("no"), HubDown),
        (httpx2.DecodingError("no"), BadAnswer),
        (httpx2.TooManyRedirects("no"), BadAnswer),
        (httpx2.InvalidURL("no"), HubDown),
        (httpx2.StreamError("no"), BadAnswer),
        (KeyError("id"), BadAnswer),
        (TypeError("no"), BadAnswer),
        (AttributeError("no"), BadAnswer),
        (ValueError("not JSON"), BadAnswer),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_each_of_their_errors_is_one_of_ours(error: Exception, ours: type[HubUiError]) -> None:
    with pytest.raises(ours) as caught, as_ours("a/b"):
        raise error
    assert type(caught.value) is ours
    assert caught.value.hub == "huggingface"
    assert caught.value.__cause__ is error


def test_every_error_that_their_transport_knows_is_caught() -> None:
    known = [value for value in vars(httpx2).values() if isinstance(value, type) and issubclass(value, Exception)]
    transport = [kind for kind in known if issubclass(kind, httpx2.TransportError)]
    assert len(transport) > 10
    for kind in transport:
        with pytest.raises(HubUiError), as_ours("a/b"):
            raise kind("no")


@pytest.mark.parametrize(("headers", "seconds"), [({"RateLimit": '"api";r=0;t=55'}, 55.0), ({}, None)])
def test_the_hubs_own_number_of_seconds_is_told(headers: dict[str, str], seconds: float | None) -> None:
    with pytest.raises(RateLimited) as caught, as_ours("a/b"):
        raise _http(theirs.HfHubHTTPError, 429, **headers)
    assert caught.value.retry_after == seconds


def test_offline_mode_is_named() -> None:
    with pytest.raises(HubDown, match="HF_HUB_OFFLINE"), as_ours("a/b"):
        raise theirs.OfflineModeIsEnabled("no")


def test_what_is_ours_already_stays() -> None:
    ours = Gated("no", hub="huggingface")
    with pytest.raises(Gated) as caught, as_ours("a/b"):
        raise ours
    assert caught.value is ours


def test_a_branch_that_is_not_there_is_not_called_a_missing_repository() -> None:
    found = translated(_http(theirs.RevisionNotFoundError, 404), "maker/ink")
    assert "no such commit, branch or tag of maker/ink" in found.message
