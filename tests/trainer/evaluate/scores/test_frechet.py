"""The Fréchet distance against closed forms."""

import numpy as np
import pytest

from trainer.evaluate.scores.frechet import frechet


def test_of_one_dimension_it_is_means_and_deviations():
    a, b = np.array([[0.0], [2.0]]), np.array([[5.0], [11.0]])
    # means 1 and 8, deviations sqrt(2) and sqrt(18): 49 + (1.414 - 4.243)^2
    assert frechet(a, b) == pytest.approx(49 + 8)


def test_equal_sets_are_at_no_distance_and_a_shift_is_its_square():
    a = np.random.Generator(np.random.PCG64(0)).normal(size=(30, 5))
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet(a, a + 2) == pytest.approx(5 * 4)


def test_covariances_that_do_not_commute():
    import scipy.linalg

    rng = np.random.Generator(np.random.PCG64(1))
    a, b = rng.normal(size=(40, 4)) @ rng.normal(size=(4, 4)), rng.normal(size=(40, 4)) @ rng.normal(size=(4, 4))
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = a.mean(0) - b.mean(0)
    expected = shift @ shift + np.trace(ca + cb - 2 * scipy.linalg.sqrtm(ca @ cb).real)
    assert frechet(a, b) == pytest.approx(expected)


def test_one_picture_has_no_covariance():
    with pytest.raises(ValueError, match="at least 2"):
        frechet(np.zeros((1, 3)), np.zeros((4, 3)))
