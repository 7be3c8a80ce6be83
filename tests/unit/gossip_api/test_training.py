"""Model, data, optimizer, schedule, budget and target, with the rules between them."""

import pytest
from pydantic import ValidationError

from gossip_api.training import Budget, Data, Model, Optimizer, Schedule, Target, Training


def optimizer(**changes):
    return Optimizer.model_validate({"name": "sgd", "learningRate": 0.1, **changes})


def training(**changes):
    document = {
        "model": {"name": "mlp"},
        "data": {"name": "digits"},
        "optimizer": {"name": "sgd", "learningRate": 0.1},
        "budget": {"epochs": 3},
    }
    return Training.model_validate({**document, **changes})


@pytest.mark.parametrize("name", ["mlp", "resnet18", "pkg:make", "my_pkg.models.nets:Big_Net"])
def test_a_model_is_a_name_or_a_callable(name):
    assert Model(name=name).name == name


@pytest.mark.parametrize("name", ["", "MLP", "a b", "pkg.models", "pkg:", ":f", "a..b:f", "mlp\n"])
def test_any_other_model_name_is_refused(name):
    with pytest.raises(ValidationError):
        Model(name=name)


def test_arguments_are_kept_as_they_are():
    arguments = {"hidden": [256, 256], "dropout": 0.1, "norm": None}
    assert Model(name="mlp", args=arguments).args == arguments


def test_arguments_must_be_finite():
    with pytest.raises(ValidationError, match="finite"):
        Model(name="mlp", args={"dropout": float("nan")})


def test_data_is_partitioned_by_default():
    assert Data(name="digits").sharding == "Partition"


def test_defaults_of_the_optimizers_are_torchs():
    plain = optimizer()
    assert (plain.momentum, plain.nesterov, plain.weight_decay) == (0, False, 0)
    assert (plain.betas, plain.epsilon) == ((0.9, 0.999), 1e-8)


def test_nesterov_needs_momentum():
    assert optimizer(momentum=0.9, nesterov=True).nesterov
    with pytest.raises(ValidationError, match="nesterov: needs a momentum above 0"):
        optimizer(nesterov=True)


@pytest.mark.parametrize("changes", [{"momentum": 0.0}, {"nesterov": False}])
@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_momentum_is_for_sgd_only(name, changes):
    with pytest.raises(ValidationError, match="is only for name sgd"):
        optimizer(name=name, **changes)


@pytest.mark.parametrize("changes", [{"betas": [0.9, 0.999]}, {"epsilon": 1e-8}])
def test_betas_and_epsilon_are_for_adam_only(changes):
    assert optimizer(name="adamw", **changes) == optimizer(name="adamw")
    with pytest.raises(ValidationError, match="is only for name adam or adamw"):
        optimizer(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"learningRate": 0},
        {"learningRate": None},
        {"learningRate": float("inf")},
        {"momentum": 1},
        {"weightDecay": -1e-4},
        {"name": "adam", "betas": [0.9]},
        {"name": "adam", "betas": [0.9, 1]},
        {"name": "adam", "epsilon": 0},
        {"name": "lion"},
    ],
)
def test_optimizer_settings_out_of_range_are_refused(changes):
    with pytest.raises(ValidationError):
        optimizer(**changes)


def test_a_step_schedule_has_milestones():
    schedule = Schedule.model_validate({"name": "step", "milestones": [1, 2.5]})
    assert (schedule.milestones, schedule.gamma) == ((1, 2.5), 0.1)
    with pytest.raises(ValidationError, match="milestones: is required for name step"):
        Schedule(name="step")


@pytest.mark.parametrize("milestones", [[2, 1], [1, 1]])
def test_milestones_increase_strictly(milestones):
    with pytest.raises(ValidationError, match="milestones: must increase strictly"):
        Schedule.model_validate({"name": "step", "milestones": milestones})


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("constant", "milestones", [1]),
        ("cosine", "milestones", [1]),
        ("cosine", "gamma", 0.5),
        ("step", "epochs", 3),
        ("constant", "minLearningRate", 0.1),
    ],
)
def test_settings_of_another_schedule_are_refused(name, field, value):
    with pytest.raises(ValidationError, match=f"{field}: is only for name"):
        Schedule.model_validate({"name": name, field: value})


@pytest.mark.parametrize(
    "limits", [{"epochs": 0.5}, {"samples": 1}, {"seconds": 30}, {"stepsPerWorker": 7}]
)
def test_a_budget_has_one_limit(limits):
    (limit,) = limits.values()
    assert list(Budget.model_validate(limits).limits().values()) == [limit]


@pytest.mark.parametrize("limits", [{}, {"epochs": 1, "seconds": 1}])
def test_a_budget_without_or_with_two_limits_is_refused(limits):
    with pytest.raises(ValidationError, match="exactly one of epochs"):
        Budget.model_validate(limits)


@pytest.mark.parametrize("limits", [{"epochs": 0}, {"samples": 1.5}, {"seconds": -1}])
def test_a_limit_is_above_zero(limits):
    with pytest.raises(ValidationError):
        Budget.model_validate(limits)


def test_an_accuracy_is_at_most_one_and_a_loss_need_not_be():
    assert Target(metric="loss", value=2.0).value == 2
    assert Target(metric="accuracy", value=1.0).value == 1
    with pytest.raises(ValidationError, match="at most 1 for accuracy"):
        Target(metric="accuracy", value=1.5)


def test_training_has_defaults_for_what_most_leave_out():
    job = training()
    assert (job.batch_size, job.schedule, job.target, job.seed) == (32, Schedule(), None, 1)


def test_a_cosine_schedule_needs_to_know_its_length():
    assert training(schedule={"name": "cosine"}).schedule.epochs is None
    in_seconds = {"budget": {"seconds": 9}}
    assert training(schedule={"name": "cosine", "epochs": 3}, **in_seconds).schedule.epochs == 3
    with pytest.raises(ValidationError, match="schedule: a cosine schedule needs its own epochs"):
        training(schedule={"name": "cosine"}, **in_seconds)


QUADRATIC = {"model": {"name": "quadratic"}, "data": {"name": "quadratic"}}


def test_the_quadratic_is_a_model_and_its_data():
    assert training(**QUADRATIC).data.name == "quadratic"
    assert training(**QUADRATIC | {"model": {"name": "own.module:callable"}})


def test_the_quadratics_noise_is_for_no_other_built_in_model():
    with pytest.raises(
        ValidationError, match=r"model\.name: must be quadratic or package\.module:"
    ):
        training(data={"name": "quadratic"})


def test_the_quadratic_takes_no_other_data():
    with pytest.raises(
        ValidationError, match=r"data\.name: must be quadratic with model quadratic"
    ):
        training(model={"name": "quadratic"})


def test_the_quadratic_has_no_accuracy_to_reach():
    with pytest.raises(ValidationError, match=r"target\.metric: must be loss with data quadratic"):
        training(**QUADRATIC, target={"metric": "accuracy", "value": 0.5})
    assert training(**QUADRATIC, target={"metric": "loss", "value": 0.5})


def test_the_quadratic_has_no_classes_to_divide_workers_by():
    with pytest.raises(ValidationError, match="sharding: must be Partition or Shared"):
        Data(name="quadratic", sharding="ByLabel")
    assert Data(name="quadratic", sharding="Shared")


def test_text_is_tokens_for_a_gpt_or_a_model_of_ones_own():
    assert training(data={"name": "text"}, model={"name": "gpt"}).model.name == "gpt"
    assert training(data={"name": "text"}, model={"name": "own.module:callable"})
    with pytest.raises(ValidationError, match=r"model\.name: must be gpt or package\.module:"):
        training(data={"name": "text"})


@pytest.mark.parametrize("name", ["text", "webdataset"])
def test_text_and_tar_shards_are_not_divided_by_class(name):
    with pytest.raises(ValidationError, match="sharding: must be Partition or Shared"):
        Data(name=name, sharding="ByLabel")
    assert Data(name=name, sharding="Shared")
