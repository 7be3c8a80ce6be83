import pytest

from gossip_api.job import JobSpec
from gossip_trainer.training.schedules import rate_of


def spec_of(**training):
    return JobSpec.model_validate(
        {
            "strategy": {"type": "Gossip"},
            "workers": {"replicas": 4},
            "training": {
                "model": {"name": "mlp"},
                "data": {"name": "digits"},
                "optimizer": {"name": "sgd", "learningRate": 0.2},
                "schedule": {"name": "cosine"},
                "budget": {"epochs": 4.0},
                **training,
            },
        }
    )


def test_the_jobs_rate_is_its_schedule_over_the_whole_budget():
    rate = rate_of(spec_of(), 4.0)
    assert [rate(epoch, 4) for epoch in (0.0, 2.0, 4.0)] == pytest.approx([0.2, 0.1, 0.0])


def test_it_stays_as_it_is_however_many_workers_live():
    rate = rate_of(spec_of(), 4.0)
    assert rate(0.0, 1) == rate(0.0, 4) == rate(0.0, 9) == 0.2


def test_by_choice_it_is_in_proportion_to_those_that_live():
    rate = rate_of(spec_of(learningRateWorkers=4), 4.0)
    assert [rate(0.0, live) for live in (1, 4, 8)] == pytest.approx([0.05, 0.2, 0.4])
