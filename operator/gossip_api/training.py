"""What is trained, on what, by what, and for how long."""

import itertools
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from gossip_api.record import Record, Rule, TaggedRecord

_CALLABLE = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*"
MODEL_NAME = rf"^([a-z][a-z0-9_]*|{_CALLABLE})$"
DATA_NAME = rf"^([a-z][a-z0-9-]*|{_CALLABLE})$"

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


BUILT_IN_MODELS = ("mlp", "cnn", "resnet18", "quadratic", "gpt")
"""Models of every installation; more names are torchvision's, which only the trainer knows."""


class Model(Record):
    """The neural network."""

    name: Annotated[str, Field(pattern=MODEL_NAME)]
    """A built-in model (mlp, cnn, quadratic, gpt), one of torchvision's classification models by
    its name (resnet50, vit_b_16, convnext_tiny, ...), or `package.module:callable`, which returns
    one."""
    args: dict[str, JsonValue] = Field(default_factory=dict)
    """Keyword arguments of the model."""


_UNDIVIDED = ("quadratic", "text", "webdataset")


BUILT_IN_DATA = (
    "digits",
    "fashion-mnist",
    "cifar10",
    "imagefolder",
    "webdataset",
    "synthetic",
    "quadratic",
    "text",
)
"""Data sets of every installation."""


class Data(Record):
    """The data set."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="name",
            message=f"must be one of {', '.join(BUILT_IN_DATA)}, or package.module:callable",
            holds=lambda data: ":" in data.name or data.name in BUILT_IN_DATA,
            cel=f"self.name.contains(':') || self.name in {list(BUILT_IN_DATA)}",
        ),
        Rule(
            field="sharding",
            message="must be Partition or Shared with data quadratic, text and webdataset, "
            "whose examples cannot be sorted by class",
            holds=lambda data: data.name not in _UNDIVIDED or data.sharding != "ByLabel",
            cel=f"!(self.name in {list(_UNDIVIDED)}) || !has(self.sharding) "
            "|| self.sharding != 'ByLabel'",
        ),
    )

    name: Annotated[str, Field(pattern=DATA_NAME)]
    """A built-in data set (digits, fashion-mnist, cifar10, imagefolder, webdataset, synthetic,
    quadratic, text) or `package.module:callable`, which returns one. Digits, synthetic and
    quadratic need no files, nor does text, which is that of Python's own modules where no other is
    named."""
    root: Annotated[str, Field(min_length=1)] | None = None
    """Folder with the data set's files."""
    sharding: Literal["Partition", "Shared", "ByLabel"] = "Partition"
    """What a worker sees. Partition: a share; Shared: all; ByLabel: only some of the classes."""
    args: dict[str, JsonValue] = Field(default_factory=dict)
    """Keyword arguments of the data set."""


class Optimizer(TaggedRecord):
    """The local optimizer of every worker."""

    tag: ClassVar[str] = "name"
    only: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "momentum": ("sgd",),
        "nesterov": ("sgd",),
        "betas": ("adam", "adamw"),
        "epsilon": ("adam", "adamw"),
    }
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="nesterov",
            message="needs a momentum above 0",
            holds=lambda optimizer: optimizer.momentum > 0 or not optimizer.nesterov,
            cel="!has(self.nesterov) || !self.nesterov "
            "|| (has(self.momentum) && self.momentum > 0.0)",
        ),
    )

    name: Literal["sgd", "adam", "adamw"]
    """The optimizer."""
    learning_rate: Positive
    """The learning rate before the schedule changes it."""
    momentum: BelowOne = 0.0
    """Momentum of sgd."""
    nesterov: bool = False
    """Nesterov's momentum instead of the heavy ball's."""
    weight_decay: NotNegative = 0.0
    """Weight decay; with adamw decoupled from the gradient, else an L2 penalty."""
    decay_norms: bool = True
    """Whether weight decay takes in norms and biases, which are the parameters of fewer than two
    dimensions."""
    betas: Annotated[tuple[BelowOne, BelowOne], Field(strict=False)] = (0.9, 0.999)
    """Decay rates of the two moments of adam and adamw."""
    epsilon: Positive = 1e-8
    """Added to the denominator of adam and adamw."""


class Schedule(TaggedRecord):
    """How the learning rate changes, in job-wide epochs."""

    tag: ClassVar[str] = "name"
    only: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "milestones": ("step",),
        "gamma": ("step",),
        "epochs": ("cosine",),
        "min_learning_rate": ("cosine",),
    }
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="milestones",
            message="is required for name step: the epochs at which the learning rate drops",
            holds=lambda schedule: schedule.name != "step" or len(schedule.milestones) > 0,
            cel="!has(self.name) || self.name != 'step' "
            "|| (has(self.milestones) && size(self.milestones) > 0)",
        ),
        Rule(
            field="milestones",
            message="must increase strictly",
            holds=lambda schedule: all(a < b for a, b in itertools.pairwise(schedule.milestones)),
            cel="!has(self.milestones) || (self.milestones.isSorted() "
            "&& self.milestones.all(a, self.milestones.exists_one(b, a == b)))",
        ),
    )

    name: Literal["constant", "step", "cosine"] = "constant"
    """The shape. step: times gamma at every milestone; cosine: half a cosine to the minimum."""
    milestones: Annotated[tuple[Positive, ...], Field(max_length=64, strict=False)] = ()
    """Epochs at which a step schedule multiplies the learning rate by gamma."""
    gamma: Positive = 0.1
    """Factor of a step schedule."""
    warmup_epochs: NotNegative = 0.0
    """The learning rate rises linearly from 0 over this many epochs."""
    epochs: Positive | None = None
    """Length of a cosine schedule; the budget's epochs where left out."""
    min_learning_rate: NotNegative = 0.0
    """Learning rate at the end of a cosine schedule."""


class Budget(Record):
    """How much to train: exactly one of the limits. All but stepsPerWorker are job-wide."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="",
            message="set exactly one of epochs, samples, seconds and stepsPerWorker",
            holds=lambda budget: len(budget.limits()) == 1,
            cel="[has(self.epochs), has(self.samples), has(self.seconds), "
            "has(self.stepsPerWorker)].exists_one(given, given)",
        ),
    )

    epochs: Positive | None = None
    """Passes over the data, of all workers together."""
    samples: Count | None = None
    """Training samples, of all workers together."""
    seconds: Positive | None = None
    """Seconds of training."""
    steps_per_worker: Count | None = None
    """Steps of every single worker."""

    def limits(self) -> dict[str, float]:
        """Return the limits that are set, by their names in Python; validation leaves one."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name))}


class Target(Record):
    """A goal that ends the job early when the averaged model reaches it."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="value",
            message="must be at most 1 for accuracy, which is a share of the samples",
            holds=lambda target: target.metric != "accuracy" or target.value <= 1,
            cel="self.metric != 'accuracy' || self.value <= 1.0",
        ),
    )

    metric: Literal["accuracy", "loss"]
    """What is compared: reached at or above for accuracy, at or below for loss."""
    value: Positive
    """The value to reach on held-out data."""


class MovingAverage(Record):
    """Every worker's exponential moving average of its model, often called EMA.

    The job's model is then the mean of these averages in place of the mean of the models: it is
    evaluated, compared with the target and saved. Training itself does not change.
    """

    decay: Annotated[float, Field(gt=0, lt=1)]
    """What of the average stays at a change. The first changes are greater: at the t-th at most
    (1 + t) / (10 + t) stays."""
    every_steps: Count = 1
    """Steps of a worker from one change to the next."""


class Training(Record):
    """What is trained, on what, by what, and for how long."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="schedule",
            message="a cosine schedule needs its own epochs when the budget is in seconds",
            holds=lambda training: (
                training.schedule.name != "cosine"
                or training.schedule.epochs is not None
                or training.budget.seconds is None
            ),
            cel="self.schedule.name != 'cosine' || has(self.schedule.epochs) "
            "|| !has(self.budget.seconds)",
        ),
        Rule(
            field="model.name",
            message="must be quadratic or package.module:callable with data quadratic, which is "
            "noise to the model; change model or data",
            holds=lambda training: (
                training.data.name != "quadratic"
                or training.model.name == "quadratic"
                or ":" in training.model.name
            ),
            cel="self.data.name != 'quadratic' || self.model.name == 'quadratic' "
            "|| self.model.name.contains(':')",
        ),
        Rule(
            field="model.name",
            message="must be gpt or package.module:callable with data text, which is tokens; "
            "change model or data",
            holds=lambda training: (
                training.data.name != "text"
                or training.model.name == "gpt"
                or ":" in training.model.name
            ),
            cel="self.data.name != 'text' || self.model.name == 'gpt' "
            "|| self.model.name.contains(':')",
        ),
        Rule(
            field="data.name",
            message="must be quadratic with model quadratic; change model or data",
            holds=lambda training: (
                training.model.name != "quadratic" or training.data.name == "quadratic"
            ),
            cel="self.model.name != 'quadratic' || self.data.name == 'quadratic'",
        ),
        Rule(
            field="target.metric",
            message="must be loss with data quadratic, which has no classes to find",
            holds=lambda training: (
                training.target is None
                or training.target.metric != "accuracy"
                or training.data.name != "quadratic"
            ),
            cel="!has(self.target) || self.target.metric != 'accuracy' "
            "|| self.data.name != 'quadratic'",
        ),
        Rule(
            field="gradientAccumulation",
            message="must be at most batchSize, which it divides",
            holds=lambda training: training.gradient_accumulation <= training.batch_size,
            cel="!has(self.gradientAccumulation) || self.gradientAccumulation <= 32 "
            "&& !has(self.batchSize) "
            "|| has(self.batchSize) && self.gradientAccumulation <= self.batchSize",
        ),
        Rule(
            field="labelSmoothing",
            message="must be 0 with data quadratic, which has no classes",
            holds=lambda training: (
                training.label_smoothing == 0 or training.data.name != "quadratic"
            ),
            cel="!has(self.labelSmoothing) || self.labelSmoothing == 0.0 "
            "|| self.data.name != 'quadratic'",
        ),
    )

    model: Model
    """The neural network."""
    data: Data
    """The data set."""
    batch_size: Count = 32
    """Samples per step of every worker."""
    gradient_accumulation: Count = 1
    """In how many parts, one after the other, a batch's gradient is computed. The parts need less
    memory; the step is the same up to rounding, but batch norms see one part at a time."""
    gradient_clipping: Positive | None = None
    """The greatest Euclidean norm of the gradient that a step follows; a longer one is scaled down.
    Of all workers' mean where they average gradients, else of the worker's own."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """What forward and backward compute in, as torch's autocast does. Parameters, gradients and all
    that is exchanged stay as they are. With float16 the loss is scaled, and the scale adapts."""
    memory_format: Literal["Contiguous", "ChannelsLast"] = "Contiguous"
    """How images and the weights of convolutions lie in memory. ChannelsLast is faster for many
    convolutional networks; only for images."""
    compile: bool = False
    """Compile the model with torch.compile; needs a C++ compiler where workers run."""
    label_smoothing: BelowOne = 0.0
    """How much of a training target is spread evenly over all classes; evaluation has none."""
    optimizer: Optimizer
    """The local optimizer of every worker."""
    schedule: Schedule = Schedule()
    """How the learning rate changes."""
    moving_average: MovingAverage | None = None
    """Average every worker's model over its steps; not with strategies that have servers, whose
    centre is the job's model."""
    budget: Budget
    """How much to train."""
    target: Target | None = None
    """A goal that ends the job early."""
    learning_rate_workers: Count | None = None
    """The number of workers that the learning rate is meant for: while another number lives, it is
    in proportion to that. Left out: it stays as it is, whoever comes or goes."""
    non_finite: Literal["Stop", "Skip"] = "Stop"
    """What a loss or gradient that is not finite does. Stop: the job fails with the reason. Skip:
    the step is left out and counted."""
    initial_model: Annotated[str, Field(min_length=1)] | None = None
    """A state dict in safetensors that training begins with in place of the seed's model: a path,
    or a bucket's URL as of `checkpoint.storage`. Names and shapes must be those of the model; what
    `gossip export` writes fits."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1
    """Decides initial model, data order and choice of peers."""
