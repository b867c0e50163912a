"""Figures and their standard errors, worked by hand."""

import math

import numpy as np
import pytest

from trainer.evaluate.scores.means import Figure, figures, ratio, weighted


def test_a_mean_has_the_usual_standard_error():
    values = [0.0, 1.0, 1.0, 0.5]
    figure = ratio((str(i), (v, 1.0)) for i, v in enumerate(values))
    assert figure.value == pytest.approx(0.625)
    assert figure.error == pytest.approx(np.std(values, ddof=1) / math.sqrt(4))


def test_a_ratio_weighs_pictures_by_what_they_are_out_of():
    figure = ratio([("a", (1.0, 1.0)), ("b", (0.0, 3.0))])
    assert figure.value == 0.25
    # residuals 1 - 0.25 and 0 - 0.75: sqrt(2 / 1 * (0.5625 + 0.5625)) / 4
    assert figure.error == pytest.approx(math.sqrt(2.25) / 4)


def test_pictures_of_one_prompt_are_one_observation():
    once = ratio([("a", (1.0, 1.0)), ("b", (0.0, 1.0))])
    four = ratio([*[("a", (1.0, 1.0))] * 4, *[("b", (0.0, 1.0))] * 4])
    assert once == four


def test_nothing_has_no_figure_and_one_prompt_no_error():
    assert ratio([]) == Figure(None, None)
    assert ratio([("a", (0.0, 0.0))]) == Figure(None, None)
    assert ratio([("a", (1.0, 2.0))]) == Figure(0.5, None)


def test_the_reports_overall_is_weighted_by_level_size():
    levels = [(Figure(0.9729, 0.0), 3500.0), (Figure(0.4053, 0.0), 3000.0), (Figure(0.0648, 0.0), 1605.0)]
    assert weighted(levels).value == pytest.approx(0.5830, abs=1e-4)


def test_errors_of_independent_groups_add_in_quadrature():
    figure = weighted([(Figure(1.0, 0.3), 1.0), (Figure(0.0, 0.4), 1.0)])
    assert figure == Figure(0.5, pytest.approx(0.25))


def test_figures_take_every_metric_and_weigh_groups():
    rows = [
        ("1", "a", {"m": (1.0, 1.0)}),
        ("2", "a", {"m": (1.0, 1.0)}),
        ("3", "b", {"m": (0.0, 1.0), "k": (1.0, 2.0)}),
    ]
    assert figures(rows, {})["m"].value == pytest.approx(2 / 3)
    assert figures(rows, {})["k"].value == 0.5
    assert figures(rows, {"a": 1.0, "b": 3.0})["m"].value == 0.25
