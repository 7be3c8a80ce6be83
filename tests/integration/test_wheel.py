"""The wheel that images are made of: what is in it, and that it starts where nothing else is.

Nothing else: a root that cannot be written to, with the system's Python, this environment's
libraries and the wheel in it, and a user without rights, as in a pod.
"""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from configparser import ConfigParser
from email import message_from_string
from pathlib import Path

import pytest
from testbed import obstacles

from gossip_operator.manifests.pod import USER

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
PACKAGES = ("gossip_api", "gossip_kubectl", "gossip_operator", "gossip_trainer")
LIBRARIES = sysconfig.get_path("purelib")
SECONDS = 50

# Arguments: the new root; where wheel, libraries and Python are; what Python is to run.
BARE_ROOT = """
set -e
root=$1 wheel=$2 libraries=$3 python=$4; shift 4
mount -t tmpfs bare $root
mkdir -p $root/usr $root/etc $root/dev $root/proc $root/wheel $root/libraries $root$python
for link in bin lib lib64 sbin; do ln -s usr/$link $root/$link; done
cp /etc/ld.so.cache $root/etc/
mount --rbind /usr $root/usr
mount --rbind /dev $root/dev
case $python in /usr/*) ;; *) mount --bind $python $root$python ;; esac
mount --bind $wheel $root/wheel
mount --bind $libraries $root/libraries
mount -t proc proc $root/proc
mount -o remount,ro $root
exec chroot --userspec=$USER_ID:$USER_ID $root /usr/bin/env -i PYTHONDONTWRITEBYTECODE=1 \\
  PYTHONPATH=/wheel:/libraries $python/bin/python3 "$@"
"""


def build(folder):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        env=os.environ | {"SOURCE_DATE_EPOCH": "1767225600"},
        check=True,
        capture_output=True,
        timeout=SECONDS,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def archive(wheel):
    with zipfile.ZipFile(wheel) as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(archive):
    """Read a file of the wheel's own description."""
    return lambda name: archive.read(
        f"gossip_training-{PROJECT['version']}.dist-info/{name}"
    ).decode()


def test_the_wheel_has_every_file_of_its_packages_and_no_other(archive):
    sources = {
        path.relative_to(ROOT / folder).as_posix()
        for folder in ("operator", "trainer")
        for package in PACKAGES
        for path in (ROOT / folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    contents = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert contents == sources
    assert {f"{package}/py.typed" for package in PACKAGES} <= contents


def test_two_builds_are_equal_to_the_byte(wheel, tmp_path):
    assert build(tmp_path).read_bytes() == wheel.read_bytes()


def test_the_wheel_says_what_each_part_needs_and_comes_with_its_licence(metadata):
    told = message_from_string(metadata("METADATA"))
    assert (told["Name"], told["Version"]) == (PROJECT["name"], PROJECT["version"])
    assert told["License-Expression"] == PROJECT["license"]
    assert set(told.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert metadata("licenses/LICENSE") == (ROOT / "LICENSE").read_text()


def test_the_commands_are_part_of_it(metadata):
    scripts = ConfigParser()
    scripts.read_string(metadata("entry_points.txt"))
    assert dict(scripts["console_scripts"]) == PROJECT["scripts"]


@pytest.fixture(scope="module")
def run_bare(wheel, tmp_path_factory):
    """Run Python with arguments in a bare root; return its exit code and all that it said."""
    if os.getuid() != 0:
        missing = "needs root, to give a process a root of its own"
        if obstacles.are_errors():
            pytest.fail(missing)
        pytest.skip(missing)
    installed = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
            *("--no-compile", "--target", installed, wheel),
        ],
        check=True,
        timeout=SECONDS,
    )
    installed.chmod(0o755)
    root = tmp_path_factory.mktemp("root")

    def run(*arguments):
        done = subprocess.run(
            [
                *("unshare", "--mount", "sh", "-c", BARE_ROOT, "sh"),
                *(root, installed, LIBRARIES, sys.base_prefix, *arguments),
            ],
            env=os.environ | {"USER_ID": str(USER)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return done.returncode, done.stdout

    return run


def test_the_bare_root_cannot_be_written_to_and_knows_no_checkout(run_bare):
    code, said = run_bare(
        "-c", "import gossip_api, os; print(gossip_api.__file__, os.getuid()); open('/x', 'w')"
    )
    assert code == 1
    assert f"/wheel/gossip_api/__init__.py {USER}" in said
    assert re.search(r"OSError: .*Read-only file system|PermissionError", said)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("-m", "gossip_operator", "--help"), "render"),
        (("-m", "gossip_operator", "run", "--help"), "GOSSIP_OPERATOR_DEFAULT_IMAGE"),
        (("-m", "gossip_kubectl", "--help"), "submit"),
        (("/wheel/bin/kubectl-gossip", "--help"), "submit"),
        (("/wheel/bin/gossip", "--help"), "simulate"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else part,
)
def test_a_command_starts_in_the_bare_root(run_bare, command, says):
    code, said = run_bare(*command)
    assert code == 0, said
    assert says in said


def test_a_process_of_a_job_starts_there_and_says_what_it_has_not_been_told(run_bare):
    code, said = run_bare("-m", "gossip_trainer.process")
    assert code == 64, said
    assert "GOSSIP_JOB_FILE: is not set" in said
