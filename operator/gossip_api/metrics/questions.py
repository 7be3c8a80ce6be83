"""The main questions about a job and the operator, and the queries that answer them."""

from __future__ import annotations

from typing import NamedTuple

from gossip_api.metrics import jobs, operator, processes

_JOB = f"({', '.join(jobs.IDENTITY)})"
_RANK = f"({', '.join((*jobs.IDENTITY, 'rank'))})"
_BUCKET = f"({', '.join((*jobs.IDENTITY, 'le'))})"
_GOOD = "|".join(processes.GOOD_PHASES)


class Question(NamedTuple):
    """A question in words and in PromQL."""

    text: str
    query: str


def _rate(series: str, by: str = _JOB) -> str:
    return f"sum by {by} (rate({series}[5m]))"


def _p95(name: str) -> str:
    return f"histogram_quantile(0.95,\n  {_rate(f'{name}_bucket', _BUCKET)})"


_STEPS = _rate(processes.STEPS_TAKEN.name, _RANK)
_SPENT = processes.PHASE_SECONDS.name
_COMPUTED = f'{_SPENT}{{phase=~"{_GOOD}"}}'
_LOST = f'{processes.EXCHANGES.name}{{result="lost"}}'
_BEGUN = f'{processes.EXCHANGES.name}{{result!="skipped"}}'

QUESTIONS = (
    Question("Does training converge?", jobs.LOSS.name),
    Question(
        "Do the workers agree, or does each train a model of its own?",
        processes.RELATIVE_CONSENSUS_DISTANCE.name,
    ),
    Question(
        "Goodput: which share of their time do the workers spend on computing?",
        f"{_rate(_COMPUTED)}\n  / {_rate(_SPENT)}",
    ),
    Question(
        "What do they spend the rest on?",
        _rate(_SPENT, "(namespace, job_name, phase)"),
    ),
    Question("How many samples are trained on in a second?", _rate(processes.SAMPLES.name)),
    Question(
        "How long do nineteen of twenty steps take at most?", _p95(processes.STEP_SECONDS.name)
    ),
    Question(
        "Which workers are slow? (1 is the middle one of the job's)",
        f"{_STEPS}\n  / on {_JOB} group_left ()\n  quantile by {_JOB} (0.5, {_STEPS})",
    ),
    Question("How old are the models that workers take in?", _p95(processes.STALENESS.name)),
    Question(
        "Which share of the exchanges comes to nothing?",
        f"{_rate(_LOST)}\n  / {_rate(_BEGUN)}",
    ),
    Question(
        "How many bytes of models does a job move in a second?",
        _rate(f'{processes.BYTES.name}{{direction="sent"}}'),
    ),
    Question(
        "Does push-sum keep every worker's weight away from 0?",
        f"min by {_JOB} ({processes.PUSH_SUM_WEIGHT.name})",
    ),
    Question(
        "How many workers are missing?",
        f'{jobs.WORKERS.name}{{state="desired"}}\n'
        f'  - ignoring (state) {jobs.WORKERS.name}{{state="ready"}}',
    ),
    Question("How often were processes started again?", f"increase({jobs.RESTARTS.name}[1h])"),
    Question(
        "How old is each worker's newest checkpoint?",
        f"time() - max by {_RANK} ({processes.LAST_CHECKPOINT.name} > 0)",
    ),
    Question(
        "How long did a job wait for its training?", f"{jobs.BEGAN.name} - {jobs.CREATED.name}"
    ),
    Question(
        "Which strategy gets how far?",
        f"{jobs.ACCURACY.name}\n"
        f"  * on {_JOB} group_left (strategy, exchange, topology) {jobs.INFO.name}",
    ),
    Question(
        "Which share of the operator's looks at jobs fails?",
        f'sum(rate({operator.RECONCILES.name}{{result="error"}}[5m]))\n'
        f"  / sum(rate({operator.RECONCILES.name}[5m]))",
    ),
    Question(
        "How long do jobs wait to be looked at?",
        f"histogram_quantile(0.99, sum by (le) (rate({operator.QUEUE_SECONDS.name}_bucket[5m])))",
    ),
)
