from __future__ import annotations

import numpy as np

from hub_ui.generate.pose import draw_skeleton, find_joints


def test_joints_are_where_the_maps_are_hottest() -> None:
    heat = np.zeros((17, 64, 48))
    heat[0, 32, 24] = 0.9
    heat[5, 16, 24] = 0.9
    heat[6, 16, 12] = 0.9
    found = find_joints(heat, (192, 256))
    assert found[0] == (98.0, 130.0)
    assert found[1] is None
    assert found[17] == (74.0, 66.0)


def test_a_wide_picture_was_fitted_into_what_the_network_saw() -> None:
    heat = np.zeros((17, 64, 48))
    heat[0, 32, 24] = 0.9
    x, y = find_joints(heat, (384, 192))[0] or (0.0, 0.0)
    assert (round(x), round(y)) == (196, 100)


def test_limbs_join_the_joints_that_were_found() -> None:
    found = [None] * 18
    image = draw_skeleton([*found[:5], (10.0, 10.0), None, (50.0, 10.0), *found[8:]], (64, 64))
    assert np.asarray(image)[10, 30].tolist() == [170, 255, 0]
    assert np.asarray(image)[40].max() == 0


def test_nobody_is_a_black_picture() -> None:
    image = draw_skeleton([None] * 18, (64, 32))
    assert (image.size, np.asarray(image).max()) == ((64, 32), 0)
