import pytest
from pydantic import ValidationError

from gossip_api.compression import Compression
from gossip_api.strategy import Strategy


def strategy(kind, **settings):
    member = {
        "Gossip": "gossip",
        "ElasticAveraging": "elasticAveraging",
        "LocalSGD": "localSGD",
        "ParameterServer": "parameterServer",
        "AllReduce": "allReduce",
    }[kind]
    return Strategy.model_validate({"type": kind, member: settings})


def gossip(exchange, kind):
    return "Gossip", {"exchange": exchange, "compression": {"type": kind}}


def elastic(kind):
    return "ElasticAveraging", {"compression": {"type": kind}}


def local_sgd(averaging, kind):
    return "LocalSGD", {"averaging": averaging, "compression": {"type": kind}}


SOUND = [
    *(gossip(exchange, "BFloat16") for exchange in ("Pull", "Push", "Pairwise", "PushSum")),
    gossip("Pull", "Partial"),
    elastic("BFloat16"),
    elastic("Int8"),
    local_sgd("Gossip", "BFloat16"),
]


@pytest.mark.parametrize(("kind", "settings"), SOUND)
def test_what_is_sound_is_taken(kind, settings):
    chosen = settings["compression"]["type"]
    assert strategy(kind, **settings).compression.type == chosen


UNSOUND = [
    (*gossip("Pull", "Int8"), "peers that are drawn anew know nothing of each other; use BFloat16"),
    (*gossip("Push", "Partial"), "only a reader chooses .*; use BFloat16 or exchange Pull"),
    (*gossip("Pairwise", "Partial"), "use BFloat16 or exchange Pull"),
    (*gossip("PushSum", "Partial"), "use BFloat16 or exchange Pull"),
    (*elastic("Partial"), "a server's part is exchanged as a whole; use Int8 or BFloat16"),
    (*local_sgd("Gossip", "Int8"), "must be BFloat16"),
    (*local_sgd("Gossip", "Partial"), "must be BFloat16"),
    (*local_sgd("AllReduce", "BFloat16"), "is only for averaging Gossip"),
]


@pytest.mark.parametrize(("kind", "settings", "why"), UNSOUND)
def test_what_is_not_is_refused_with_the_reason_and_what_to_use(kind, settings, why):
    with pytest.raises(ValidationError, match=f"compression.*: .*{why}"):
        strategy(kind, **settings)


@pytest.mark.parametrize("kind", ["AllReduce", "ParameterServer"])
def test_what_gloo_sums_and_what_a_server_steps_on_has_no_such_field(kind):
    with pytest.raises(ValidationError, match="compression"):
        strategy(kind, compression={"type": "BFloat16"})
    assert strategy(kind).compression is None


@pytest.mark.parametrize("kind", ["Gossip", "ElasticAveraging", "LocalSGD"])
def test_left_out_nothing_is_compressed(kind):
    assert strategy(kind).compression is None


def test_fragments_are_for_partial_only_and_four_where_left_out():
    assert Compression(type="Partial").fragments == 4
    with pytest.raises(ValidationError, match="fragments: is only for type Partial"):
        Compression(type="Int8", fragments=2)
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        Compression(type="Partial", fragments=1)
