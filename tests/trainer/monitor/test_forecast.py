"""A training that will take long says so once."""

from __future__ import annotations

import torch

from trainer.monitor.forecast import LONG, Forecast


def test_a_long_training_on_a_cpu_says_so_once_and_what_to_change() -> None:
    forecast = Forecast(torch.device("cpu"))
    assert forecast.look(None) is None
    told = forecast.look(9 * 3600.0)
    assert told is not None
    assert "about 9 h 0 min" in told
    assert "phases.N.steps" in told
    assert "GPU" in told
    assert "\n" not in told
    assert forecast.look(9 * 3600.0) is None


def test_short_ones_and_gpus_say_nothing() -> None:
    assert Forecast(torch.device("cpu")).look(LONG) is None
    assert Forecast(torch.device("cuda")).look(9 * 3600.0) is None
