import pytest


@pytest.mark.parametrize("shards", [1, 2])
def test_a_worker_that_waits_before_its_step_keeps_its_own_gradient(make_simulator, shards):
    """With a moving rate of almost nothing it makes no difference to anybody whether it waits."""

    def finished(*, overlap):
        settings = {"period": 1, "movingRate": 1e-9, "overlap": overlap}
        strategy = {"type": "ElasticAveraging", "elasticAveraging": settings}
        return make_simulator(strategy=strategy, server={"shards": shards}).run().final

    waiting, going_on = finished(overlap=False), finished(overlap=True)

    assert going_on.consensus_distance > 0.01
    assert waiting.consensus_distance == pytest.approx(going_on.consensus_distance, rel=1e-4)
