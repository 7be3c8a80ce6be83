"""Whatever part of a log there is, and however long it is, there is a page of bounded size."""

import random
import re

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_run import BEGIN, JOB, records_of_a_run

from gossip_api.loading import parse_job
from gossip_trainer.observability.events import Began, Progress
from gossip_trainer.page.html import html
from gossip_trainer.page.meetings import Meetings
from gossip_trainer.page.run_page import run_page
from gossip_trainer.page.sources import RunLog
from gossip_trainer.report.history import fold
from gossip_trainer.report.summarize import summarize

RECORDS = records_of_a_run()
LOSSES = st.none() | st.floats(allow_nan=False, allow_infinity=False)


def page_of(records, *, workers=4):
    job = parse_job(JOB, overrides=[f"workers.replicas={workers}"])
    history = fold(records)
    log = RunLog(
        label="any",
        job=job,
        job_text=JOB,
        history=history,
        meetings=Meetings.of(records),
        summary=summarize(history, job, state="interrupted"),
        warnings=(),
    )
    return html(run_page([log]))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(RECORDS), max_size=40), st.lists(LOSSES, min_size=40, max_size=40))
def test_any_part_of_a_log_with_any_losses_has_a_page(records, losses):
    changed = [
        msgspec.structs.replace(record, loss=loss) if hasattr(record, "loss") else record
        for record, loss in zip(records, losses, strict=False)
    ]

    text = page_of(changed)

    assert not re.search(r'="[^"<>]*\b(nan|inf)\b', text.partition("</style>")[2])


def test_the_page_of_a_thousand_uneven_workers_is_bounded():
    pace = random.Random(1)
    records = []
    for rank in range(1000):
        name, step = f"worker-{rank}-0", 0
        records.append(Began(time=BEGIN, source=name, model_from="seed", step=0, job_samples=0))
        for second in range(1, 60):
            step += pace.randrange(100)
            told = next(each for each in RECORDS if isinstance(each, Progress))
            records.append(
                msgspec.structs.replace(told, time=BEGIN + second, source=name, step=step)
            )

    assert len(page_of(records, workers=1000)) < 3_000_000
