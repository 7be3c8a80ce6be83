"""The evaluator's metrics."""

import math
from datetime import timedelta

from gossip_api.metrics import processes
from gossip_api.metrics.instruments import Instruments
from gossip_trainer.observability.events import Evaluation, Record


class EvaluatorMetrics:
    """Made of the records of evaluations alone.

    Args:
        instruments: to set.
        every: time between two evaluations that the job asks for.

    """

    def __init__(self, instruments: Instruments, every: timedelta) -> None:
        self._instruments = instruments
        instruments.gauge(processes.EVALUATION_INTERVAL).set(every.total_seconds())

    def note(self, record: Record) -> None:
        """Take in an evaluation."""
        if not isinstance(record, Evaluation):
            return
        found, gauge = self._instruments, self._instruments.gauge
        found.counter(processes.EVALUATIONS).inc()
        found.counter(processes.MISSED).inc(len(record.missed))
        found.histogram(processes.EVALUATION_SECONDS).observe(record.took)
        gauge(processes.LAST_EVALUATION).set(record.time)
        gauge(processes.AVERAGED).set(record.averaged)
        gauge(processes.SPREAD).set(record.max_step - record.min_step)
        for metric, value in (
            (processes.EVALUATED_LOSS, record.loss),
            (processes.EVALUATED_ACCURACY, record.accuracy),
            (processes.CONSENSUS_DISTANCE, record.consensus_distance),
            (processes.RELATIVE_CONSENSUS_DISTANCE, record.relative_consensus_distance),
        ):
            gauge(metric).set(math.nan if value is None else value)

    def refresh(self) -> None:
        """Do nothing: all is set already."""
