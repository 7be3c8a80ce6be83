"""Pydantic's findings in words: every kind of fault has its sentence and its place."""

import pytest

from gossip_api.errors import InvalidJob
from gossip_api.loading import parse_job
from gossip_api.training import Training

JOB = """\
apiVersion: gossip.training/v1alpha1
kind: GossipTrainingJob
metadata: {name: a}
spec:
  strategy: {type: Gossip}
  training:
    model: {name: mlp}
    data: {name: digits}
    optimizer: {name: sgd, learningRate: 0.1}
    budget: {epochs: 1}
"""


def problem(old, new):
    assert old in JOB
    with pytest.raises(InvalidJob) as caught:
        parse_job(JOB.replace(old, new))
    (only,) = caught.value.problems
    return only


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{type: Gossip}",
            "{type: Gossip, gossip: {period: 0}}",
            (
                "job.yaml:5:45: spec.strategy.gossip.period: got 0; must be at least 1 "
                "(an exchange happens every `period` steps)"
            ),
        ),
        (
            "{type: Gossip}",
            "{type: Gossip, gossip: {period: 1.5}}",
            (
                "job.yaml:5:45: spec.strategy.gossip.period: got 1.5; must be a whole number "
                "(an exchange happens every `period` steps)"
            ),
        ),
        (
            "{type: Gossip}",
            "{type: gosip}",
            (
                "job.yaml:5:20: spec.strategy.type: got 'gosip' (did you mean Gossip?); "
                "must be one of Gossip, ElasticAveraging, ParameterServer, AllReduce, LocalSGD"
            ),
        ),
        (
            "{type: Gossip}",
            (
                "{type: Gossip, gossip: {topology: {type: Hypercube, fallback: false}}}\n"
                "  workers: {replicas: 6}"
            ),
            (
                "job.yaml:6:23: spec.workers.replicas: got 6; must be a power of two for this "
                "topology with fallback false; change it, the topology or fallback"
            ),
        ),
        (
            "{type: Gossip}",
            "{type: LocalSGD, localSGD: {averaging: Gossip, outer: {optimizer: Nesterov}}}",
            (
                "job.yaml:5:79: spec.strategy.localSGD.outer.optimizer: got 'Nesterov'; must be "
                "HeavyBall with averaging Gossip, whose outer step is defined with it; remove it "
                "or change averaging"
            ),
        ),
        (
            "{type: Gossip}",
            "{type: AllReduce}\n  server: {}\n  security: {mutualTLS: false}",
            (
                "job.yaml:6:11: spec.server: is only for strategy ElasticAveraging or "
                "ParameterServer; remove it or change strategy.type"
            ),
        ),
        (
            "{type: Gossip}",
            "{type: LocalSGD, localSgd: {}}",
            (
                "job.yaml:5:30: spec.strategy.localSgd: unknown key (did you mean localSGD?); "
                "allowed here: type, gossip, elasticAveraging, parameterServer, allReduce, localSGD"
            ),
        ),
        (
            "kind: GossipTrainingJob",
            "kind: GossipTrainingJob\nsepc: 3",
            (
                "job.yaml:3:1: sepc: unknown key (did you mean spec?); "
                "allowed here: apiVersion, kind, metadata, spec"
            ),
        ),
        (
            "budget: {epochs: 1}",
            "budget: {epochs: 1}\n    batch_size: 4",
            (
                "job.yaml:11:5: spec.training.batch_size: unknown key (did you mean batchSize?); "
                f"allowed here: {', '.join(Training.field_names())}"
            ),
        ),
        (
            "    budget: {epochs: 1}\n",
            "",
            "job.yaml:6:3: spec.training.budget: is required (how much to train)",
        ),
        (
            "{epochs: 1}",
            "[1]",
            (
                "job.yaml:10:13: spec.training.budget: got [1]; must be a mapping of keys "
                "to values (how much to train)"
            ),
        ),
        (
            "{name: a}",
            "{name: A b}",
            (
                "job.yaml:3:18: metadata.name: got 'A b'; must be a name of lower-case letters, "
                "digits and `-` that begins with a letter"
            ),
        ),
        (
            "{name: a}",
            "{name: a, labels: {b: 1}}",
            (
                "job.yaml:3:33: metadata.labels.b: got 1; must be text; quote it "
                "(labels, for selecting jobs; `kueue.x-k8s.io/queue-name` has Kueue admit the pods)"
            ),
        ),
        (
            "sgd, learningRate: 0.1",
            "sgd, learningRate: '0.1'",
            (
                "job.yaml:9:42: spec.training.optimizer.learningRate: got '0.1'; must be a number "
                "(the learning rate before the schedule changes it)"
            ),
        ),
        (
            "sgd, learningRate: 0.1",
            "adam, learningRate: 0.1, betas: [0.9]",
            (
                "job.yaml:9:48: spec.training.optimizer.betas.1: is required "
                "(decay rates of the two moments of adam and adamw)"
            ),
        ),
        (
            "sgd, learningRate: 0.1",
            "adam, learningRate: 0.1, betas: [0.9, 1]",
            (
                "job.yaml:9:61: spec.training.optimizer.betas.1: got 1; must be below 1 "
                "(decay rates of the two moments of adam and adamw)"
            ),
        ),
        (
            "sgd, learningRate: 0.1",
            "sgd, learningRate: 0.1, nesterov: true",
            "job.yaml:9:57: spec.training.optimizer.nesterov: needs a momentum above 0",
        ),
        (
            "{epochs: 1}",
            "{epochs: 1, seconds: 1}",
            (
                "job.yaml:10:13: spec.training.budget: "
                "set exactly one of epochs, samples, seconds and stepsPerWorker"
            ),
        ),
        (
            "{epochs: 1}",
            "{epochs: 1}\n    target: {metric: accuracy, value: 95}",
            (
                "job.yaml:11:39: spec.training.target.value: got 95; "
                "must be at most 1 for accuracy, which is a share of the samples"
            ),
        ),
        (
            "{type: Gossip}",
            (
                "{type: Gossip}\n  evaluator:\n    template:\n"
                "      spec: {containers: [{name: trainer, image: 3}]}"
            ),
            (
                "job.yaml:8:50: spec.evaluator.template.spec.containers.0.image: got 3; must be "
                "text; quote it (the image; of `trainer` the operator's default image where left "
                "out)"
            ),
        ),
        (
            "{type: Gossip}",
            "{type: Gossip}\n  workers: {template: {spec: {containers: [{name: proxy}]}}}",
            (
                'job.yaml:6:43: spec.workers.template.spec.containers: got [{"name": "proxy"}]; '
                "must have exactly one container named trainer, which trains; the others run "
                "beside it"
            ),
        ),
        (
            "{type: Gossip}",
            "{type: AllReduce}",
            (
                "job.yaml:5:3: spec.strategy.allReduce.allowPlaintext: must be true under "
                "security.mutualTLS, because torch.distributed does not encrypt; set it where the "
                "network protects the job, or set security.mutualTLS to false"
            ),
        ),
        (
            "spec:",
            "status: {}\nspec:\n  evaluation: {every: 60}",
            (
                "job.yaml:6:23: spec.evaluation.every: got 60; "
                "must be a duration above zero such as 500ms, 60s, 5m, 1h30m or 2d "
                "(time between two evaluations)"
            ),
        ),
    ],
)
def test_every_kind_of_fault_has_its_sentence_and_its_place(old, new, expected):
    assert str(problem(old, new)) == expected


def test_very_long_values_are_cut():
    assert len(str(problem("{type: Gossip}", f"{{type: {'x' * 5000}}}"))) < 200


def test_a_key_unlike_any_allowed_gets_no_guess():
    message = problem("{type: Gossip}", "{type: Gossip, zzzzzz: 1}").message
    assert message == (
        "unknown key; allowed here: "
        "type, gossip, elasticAveraging, parameterServer, allReduce, localSGD"
    )
