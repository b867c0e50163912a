"""The best checkpoint by a metric."""

from __future__ import annotations

from pathlib import Path

from configs import RunFailed
from trainer.monitor.metrics import Line, has, read_metrics, value_of
from trainer.state.config import BestConfig
from trainer.state.folders import read_best


class BestMetric:
    """The mean of a metric over the last ``every`` steps, compared with the best so far at each multiple of them."""

    def __init__(self, config: BestConfig, out: Path, done: int) -> None:
        """``done``: steps; what was measured since the last look is taken from metrics.jsonl."""
        self.config = config
        since = done - done % config.every
        lines = [line for line in read_metrics(out) if since <= line["step"] < done]
        self._values: list[float] = []
        self._known = False
        for line in lines:
            self._take(line)
        best = read_best(out)
        same = best.get("metric") == config.metric and best.get("step", 0) <= done
        self._best = float(best["value"]) if same else float("inf")

    def look(self, line: Line, done: int) -> tuple[str, float] | None:
        """Take in the line of the step that makes it ``done`` steps; name and mean where it is the best so far, else None.

        Numbers that are not finite are passed over. Raises RunFailed where no line of a whole stretch has the metric.
        """
        self._take(line)
        if done % self.config.every:
            return None
        known, self._known = self._known, False
        if not known:
            raise RunFailed(
                f"field 'checkpoint.best.metric': no step of the last {self.config.every} had a number "
                f"'{self.config.metric}'; the lines of metrics.jsonl say what there is; change it and give the command "
                "again"
            )
        if not self._values:
            return None
        mean = sum(self._values) / len(self._values)
        self._values = []
        if mean >= self._best:
            return None
        self._best = mean
        return self.config.metric, mean

    def _take(self, line: Line) -> None:
        value = value_of(line, self.config.metric)
        self._values += [] if value is None else [value]
        self._known = self._known or has(line, self.config.metric)
