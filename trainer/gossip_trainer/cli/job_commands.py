"""The commands of `gossip` about a job: do it, foretell it, check it.

Holds no logic: each command calls its own module, which it imports, so that help is quick.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gossip_trainer.cli.errors import guarded
from gossip_trainer.cli.options import Debug, Format, Job, Overrides


def run_command(  # noqa: PLR0913 - one parameter per option of the command
    job: Job,
    *,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of workers instead of the job's.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Run directory; by default runs/<job name>, numbered if taken."),
    ] = None,
    overrides: Overrides = None,
    tls: Annotated[
        Path | None,
        typer.Option(help="Folder with tls.crt, tls.key and ca.crt: exchange over mutual TLS."),
    ] = None,
    replace_lost: Annotated[
        bool, typer.Option("--replace-lost", help="Start a new worker for one that was lost.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Torch threads per worker; by default cores/workers.")
    ] = None,
    no_shared_memory: Annotated[
        bool,
        typer.Option(
            "--no-shared-memory", help="Exchange models over TCP only, as between machines."
        ),
    ] = False,
    trace: Annotated[
        bool,
        typer.Option("--trace", help="Log all that `gossip replay` needs; one thread per worker."),
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Serve metrics for Prometheus on this port of 127.0.0.1; 0 for any free one.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="JOB is a run directory: go on from what its processes saved last."
        ),
    ] = False,
    output: Format = "text",
    debug: Debug = False,
) -> None:
    """Train a job on this machine, one process per worker."""

    def command() -> int:
        from gossip_trainer.cli.run import RunRequest, run  # noqa: PLC0415 - see the docstring

        request = RunRequest(
            path=job,
            workers=workers,
            out=out,
            overrides=overrides or (),
            tls=tls,
            replace_lost=replace_lost,
            threads=threads,
            shared_memory=not no_shared_memory,
            trace=trace,
            metrics_port=metrics_port,
            resume=resume,
            output=output,
        )
        return run(request)

    raise typer.Exit(guarded(command, debug=debug))


def simulate_command(
    job: Job,
    *,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Numbers of workers to simulate, each for itself, instead of the job's.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="How many seeds, from the job's upwards.")
    ] = 1,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Directory to write results.json into.")] = None,
    output: Format = "text",
    debug: Debug = False,
) -> None:
    """Train a job in virtual time: many workers on one machine."""

    def command() -> int:
        from gossip_trainer.cli.simulate import (  # noqa: PLC0415 - see the docstring
            SimulateRequest,
            run_simulations,
        )

        request = SimulateRequest(
            path=job,
            workers=workers,
            seeds=seeds,
            out=out,
            overrides=overrides or (),
            output=output,
        )
        return run_simulations(request)

    raise typer.Exit(guarded(command, debug=debug))


def compare_command(  # noqa: PLR0913 - one parameter per option of the command
    job: Job,
    *,
    strategies: Annotated[
        str,
        typer.Option(
            metavar="NAME,NAME,...",
            help="Strategies to compare, such as all-reduce,pull-gossip:period=4,job.",
            show_default=False,
        ),
    ],
    workers: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Numbers of workers, instead of the job's."),
    ] = None,
    learning_rates: Annotated[
        str | None,
        typer.Option(
            metavar="R,R,...",
            help="Learning rates to try instead of the job's; each strategy is judged at its best.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="How many seeds, from the job's upwards.")
    ] = 3,
    fixed_total_batch: Annotated[
        bool,
        typer.Option(
            "--fixed-total-batch",
            help="Divide the job's total batch among the workers instead of giving each its own.",
        ),
    ] = False,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC=VALUE",
            help="What to reach, such as accuracy=0.9 or loss=0.3, instead of the job's target.",
        ),
    ] = None,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Directory for results and plots; what it holds already is not redone."),
    ] = None,
    real: Annotated[
        bool,
        typer.Option("--real", help="Train on this machine instead of simulating, run after run."),
    ] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Simulations at a time; by default one per core.")
    ] = None,
    output: Format = "text",
    debug: Debug = False,
) -> None:
    """Find out which strategy reaches a target soonest at which number of workers."""

    def command() -> int:
        from gossip_trainer.cli.compare import (  # noqa: PLC0415 - see the docstring
            CompareRequest,
            compare,
        )

        request = CompareRequest(
            path=job,
            strategies=strategies,
            workers=workers,
            learning_rates=learning_rates,
            seeds=seeds,
            fixed_total_batch=fixed_total_batch,
            target=target,
            overrides=overrides or (),
            out=out,
            real=real,
            processes=processes,
            output=output,
        )
        return compare(request)

    raise typer.Exit(guarded(command, debug=debug))


def calibrate_command(  # noqa: PLR0913 - one parameter per option of the command
    job: Job,
    *,
    steps: Annotated[int, typer.Option(min=20, help="How many steps to time.")] = 200,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Torch threads of the worker; by default cores - 1.")
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(help="File to write the step times into, for computeSeconds.trace."),
    ] = None,
    peer: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Where another machine serves, to measure the link to it; by default this one's.",
        ),
    ] = None,
    serve: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Serve one that measures with --peer, until Ctrl-C."
        ),
    ] = None,
    overrides: Overrides = None,
    output: Format = "text",
    debug: Debug = False,
) -> None:
    """Measure on this machine what `gossip simulate` assumes, and print it for the job."""

    def command() -> int:
        from gossip_trainer.cli.calibrate import (  # noqa: PLC0415 - see the docstring
            CalibrateRequest,
            calibrate,
        )

        request = CalibrateRequest(
            path=job,
            steps=steps,
            threads=threads,
            trace=trace,
            peer=peer,
            serve=serve,
            overrides=overrides or (),
            output=output,
        )
        return calibrate(request)

    raise typer.Exit(guarded(command, debug=debug))


def topology_command(
    *,
    types: Annotated[
        str,
        typer.Option(
            "--type",
            metavar="NAME,NAME,...",
            help="Graph families: Complete, Ring, Torus, Hypercube, Exponential, "
            "OnePeerExponential, RandomMatching.",
            show_default=False,
        ),
    ],
    workers: Annotated[
        str,
        typer.Option(metavar="N,N,...", help="Numbers of workers.", show_default=False),
    ],
    exchange: Annotated[
        Literal["Pull", "Push", "Pairwise", "PushSum"], typer.Option(help="What an exchange is.")
    ] = "Pull",
    selection: Annotated[
        Literal["Uniform", "UniformOthers", "Balanced"] | None,
        typer.Option(
            help="Which of its peers a worker takes; by default what a job takes.",
            show_default=False,
        ),
    ] = None,
    mixing_weight: Annotated[
        float | None,
        typer.Option(
            "--weight", help="Mixing weight of Pull and Pairwise; by default what a job takes."
        ),
    ] = None,
    model_bytes: Annotated[
        int | None, typer.Option(min=1, help="Size of a model, to tell what is sent in bytes.")
    ] = None,
    output: Format = "text",
    debug: Debug = False,
) -> None:
    """Say how fast graphs of workers mix models and what they send."""

    def command() -> int:
        from gossip_trainer.cli.topology import (  # noqa: PLC0415 - see the docstring
            TopologyRequest,
            show_topologies,
        )

        request = TopologyRequest(
            types=types,
            workers=workers,
            exchange=exchange,
            selection=selection,
            mixing_weight=mixing_weight,
            model_bytes=model_bytes,
            output=output,
        )
        return show_topologies(request)

    raise typer.Exit(guarded(command, debug=debug))


def validate_command(
    job: Job,
    *,
    overrides: Overrides = None,
    here: Annotated[
        bool, typer.Option("--here", help="Load data and build the model, too, on this machine.")
    ] = False,
    output: Format = "text",
    debug: Debug = False,
) -> None:
    """Check a job file and say all that is wrong with it."""

    def command() -> int:
        from gossip_trainer.cli.validate import validate  # noqa: PLC0415 - see the docstring

        return validate(job, overrides or (), output, here=here)

    raise typer.Exit(guarded(command, debug=debug))
