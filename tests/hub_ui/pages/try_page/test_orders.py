from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hub_ui.pages.try_page.orders import Order
from hub_ui.web.view import StackedLora, View

INK, PAPER = StackedLora(ref="civitai:1"), StackedLora(ref="civitai:2")
ONE = View(page="try", stack=(INK,))


def test_an_order_is_for_views_with_its_loras() -> None:
    order = Order.of(ONE)
    views = (ONE, View(stack=(PAPER, INK)), View(stack=(PAPER,)), View())
    assert [order.is_due(view) for view in views] == [True, True, False, False]


def test_of_all_that_ask_at_once_one_gets_it() -> None:
    order = Order.of(ONE)
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda _: order.claim(), range(40)))[-2:] == [False, True]
    assert not order.is_due(ONE)


def test_each_order_is_told_from_the_one_before() -> None:
    assert Order.of(ONE).number != Order.of(ONE).number
