"""The event log of a run: typed records, one JSON object a line.

Every process of a run appends to the same file, one `write` per line, so lines never mix and a
killed process loses nothing it had written. The docstrings here are the log's documentation;
docs/event-log.md is generated from them.
"""

from typing import Self

import msgspec

AVERAGE, MOVING_AVERAGE, CENTRE = "average", "moving average", "centre"


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=_snake):
    """What every record has.

    Attributes:
        time: seconds since the epoch.
        source: the process it is from, such as `worker-3-0`, `evaluator-0-0` or `launcher`.

    """

    time: float = 0.0
    source: str = ""


class Started(Event, frozen=True):
    """A process is up and serves; a worker has not begun to train yet.

    Attributes:
        pid: its process id.
        address: host and port it serves at.
        status: host and port where it answers `/status` and `/metrics`; empty if nowhere.

    """

    pid: int
    address: str
    status: str = ""


class Began(Event, frozen=True):
    """A worker begins to train.

    Attributes:
        model_from: `seed`, `centre`, or the member whose model it copied.
        step: the step of the model it begins with.
        job_samples: samples of the whole job so far, as far as it knows.
        digest: XXH3 of the model it begins with; of a copy the same as that of what the other
            published at that step, which it logs with --trace.
        earlier_seconds: how long the job had trained before the processes that train now, as far
            as it knows.

    """

    model_from: str
    step: int
    job_samples: int
    digest: str = ""
    earlier_seconds: float = 0.0


class Progress(Event, frozen=True):
    """How a worker fares; about one a second, and one at the end.

    Attributes:
        step: the worker's step, those of the model it began with included.
        samples: samples of this process.
        job_samples: samples of all workers, as far as this one knows.
        epoch: job-wide passes over the training set.
        loss: mean training loss since the last such record, or its loss where no step was made
            since; null if it is not finite.
        learning_rate: the rate in use.
        samples_per_second: of this worker since the last such record.
        exchanges: own exchanges completed so far.
        lost: exchanges lost so far, with a peer that was gone, stopped, too slow or refused.
        skipped: exchanges not begun because the one before was still under way.
        staleness: mean age in steps of the peers' models taken in since the last such record: own
            step less the step the peer published or sent it at, negative if the peer is ahead;
            null if there were none.
        received_bytes: model bytes received so far.
        sent_bytes: model bytes sent so far.
        unpublished: steps whose model was not published because readers held every buffer.
        peers: how many other workers are in its view.
        heard: others' messages taken in so far.
        met: own exchanges completed since the last such record, by the member they were with.

    """

    step: int
    samples: int
    job_samples: int
    epoch: float
    loss: float | None
    learning_rate: float
    samples_per_second: float
    exchanges: int
    lost: int
    skipped: int
    staleness: float | None
    received_bytes: int
    sent_bytes: int
    unpublished: int
    peers: int
    heard: int = 0
    met: dict[str, int] = {}


class ExchangeLost(Event, frozen=True):
    """An exchange came to nothing.

    Attributes:
        peer: the member it was with.
        step: the own step.
        reason: what happened.

    """

    peer: str
    step: int
    reason: str


class ViewChanged(Event, frozen=True):
    """A worker's view of its peers changed.

    Attributes:
        version: counts up with every change.
        ranks: who is in it, the worker itself included.

    """

    version: int
    ranks: tuple[int, ...]


class WorkerModel(msgspec.Struct, frozen=True):
    """One worker's own model in an evaluation.

    Attributes:
        member: whose model.
        step: the step it was published at.
        loss: on held-out data; null if it is not finite.
        accuracy: on held-out data; null if there are no classes.

    """

    member: str
    step: int
    loss: float | None
    accuracy: float | None


class Evaluation(Event, frozen=True):
    """The evaluator tested the job's model: the live workers' average, or the servers' centre.

    Attributes:
        seconds: since the first worker began to train.
        job_samples: samples of the whole job so far.
        epoch: job-wide passes over the training set.
        averaged: how many workers' models are in the average.
        missed: members that were there but could not be read.
        loss: of the average, on held-out data; null if it is not finite.
        accuracy: of the average, on held-out data; null if there are no classes.
        consensus_distance: square root of the mean squared distance of the workers' vectors from
            their average; null if it is not finite.
        relative_consensus_distance: the same over the norm of the average.
        min_step: the oldest snapshot in the average.
        max_step: the newest snapshot in the average.
        workers: some workers' own models.
        final: true for the one that ends the job.
        model: `average`, `moving average` or `centre`: which was tested.
        took: seconds that reading the models and testing them took.

    """

    seconds: float
    job_samples: int
    epoch: float
    averaged: int
    missed: tuple[str, ...]
    loss: float | None
    accuracy: float | None
    consensus_distance: float | None
    relative_consensus_distance: float | None
    min_step: int
    max_step: int
    workers: tuple[WorkerModel, ...]
    final: bool
    model: str = AVERAGE
    took: float = 0.0


class Stopping(Event, frozen=True):
    """A process learned that the job ends.

    Attributes:
        reason: `budget`, `target`, `deadline` or `interrupted`.
        by: who ended it.
        step: the own step; 0 for the evaluator.
        job_samples: samples of the whole job, as far as it knows.

    """

    reason: str
    by: str
    step: int
    job_samples: int


class Finished(Event, frozen=True):
    """A worker has ended for good.

    Attributes:
        step: the worker's step, those of the model it began with included.
        samples: samples of this process.
        released: whether the evaluator told it to go; otherwise it saved its own model, if it
            trained to the job's end.
        left: whether it was told to leave before the job's end.

    """

    step: int
    samples: int
    released: bool
    left: bool = False


class Fenced(Event, frozen=True):
    """A process found that its place was given to a newer one, and stopped at once.

    Attributes:
        successor: the member that has its place.

    """

    successor: str


class Reformed(Event, frozen=True):
    """A worker of a strategy with collectives met others: at the start, or after one came or went.

    Attributes:
        generation: counts up with every group; alike in all members' records.
        ranks: who is in the group.
        step: the step that all go on from.
        digest: XXH3 of what is alike on all of them there.
        donor: the member whose state this worker copied; empty if it had the same already.

    """

    generation: int
    ranks: tuple[int, ...]
    step: int
    digest: str
    donor: str = ""


class Saved(Event, frozen=True):
    """A process saved its state.

    Attributes:
        where: the checkpoint's folder or URL.
        seconds: what the writing took, beside the training.

    """

    where: str
    seconds: float


class Unsaved(Event, frozen=True):
    """A process could not save its state; it goes on, and tries again when it is next time to.

    Attributes:
        reason: why, in one line.

    """

    reason: str

    @classmethod
    def because(cls, error: Exception) -> Self:
        """Return the record of an error's text."""
        return cls(reason=" ".join(str(error).split()))


class Left(Event, frozen=True):
    """The launcher saw a process end, well or not.

    Attributes:
        member: which.
        exit_code: 0 for a good end; minus the number of the signal that killed it.
        reason: the same in words.

    """

    member: str
    exit_code: int
    reason: str


class Replaced(Event, frozen=True):
    """The launcher started a new process for a lost rank.

    Attributes:
        member: the new one.
        instead_of: the lost one.

    """

    member: str
    instead_of: str


class Failed(Event, frozen=True):
    """A process gives up.

    Attributes:
        reason: why, in one line.
        user_error: whether the job itself is at fault, so that trying again is in vain.

    """

    reason: str
    user_error: bool = False


class Called(Event, frozen=True):
    """Only of a run with --trace: an algorithm was told of something, or its x was published.

    Attributes:
        call: `before_step`, `gradient`, `step`, `answer`, `message`, `averaged`, `lost`, `view` or
            `finish`, or `published`.
        peer: the member that it is about, if any.
        number: of a message, as its sender numbers them from 1; of an answer, that of the question.
        step: of a fetched snapshot; of `published`, the own step or a server's version.
        idle: whether the algorithm could begin an exchange.
        reason: of a loss.
        ranks: of a view.
        incarnations: of a view, in the order of the ranks.
        learning_rate: that of the optimizer's step before `published`.
        digest: XXH3 of what was published.
        finished: of a fetched snapshot and of `published`: whether it is a worker's last.

    """

    call: str
    peer: str = ""
    number: int = 0
    step: int = 0
    idle: bool = True
    reason: str = ""
    ranks: tuple[int, ...] = ()
    incarnations: tuple[int, ...] = ()
    learning_rate: float = 0.0
    digest: str = ""
    finished: bool = False


Record = (
    Started
    | Began
    | Progress
    | ExchangeLost
    | ViewChanged
    | Evaluation
    | Stopping
    | Finished
    | Fenced
    | Reformed
    | Saved
    | Unsaved
    | Left
    | Replaced
    | Failed
    | Called
)
