"""The page served once a module, on one's own computer and for strangers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hub_ui.web.raw import Visitor, served


@pytest.fixture(scope="module")
def local_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with served(tmp_path_factory.mktemp("local")) as visitor:
        yield visitor


@pytest.fixture(scope="module")
def hosted_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with served(tmp_path_factory.mktemp("hosted"), hosted=True) as visitor:
        yield visitor


@pytest.fixture
def local(local_page: Visitor) -> Visitor:
    return local_page.another()


@pytest.fixture
def hosted(hosted_page: Visitor) -> Visitor:
    return hosted_page.another()
