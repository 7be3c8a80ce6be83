"""Freezes the command line: scripts rely on it, so a change here is a change for users."""

import pytest
import typer
from typer.testing import CliRunner

from gossip_trainer.cli.app import app

SURFACE = {
    "": {
        "": "Train one neural network on many workers that exchange their models by gossip.",
        "--version": "Print the version and exit.",
    },
    "run": {
        "": "Train a job on this machine, one process per worker.",
        "JOB": "Job file (YAML).",
        "--workers": "Number of workers instead of the job's.",
        "--out": "Run directory; by default runs/<job name>, numbered if taken.",
        "--set": "Change a value of the job, such as training.batchSize=64; may be repeated.",
        "--tls": "Folder with tls.crt, tls.key and ca.crt: exchange over mutual TLS.",
        "--replace-lost": "Start a new worker for one that was lost.",
        "--threads": "Torch threads per worker; by default cores/workers.",
        "--no-shared-memory": "Exchange models over TCP only, as between machines.",
        "--trace": "Log all that `gossip replay` needs; one thread per worker.",
        "--metrics-port": (
            "Serve metrics for Prometheus on this port of 127.0.0.1; 0 for any free one."
        ),
        "--resume": "JOB is a run directory: go on from what its processes saved last.",
        "--format": "What to print.",
        "--debug": "Print the traceback of an error.",
    },
    "simulate": {
        "": "Train a job in virtual time: many workers on one machine.",
        "JOB": "Job file (YAML).",
        "--workers": ("Numbers of workers to simulate, each for itself, instead of the job's."),
        "--seeds": "How many seeds, from the job's upwards.",
        "--set": "Change a value of the job, such as training.batchSize=64; may be repeated.",
        "--out": "Directory to write results.json into.",
        "--format": "What to print.",
        "--debug": "Print the traceback of an error.",
    },
    "report": {
        "": "Write one web page about runs, also those that failed, were killed or go on.",
        "RUN...": "Directories of runs.",
        "--out": (
            "File to write; by default report.html in the run's directory, or beside the first of "
            "several."
        ),
        "--tensorboard": "Directory to export the scalars into for TensorBoard.",
        "--debug": "Print the traceback of an error.",
    },
    "export": {
        "": "Write the model that a job trained into one file, for PyTorch and other programs.",
        "RUN": "Directory of a run, or folder or URL (s3://, gs://) of a job's checkpoints.",
        "--output": "File to write; by default model.safetensors or model.pt.",
        "--format": "What to write; by default by the file's ending, else safetensors.",
        "--best": "The best evaluated model instead of the final one.",
        "--recalibrate": (
            "Compute batch-norm statistics anew, from so many batches of training data."
        ),
        "--job": "Job file (YAML); by default the one in the run's directory.",
        "--debug": "Print the traceback of an error.",
    },
    "replay": {
        "": "Do a traced run again in one process and compare every published model to the bit.",
        "RUN": "Directory of a traced run.",
        "--format": "What to print.",
        "--debug": "Print the traceback of an error.",
    },
    "compare": {
        "": "Find out which strategy reaches a target soonest at which number of workers.",
        "JOB": "Job file (YAML).",
        "--strategies": "Strategies to compare, such as all-reduce,pull-gossip:period=4,job.",
        "--workers": "Numbers of workers, instead of the job's.",
        "--learning-rates": (
            "Learning rates to try instead of the job's; each strategy is judged at its best."
        ),
        "--seeds": "How many seeds, from the job's upwards.",
        "--fixed-total-batch": (
            "Divide the job's total batch among the workers instead of giving each its own."
        ),
        "--target": (
            "What to reach, such as accuracy=0.9 or loss=0.3, instead of the job's target."
        ),
        "--set": "Change a value of the job, such as training.batchSize=64; may be repeated.",
        "--out": "Directory for results and plots; what it holds already is not redone.",
        "--real": "Train on this machine instead of simulating, run after run.",
        "--processes": "Simulations at a time; by default one per core.",
        "--format": "What to print.",
        "--debug": "Print the traceback of an error.",
    },
    "topology": {
        "": "Say how fast graphs of workers mix models and what they send.",
        "--type": (
            "Graph families: Complete, Ring, Torus, Hypercube, Exponential, OnePeerExponential, "
            "RandomMatching."
        ),
        "--workers": "Numbers of workers.",
        "--exchange": "What an exchange is.",
        "--selection": "Which of its peers a worker takes; by default what a job takes.",
        "--weight": "Mixing weight of Pull and Pairwise; by default what a job takes.",
        "--model-bytes": "Size of a model, to tell what is sent in bytes.",
        "--format": "What to print.",
        "--debug": "Print the traceback of an error.",
    },
    "calibrate": {
        "": "Measure on this machine what `gossip simulate` assumes, and print it for the job.",
        "JOB": "Job file (YAML).",
        "--steps": "How many steps to time.",
        "--threads": "Torch threads of the worker; by default cores - 1.",
        "--trace": "File to write the step times into, for computeSeconds.trace.",
        "--peer": (
            "Where another machine serves, to measure the link to it; by default this one's."
        ),
        "--serve": "Serve one that measures with --peer, until Ctrl-C.",
        "--set": "Change a value of the job, such as training.batchSize=64; may be repeated.",
        "--format": "What to print.",
        "--debug": "Print the traceback of an error.",
    },
    "validate": {
        "": "Check a job file and say all that is wrong with it.",
        "JOB": "Job file (YAML).",
        "--set": "Change a value of the job, such as training.batchSize=64; may be repeated.",
        "--here": "Load data and build the model, too, on this machine.",
        "--format": "What to print.",
        "--debug": "Print the traceback of an error.",
    },
}


def surface(command) -> dict[str, str]:
    own = {"": command.help}
    for parameter in command.params:
        for name in parameter.opts if parameter.opts[0].startswith("-") else [parameter.metavar]:
            own[name] = parameter.help
    return own


def test_commands_options_and_their_help_are_what_they_were():
    group = typer.main.get_command(app)

    found = {"": surface(group)} | {
        name: surface(command) for name, command in group.commands.items()
    }

    assert found == SURFACE


@pytest.mark.parametrize("command", ["run", "compare", "validate"])
def test_formats_are_text_and_json(command):
    result = CliRunner().invoke(
        app, [command, "job.yaml", "--format", "xml"], env={"COLUMNS": "99"}
    )

    assert result.exit_code == 2
    assert "'text', 'json'" in result.stderr
