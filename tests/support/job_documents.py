"""Draws job documents, valid ones and ones changed at one place, and asks the models about them."""

import copy
import json

from hypothesis import strategies as st

from gossip_api.errors import InvalidJob
from gossip_api.loading import parse_job


def document(spec, name="a"):
    return {
        "apiVersion": "gossip.training/v1alpha1",
        "kind": "GossipTrainingJob",
        "metadata": {"name": name},
        "spec": spec,
    }


def problems(spec):
    """Return all that the models find wrong with it."""
    try:
        parse_job(json.dumps(document(spec)))
    except InvalidJob as error:
        return error.problems
    return ()


def as_the_server_keeps_it(text):
    """Read a number as the API server keeps it: an integral float is an integer."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 2**63 else value


def optional(required, **fields):
    return st.fixed_dictionaries(required, optional=fields)


positive = st.floats(1e-6, 1e6) | st.integers(1, 1000)
not_negative = st.floats(0, 1e6) | st.integers(0, 1000)
below_one = st.floats(0, 0.999) | st.just(0)
count = st.integers(1, 10_000) | st.integers(1, 100).map(float)
duration = st.sampled_from(["500ms", "60s", "5m", "1h30m", "2d", "1d2h3m4s5ms"])
# JSON escapes characters beyond these as pairs, which YAML does not know.
text = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8)
arguments = st.dictionaries(
    text,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)  # what the loader and the API server keep as integers
        | st.floats(allow_nan=False, allow_infinity=False)
        | text
        | st.sampled_from(["1e-4", "no", "0o7", "~", "2026-01-02"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner),
        max_leaves=5,
    ),
    max_size=3,
)
share = st.floats(0.001, 1)
free = optional({}, type=st.sampled_from(["Complete", "Ring", "Torus", "Exponential"])) | optional(
    {"type": st.just("Hypercube")}, fallback=st.just(True)
)
forced = st.sampled_from(["OnePeerExponential", "RandomMatching"]).map(lambda kind: {"type": kind})
selection = st.sampled_from(["Uniform", "UniformOthers", "Balanced"])
common = {"period": count, "overlap": st.booleans()}
gossip = st.one_of(
    optional({}, exchange=st.just("Pull"), topology=free, selection=selection, **common),
    optional({"exchange": st.just("Push")}, topology=free, selection=selection, **common),
    optional({"exchange": st.just("Pairwise")}, topology=forced, mixingWeight=share, **common),
    optional({"exchange": st.just("PushSum")}, topology=free | forced, **common),
)
outer = {"learningRate": positive, "momentum": below_one}
every_outer = optional({}, optimizer=st.sampled_from(["Nesterov", "HeavyBall"]), **outer)
gossip_outer = optional({}, optimizer=st.just("HeavyBall"), **outer)
local_sgd = optional({}, period=count, outer=every_outer, allowPlaintext=st.booleans()) | optional(
    {"averaging": st.just("Gossip")}, period=count, outer=gossip_outer, partnerDeadline=duration
)
members = {
    "gossip": gossip,
    "elasticAveraging": optional({}, movingRate=share, **common),
    "parameterServer": optional({}, maxStaleness=st.integers(0, 9), overlap=st.booleans()),
    "allReduce": optional(
        {}, backend=st.sampled_from(["auto", "gloo"]), allowPlaintext=st.booleans()
    ),
    "localSGD": local_sgd,
}
strategy = st.one_of(
    [
        optional({"type": st.just(member[0].upper() + member[1:])}, **{member: settings_of})
        for member, settings_of in members.items()
    ]
)
labels = st.dictionaries(text, text, max_size=2)
containers = st.tuples(
    st.fixed_dictionaries({"name": st.just("trainer")}, optional={"image": text, "env": arguments}),
    st.lists(
        st.fixed_dictionaries({"name": st.sampled_from(["a", "a-1"])}, optional={"image": text}),
        max_size=2,
    ),
).map(lambda pair: [*pair[1], pair[0]])
template = optional(
    {},
    metadata=optional({}, labels=labels, annotations=labels, name=text),
    spec=optional({}, containers=containers, volumes=st.lists(arguments, max_size=2)),
    x=arguments,
)
counts = st.lists(st.integers(1, 64), min_size=3, max_size=3).map(sorted)
workers = counts.map(
    lambda three: dict(zip(("minReplicas", "replicas", "maxReplicas"), three, strict=True))
) | optional({}, replicas=count, devicesPerWorker=st.just(1), template=template)
rate = {"learningRate": positive}
momenta = st.sampled_from(
    [
        {},
        {"momentum": 0},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"nesterov": False},
    ]
)
sgd = st.builds(
    lambda base, momentum: {**base, **momentum},
    optional({"name": st.just("sgd"), **rate}, weightDecay=not_negative, decayNorms=st.booleans()),
    momenta,
)
adam = optional(
    {"name": st.sampled_from(["adam", "adamw"]), **rate},
    weightDecay=not_negative,
    decayNorms=st.booleans(),
    betas=st.lists(below_one, min_size=2, max_size=2),
    epsilon=positive,
)
step = optional(
    {
        "name": st.just("step"),
        "milestones": st.lists(st.integers(1, 500), min_size=1, max_size=8, unique=True).map(
            sorted
        ),
    },
    gamma=positive,
    warmupEpochs=not_negative,
)
constant = optional({}, name=st.just("constant"), warmupEpochs=not_negative)
cosine = optional(
    {"name": st.just("cosine"), "epochs": positive},
    minLearningRate=not_negative,
    warmupEpochs=not_negative,
)
budget = st.one_of(
    st.fixed_dictionaries({"epochs": positive}),
    st.fixed_dictionaries({"samples": count}),
    st.fixed_dictionaries({"seconds": positive}),
    st.fixed_dictionaries({"stepsPerWorker": count}),
)
target = st.one_of(
    st.fixed_dictionaries({"metric": st.just("accuracy"), "value": st.floats(0.001, 1)}),
    st.fixed_dictionaries({"metric": st.just("loss"), "value": positive}),
)
training = optional(
    {
        "model": optional(
            {"name": st.sampled_from(["mlp", "resnet18", "a.b:C", "m:f"])}, args=arguments
        ),
        "data": optional(
            {"name": st.sampled_from(["digits", "fashion-mnist", "cifar10", "synthetic"])},
            root=text.filter(bool),
            sharding=st.sampled_from(["Partition", "Shared", "ByLabel"]),
            args=arguments,
        ),
        "optimizer": sgd | adam,
        "budget": budget,
    },
    batchSize=count,
    gradientAccumulation=st.just(1),
    gradientClipping=positive,
    precision=st.sampled_from(["float32", "bfloat16", "float16"]),
    memoryFormat=st.sampled_from(["Contiguous", "ChannelsLast"]),
    compile=st.booleans(),
    labelSmoothing=below_one,
    movingAverage=optional(
        {"decay": st.floats(0, 1, exclude_min=True, exclude_max=True)}, everySteps=count
    ),
    schedule=step | constant | cosine,
    target=target,
    seed=st.integers(0, 2**31 - 1),
)
server = optional({}, shards=st.integers(1, 64), template=template)
selector = optional(
    {},
    matchLabels=labels,
    matchExpressions=st.lists(
        st.fixed_dictionaries(
            {
                "key": text.filter(bool),
                "operator": st.sampled_from(["In", "NotIn"]),
                "values": st.lists(text, min_size=1, max_size=2),
            }
        )
        | st.fixed_dictionaries({"key": st.just("a"), "operator": st.just("Exists")}),
        max_size=2,
    ),
)
strategy_and_server = strategy.map(lambda chosen: {"strategy": chosen}) | st.fixed_dictionaries(
    {
        "strategy": st.fixed_dictionaries(
            {"type": st.sampled_from(["ElasticAveraging", "ParameterServer"])}
        ),
        "server": server,
    }
)
other_parts = optional(
    {"training": training},
    workers=workers,
    evaluation=optional({}, every=duration, sample=count, workers=st.integers(0, 9)),
    runPolicy=optional(
        {},
        startDeadline=duration,
        activeDeadline=duration,
        ttlAfterFinished=duration,
        backoffLimitPerWorker=st.integers(0, 9),
        cleanPods=st.sampled_from(["Running", "All", "None"]),
    ),
    checkpoint=optional(
        {
            "storage": st.sampled_from(
                [{"claimName": "a"}, {"url": "s3://bucket/runs"}, {"url": "gs://bucket"}]
            )
        },
        every=duration.filter(lambda text: text != "500ms"),
        keep=st.integers(1, 100),
        writers=st.sampled_from(["All", "Evaluator"]),
    ),
    suspend=st.booleans(),
    evaluator=optional({}, template=template),
    discovery=optional(
        {}, port=st.integers(1024, 9000), source=st.sampled_from(["EndpointSlices", "DNS"])
    ),
    security=optional({}, mutualTLS=st.booleans()),
    monitoring=optional(
        {},
        metricsPort=st.integers(9002, 9009),
        podMonitor=st.sampled_from(["Auto", "Never"]),
        scrapeFrom=optional({}, namespaceSelector=selector, podSelector=selector),
    ),
)


def permitted(strategy_part, others):
    """Join the parts; a collective that may not send plaintext then is one without mutual TLS.

    A job with servers has no moving average.
    """
    chosen = strategy_part["strategy"]
    if chosen["type"] in {"ElasticAveraging", "ParameterServer"}:
        kept = {k: v for k, v in others["training"].items() if k != "movingAverage"}
        others = others | {"training": kept}
    settings = chosen.get(
        {"AllReduce": "allReduce", "LocalSGD": "localSGD"}.get(chosen["type"]), {}
    )
    collective = chosen["type"] == "AllReduce" or (
        chosen["type"] == "LocalSGD" and settings.get("averaging") != "Gossip"
    )
    if collective and not settings.get("allowPlaintext"):
        others = others | {"security": {"mutualTLS": False}}
    return strategy_part | others


specs = st.builds(permitted, strategy_and_server, other_parts)
WRONG = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 2, 0.5, 1.0, 1.5, -0.1, 1e-9, 1e300, 2**31, 2**63, 10**30),
        *("", "1", "true", "Gossip", "gossip", "sgd", "adam", "step", "accuracy", "a b", "mlp\n"),
        *("0s", "1h0m", "5m", "5m\n", "60", [], [1], [0.5, 0.9], [0, 1], [None], {}, {"a": 1}),
    ]
)


def places(value, path=()):
    """Yield the paths of everything below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


@st.composite
def mutated(draw):
    """Draw a valid spec and change it at one place: another value, a key more or a key less."""
    spec = copy.deepcopy(draw(specs))
    path = draw(st.sampled_from(sorted(places(spec), key=str)))
    parent = spec
    for key in path[:-1]:
        parent = parent[key]
    change = draw(st.sampled_from(["set", "set", "set", "remove", "add"]))
    if change == "set" or not isinstance(parent, dict):
        parent[path[-1]] = draw(WRONG)
    elif change == "remove":
        del parent[path[-1]]
    else:
        known = [
            "type",
            "name",
            "gossip",
            "localSGD",
            "exchange",
            "averaging",
            "fallback",
            "server",
            "claimName",
            "momentum",
            "epochs",
            "epsilon",
            "value",
            "batch_size",
            "template",
            "containers",
            "maxReplicas",
            "allowPlaintext",
            "mutualTLS",
            "x",
        ]
        parent[draw(st.sampled_from(known))] = draw(WRONG)
    return spec
