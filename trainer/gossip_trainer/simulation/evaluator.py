"""Tests the job's model, as gossip_trainer.process.evaluator does.

That is the average of the live workers' snapshots, of their models or of their moving averages, or,
where there are servers, the centre.

It reads them in no time: a real evaluator's transfers share links with training, which matters only
where evaluations are frequent.
"""

import math
import random
from collections.abc import Sequence

from gossip_api.job import JobSpec
from gossip_trainer.evaluation.mean import RunningMean
from gossip_trainer.evaluation.scoring import score
from gossip_trainer.progress.ledger import StopReason
from gossip_trainer.seeding import derive_seed
from gossip_trainer.simulation.replica import Snapshot
from gossip_trainer.simulation.result import Evaluation
from gossip_trainer.simulation.stationarity import Stationarity
from gossip_trainer.simulation.world import World


class VirtualEvaluator:
    """Makes the time series of one simulation.

    Attributes:
        evaluations: in the order of time.
        stationarity: of the job's model.

    """

    def __init__(self, world: World, spec: JobSpec) -> None:
        self._world = world
        self._sample = spec.evaluation.sample
        self._target = spec.training.target
        seed = derive_seed(spec.training.seed, "census", 0)
        self._stream = random.Random(seed)  # noqa: S311 - a reproducible sample
        self._mean = self._average = RunningMean(world.shared.layout.size)
        if spec.training.moving_average is not None:
            self._average = RunningMean(world.shared.layout.size)
        self._averaged = world.shared.replica()
        self.evaluations: list[Evaluation] = []
        layout = world.shared.layout
        self.stationarity = Stationarity(layout.size, sum(e.numel for e in layout.entries))

    def evaluate(
        self,
        snapshots: Sequence[tuple[Snapshot, Snapshot]],
        *,
        fraction: float,
        received_bytes: int,
        final: bool = False,
    ) -> None:
        """Test the job's model; of many snapshots a sample while workers train.

        Args:
            snapshots: the live workers' newest: their models, and what is tested the mean of.
            fraction: of the budget that is used up.
            received_bytes: what all workers have received.
            final: whether training is over.

        """
        world, mean, average = self._world, self._mean, self._average
        chosen = list(snapshots)
        if not final and len(chosen) > self._sample:
            chosen = self._stream.sample(chosen, self._sample)
        with world.laps.evaluation:
            mean.clear()
            average.clear()
            for model, tested in chosen:
                mean.add(model.vector, model.weight)
                if average is not mean:
                    average.add(tested.vector, tested.weight)
            average.write_to_(self._averaged.model.vector)
            for server in world.servers:
                server.write_to_(self._averaged.model.vector)
            self.stationarity.note(fraction, self._averaged.model.vector, mean.consensus_distance)
            module = world.shared.show(self._averaged)
            result = score(module, world.dataset)
            module.train()
        evaluation = Evaluation(
            # The final model is that of the moment at which the job was stopped.
            seconds=stop.at if final and (stop := world.standing.stop) else world.clock.now,
            job_samples=world.standing.samples,
            epoch=world.meter.epoch(world.standing.samples),
            job_steps=world.standing.steps,
            received_bytes=received_bytes,
            averaged=len(chosen),
            loss=_finite(result.loss),
            accuracy=result.accuracy,
            consensus_distance=_finite(mean.consensus_distance),
            mean_norm=_finite(mean.norm),
            final=final,
        )
        self.evaluations.append(evaluation)
        if not final and self.meets_target(evaluation):
            world.standing.end(StopReason.TARGET, "evaluator-0-0", world.clock.now)

    def meets_target(self, evaluation: Evaluation) -> bool:
        """Tell whether the job's target, if it has one, is met."""
        target = self._target
        if target is None:
            return False
        if target.metric == "accuracy":
            return evaluation.accuracy is not None and evaluation.accuracy >= target.value
        return evaluation.loss is not None and evaluation.loss <= target.value


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
