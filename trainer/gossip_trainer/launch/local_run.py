"""Runs a whole job on this machine: one process per worker and server, and one evaluator.

The launcher plays the operator's part: it starts the processes, removes dead ones from the roster,
replaces a lost evaluator or server and, if asked, lost workers, and says how the run ended. The
processes find each other, share the budget and end by themselves, as they do on a cluster.
"""

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gossip_api.environment import EXIT_USER_ERROR, ProcessEnvironment
from gossip_api.job import GossipTrainingJob
from gossip_api.loading import resolved_yaml
from gossip_api.names import Member, Role
from gossip_trainer.errors import RunError
from gossip_trainer.launch.exit_policy import Response, Situation, respond
from gossip_trainer.launch.last_pages import METRICS_FOLDER, last_page_of
from gossip_trainer.launch.own_command import PLACE, OwnCommand, own_command
from gossip_trainer.launch.processes import (
    ENDING_SIGNALS,
    Child,
    Nursery,
    describe_exit,
    end_children,
    last_line,
)
from gossip_trainer.launch.program import require_program
from gossip_trainer.launch.resumption import (
    CHECKPOINTS_FOLDER,
    PEERS_FOLDER,
    check_resumable,
    make_ready,
)
from gossip_trainer.membership.directory import remove_member
from gossip_trainer.observability.event_log import EventLog, EventTail
from gossip_trainer.observability.events import (
    Began,
    Failed,
    Fenced,
    Finished,
    Left,
    Record,
    Replaced,
    Stopping,
)
from gossip_trainer.process.claim import claimed
from gossip_trainer.report.files import EVENTS

POLL_SECONDS = 0.25
CONCLUDE_SECONDS = 15.0  # how long workers may take to leave after the evaluator has left
DESERTED_SECONDS = 60.0  # how long the evaluator may go on after the last worker has left
INTERRUPT_SECONDS = 30.0  # how long an interrupted run may take to end well
INTERRUPT_AGAIN_SECONDS = 1.0
LOCAL_ADDRESS = "127.0.0.1"

State = Literal["succeeded", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run a job here.

    Attributes:
        out: the run directory; created if it does not exist, and nobody else's meanwhile.
        tls: folder with tls.crt, tls.key and ca.crt for mutual TLS between the processes.
        replace_lost: start a new process for a worker that was lost.
        threads: of torch in each process; by default the cores are shared out.
        shared_memory: let workers read each other's models from shared memory. With `tls` they
            never do: who asks for mutual TLS gets it for every exchange.
        trace: log all that is needed to replay the run to the bit; takes one thread of torch.
        metrics: let every process serve its metrics, where its record of the start says, and leave
            them behind.
        resume: go on from what an earlier run left in `out`.

    """

    out: Path
    tls: Path | None = None
    replace_lost: bool = False
    threads: int | None = None
    shared_memory: bool = True
    trace: bool = False
    metrics: bool = False
    resume: bool = False


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended; `reason` is one line, and None after a success."""

    state: State
    reason: str | None = None


def run_locally(
    job: GossipTrainingJob, options: RunOptions, watch: Callable[[list[Record]], None]
) -> RunOutcome:
    """Run `job` to its end; `watch` gets the new event records a few times a second.

    Raises:
        RunError: the run cannot be resumed, or its own command cannot be run here, or another run
            has the folder.

    """
    command = _own_command(job, options)
    with claimed(options.out):
        run = _Run(job, options, command, _prepare(job, options))
        try:
            with _signals(run):
                run.start()
                while (outcome := run.advance()) is None:
                    watch(run.new_records())
                    time.sleep(POLL_SECONDS)
                watch(run.new_records())
                return outcome
        finally:
            end_children(run.children)


def _prepare(job: GossipTrainingJob, options: RunOptions) -> int:
    """Put into the folder what the processes need; return the incarnation they begin with."""
    first = 0
    if options.resume:
        check_resumable(job, options.out)
        first = make_ready(options.out)
    (options.out / "logs").mkdir(exist_ok=True)
    if options.metrics:
        (options.out / METRICS_FOLDER).mkdir(exist_ok=True)
    (options.out / "job.yaml").write_text(resolved_yaml(job))
    return first


def _own_command(job: GossipTrainingJob, options: RunOptions) -> OwnCommand | None:
    """Return the workers' own command, if they have one and it can be run here."""
    command = own_command(job)
    if command is None:
        return None
    if options.trace:
        raise RunError(
            "a run with --trace can be done again with the built-in training loop only, and this "
            f"job has its own, {PLACE}.command; leave --trace out"
        )
    require_program(command)
    return command


@contextmanager
def _signals(run: "_Run") -> Iterator[None]:
    def interrupt(_signal: int, _frame: object) -> None:
        run.interrupt()

    before = {s: signal.signal(s, interrupt) for s in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(slots=True)
class _Run:
    """The state of one run."""

    job: GossipTrainingJob
    options: RunOptions
    own_command: OwnCommand | None
    first: int = 0  # the incarnation of the processes that begin together
    children: list[Child] = field(default_factory=list)
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    stopping: bool = False  # nobody is replaced any more
    workers_seen_at: float = field(default_factory=time.monotonic)
    concluded_at: float | None = None  # when the evaluator left with the result
    interrupts: int = 0
    interrupted_at: float = 0.0
    passed_on_at: float = 0.0
    failures: dict[str, Failed] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)  # workers that have left as they should
    first_loss: str | None = None
    begun: set[str] = field(default_factory=set)  # workers that have begun to train
    events: EventLog = field(init=False)
    tail: EventTail = field(init=False)
    nursery: Nursery = field(init=False)
    fresh: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        path = self.options.out / EVENTS
        self.events = EventLog(path, "launcher")
        self.tail = EventTail(path)
        # One core is left to everything else; on small machines each process gets one thread.
        spare = len(os.sched_getaffinity(0)) - 1
        threads = self.options.threads or max(1, spare // self.job.spec.workers.replicas)
        if self.options.trace:
            threads = 1  # sums are ordered by the number of threads
        self.nursery = Nursery(threads)

    def start(self) -> None:
        """Start everyone."""
        self._start(Member(Role.EVALUATOR, 0, self.first))
        for shard in range(self.job.spec.num_shards):
            self._start(Member(Role.SERVER, shard, self.first))
        for rank in range(self.job.spec.workers.replicas):
            self._start(Member(Role.WORKER, rank, self.first))

    def new_records(self) -> list[Record]:
        """Return the event records since the last call."""
        fresh, self.fresh = self.fresh, []
        return fresh

    def interrupt(self) -> None:
        """End the job well; the second time, or before training has begun, at once."""
        self.interrupts += 1
        self.interrupted_at = time.monotonic()
        self._pass_on_interrupt()

    def _pass_on_interrupt(self) -> None:
        self.passed_on_at = time.monotonic()
        for child in self.children:
            # What a script does once its session is closed is its own; an interrupt would kill it.
            if child.name not in self.finished:
                child.send_signal(signal.SIGINT)

    def advance(self) -> RunOutcome | None:
        """Look after the children once; return the outcome when the run is over."""
        if (outcome := self._check_interrupted()) is not None:
            return outcome
        ended = [child for child in self.children if child.exit_code is not None]
        # Killed ones first: those that failed beside them may have failed for their lack.
        ended.sort(key=lambda child: child.exit_code or 0)
        self._read_events()  # after the look: what an ended child wrote is there by now
        for child in ended:
            self.children.remove(child)
            if (outcome := self._bury(child)) is not None:
                return outcome
        if self.concluded_at is None:
            return self._check_deserted()
        late = time.monotonic() - self.concluded_at > CONCLUDE_SECONDS
        if self.children and not late:
            return None
        return RunOutcome("interrupted" if self.interrupts else "succeeded")

    def _check_interrupted(self) -> RunOutcome | None:
        now = time.monotonic()
        if not self.interrupts:
            return None
        if self.interrupts > 1:
            return RunOutcome("interrupted", "interrupted twice; the processes were killed")
        if not self._has_begun():
            return RunOutcome("interrupted", "interrupted before training began")
        if now - self.interrupted_at > INTERRUPT_SECONDS:
            return RunOutcome("interrupted", "the processes did not end in time and were killed")
        if now - self.passed_on_at > INTERRUPT_AGAIN_SECONDS:
            self._pass_on_interrupt()  # a replacement may not have been ready to hear it
        return None

    def _read_events(self) -> None:
        for record in self.tail.new():
            self.fresh.append(record)
            if isinstance(record, Failed):
                self.failures[record.source] = record
            if isinstance(record, Began):
                self.begun.add(record.source)
            if isinstance(record, Finished | Fenced):
                self.finished.add(record.source)
            self.stopping = self.stopping or isinstance(record, Stopping)

    def _bury(self, child: Child) -> RunOutcome | None:
        code = child.exit_code
        assert code is not None
        child.process.kill()  # what it started itself ends with it, as in a container
        remove_member(self._peers, child.name)
        if code == -signal.SIGINT and child.name in self.finished:
            code = 0  # it had heard of the interrupt, and done as it said, when it came once more
        reason = self._reason(child, code)
        self.events.emit(Left(member=child.name, exit_code=code, reason=reason))
        if self._never_trained(child):
            code = EXIT_USER_ERROR
        if code != 0 and self.first_loss is None:
            self.first_loss = f"{child.name} {reason}"
        match respond(child.member, code, self._situation()):
            case Response.FAIL if code == EXIT_USER_ERROR:
                return RunOutcome("failed", f"{child.name} {reason}")
            case Response.FAIL:
                # Those lost later may have been lost for want of the first.
                return RunOutcome("failed", self.first_loss)
            case Response.REPLACE:
                self._replace(child.member)
            case Response.CONCLUDE:
                self.concluded_at = time.monotonic()
            case Response.GO_ON:
                pass
        return None

    def _check_deserted(self) -> RunOutcome | None:
        if self._situation().workers_left:
            self.workers_seen_at = time.monotonic()
        if time.monotonic() - self.workers_seen_at < DESERTED_SECONDS:
            return None
        return RunOutcome("failed", "all workers have left, but the evaluator does not conclude")

    def _situation(self) -> Situation:
        return Situation(
            workers_left=sum(child.member.role is Role.WORKER for child in self.children),
            min_workers=self._min_workers(),
            replace_lost=self.options.replace_lost,
            ending=self.stopping or self.interrupts > 0,
            concluded=self.concluded_at is not None,
            first=self.first,
        )

    def _min_workers(self) -> int:
        workers = self.job.spec.workers
        return workers.min_replicas if self._has_begun() else workers.replicas

    def _has_begun(self) -> bool:
        return len(self.begun) >= self.job.spec.workers.replicas

    def _replace(self, member: Member) -> None:
        new = Member(member.role, member.index, member.incarnation + 1)
        self._start(new)
        self.events.emit(Replaced(member=new.name, instead_of=member.name))

    def _reason(self, child: Child, code: int) -> str:
        failure = self.failures.get(child.name)
        if failure is not None:
            return f"failed: {failure.reason}"
        log = self._log(child.member)
        if self._never_trained(child):
            return (
                "ended without having trained: its command must open a gossip_trainer.Session and "
                f"take its batches to their end; see {log}"
            )
        if code == 0:
            return "ended well"
        said = f": {last}" if code > 0 and (last := last_line(log)) else ""
        return f"{describe_exit(code)}{said}, see {log}"

    def _never_trained(self, child: Child) -> bool:
        """Say whether it is a worker with an own command that ended well and left nobody."""
        own = self.own_command is not None and child.member.role is Role.WORKER
        return own and child.exit_code == 0 and child.name not in self.finished

    @property
    def _peers(self) -> Path:
        return self.options.out / PEERS_FOLDER

    def _log(self, member: Member) -> Path:
        return self.options.out / "logs" / f"{member.name}.log"

    def _checkpoints(self, role: Role) -> str | None:
        """Return where a process saves; on this machine the run has its own folder for all."""
        checkpoint = self.job.spec.checkpoint
        if checkpoint is None or not checkpoint.is_written_by(role):
            return None
        return str(self.options.out.absolute() / CHECKPOINTS_FOLDER)

    def _start(self, member: Member) -> None:
        replicas = self.job.spec.workers.replicas
        out = self.options.out.absolute()  # a training script may go to another folder
        environment = ProcessEnvironment(
            job_file=out / "job.yaml",
            job_uid=self.uid,
            role=member.role,
            rank=member.index,
            incarnation=member.incarnation,
            peers=f"directory:{self._peers.absolute()}",
            listen=f"{LOCAL_ADDRESS}:0",
            output=out,
            tls=self.options.tls.absolute() if self.options.tls else None,
            # On one machine everybody starts together; waiting for all makes the beginning the
            # same every time. A replacement waits for nobody.
            start_with=replicas if member.incarnation == self.first else 1,
            shared_memory=self.options.shared_memory and self.options.tls is None,
            trace=self.options.trace,
            status=f"{LOCAL_ADDRESS}:0" if self.options.metrics else None,
            last_metrics=last_page_of(out, member) if self.options.metrics else None,
            fresh=member.incarnation == self.first,
            checkpoints=self._checkpoints(member.role),
        )
        command = self.own_command if member.role is Role.WORKER else None
        self.children.append(self.nursery.start(environment, self._log(member), command))
