import pytest

from gossip_api.strategy import Strategy
from gossip_trainer.compare.contestants import KINDS, Contestant, parse_contestants
from gossip_trainer.compare.errors import InvalidComparison


def strategy(load, text, **changes) -> Strategy:
    """Return the strategy that a contestant gives to a job."""
    (contestant,) = parse_contestants(text)
    read = load(changes)
    return read(contestant.overrides(read())).spec.strategy


@pytest.mark.parametrize("name", KINDS)
def test_every_name_makes_a_valid_job_of_its_own_type_and_tag(load, name):
    made = strategy(load, name)
    kind = KINDS[name]
    assert made.type == kind.type
    tag = {"Gossip": "exchange", "LocalSGD": "averaging"}.get(kind.type)
    assert kind.tag == (getattr(made.settings, tag) if tag else None)


@pytest.mark.parametrize("name", KINDS)
def test_collectives_may_send_plaintext_for_a_comparison_stays_on_the_machine(load, name):
    made = strategy(load, name)
    assert getattr(made.settings, "allow_plaintext", False) == made.uses_collective


def test_no_two_names_mean_the_same():
    assert len(set(KINDS.values())) == len(KINDS) == 9


def test_the_jobs_own_settings_of_the_same_type_are_kept(load):
    own = {"type": "Gossip", "gossip": {"exchange": "Pull", "period": 4, "mixingWeight": 0.3}}
    assert strategy(load, "pull-gossip", strategy=own).gossip.mixing_weight == 0.3
    assert strategy(load, "pairwise", strategy=own).gossip.period == 4


def test_settings_that_another_exchange_does_not_have_are_left_out(load):
    own = {"type": "Gossip", "gossip": {"exchange": "Pull", "period": 4, "mixingWeight": 0.3}}
    made = strategy(load, "push-sum", strategy=own).gossip
    assert (made.exchange, made.period) == ("PushSum", 4)
    assert "mixing_weight" not in made.model_fields_set


def test_the_jobs_own_settings_of_another_type_are_not(load):
    own = {"type": "LocalSGD", "localSGD": {"period": 7, "allowPlaintext": True}}
    assert strategy(load, "pull-gossip", strategy=own).gossip.period == 1


def test_the_own_strategy_is_the_jobs(load):
    own = {"type": "LocalSGD", "localSGD": {"period": 7, "allowPlaintext": True}}
    assert strategy(load, "job", strategy=own).local_sgd.period == 7
    assert strategy(load, "job:period=9", strategy=own).local_sgd.period == 9


def test_servers_are_kept_for_those_that_have_them_and_taken_from_the_others(load):
    own = {"strategy": {"type": "ElasticAveraging"}, "server": {"shards": 3}}
    read = load(own)
    for text, shards in (("parameter-server", 3), ("pull-gossip", 0)):
        (contestant,) = parse_contestants(text)
        assert read(contestant.overrides(read())).spec.num_shards == shards


def test_settings_go_to_the_strategy_or_with_spec_to_the_job(load):
    (contestant,) = parse_contestants(
        "pull-gossip:period=4,topology.type=Ring,spec.training.batchSize=2"
    )
    spec = load()(contestant.overrides(load()())).spec
    assert spec.strategy.gossip.period == 4
    assert spec.strategy.gossip.topology.type == "Ring"
    assert spec.training.batch_size == 2


def test_commas_divide_contestants_and_settings_but_not_what_stands_in_brackets():
    text = "all-reduce, pull-gossip:topology={type: Ring, fallback: true},period=2,job"
    assert parse_contestants(text) == (
        Contestant("all-reduce"),
        Contestant("pull-gossip", ("topology={type: Ring, fallback: true}", "period=2")),
        Contestant("job"),
    )


def test_a_label_is_what_was_asked_for():
    labels = [each.label for each in parse_contestants("push-sum,push-sum:period=2,overlap=false")]
    assert labels == ["push-sum", "push-sum:period=2,overlap=false"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "pull-gosip",
            r"got 'pull-gosip' \(did you mean pull-gossip\?\); must be among all-reduce",
        ),
        ("", "got ''; must be among all-reduce, pull-gossip"),
        ("job,", "got ''; must be among"),
        ("period=4,job", "period=4 belongs to no strategy; write name:period=4"),
        ("job:period", "job:period must be name:path=value"),
        ("job:=4", "job:=4 must be name:path=value"),
        ("job,push-sum,job", "job stands there twice"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_out(text, message):
    with pytest.raises(InvalidComparison, match=message):
        parse_contestants(text)
