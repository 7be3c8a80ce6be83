import json

import msgspec

from gossip_trainer.report.history import fold
from gossip_trainer.report.summarize import summarize
from gossip_trainer.report.summary import Summary, as_json, write_summary


def test_the_file_is_snake_case_json_that_reads_back_as_the_same_summary(
    tmp_path, began, progress, evaluation, left, job
):
    history = fold([began(), progress(at=1.0), evaluation(at=1.0), left(at=2.0)])
    summary = summarize(
        history, job(target={"metric": "accuracy", "value": 0.8}), state="succeeded"
    )
    path = tmp_path / "summary.json"

    write_summary(summary, path)

    assert msgspec.json.decode(path.read_bytes(), type=Summary) == summary
    document = json.loads(path.read_text())
    assert document["last_evaluation"]["consensus_distance"] == 0.25
    assert document["target"]["reached"]["job_samples"] == 6400
    assert document["workers"][0]["steps_per_second"] == 100.0


def test_it_is_indented_and_ends_its_last_line(job):
    text = as_json(summarize(fold([]), job(), state="failed")).decode()

    assert text.startswith('{\n  "job": "digits",\n')
    assert text.endswith("}\n")
