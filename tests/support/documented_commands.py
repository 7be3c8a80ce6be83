"""The commands that the documents show, as blocks that can be run.

A block of commands begins with three backticks, `sh`, and words that say where its commands belong:

* `local`: on one machine; a test runs them all, in order, in one folder for each document.
  `smaller="..."` adds options to each `gossip` command, for those that take minutes or hours as
  they are written.
* `cluster`: they need a cluster with the operator; a test runs them in real pods. Words in capital
  letters (`REGISTRY`, `TAG`) are the reader's.
* `elsewhere`: they need what no test has, which `needs="..."` names: a registry, GPU nodes, a
  second machine.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = frozenset({"local", "cluster", "elsewhere"})
COMMAND_WORDS = ("gossip", "kubectl", "helm", "make", "docker", "python -m", ".venv/bin/", "pytest")
_FENCE = re.compile(r"^```(\S*)[ ]*(.*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a document."""

    path: Path
    line: int
    language: str
    info: str
    text: str

    @property
    def places(self) -> frozenset[str]:
        """Where its commands belong; empty where the block does not say."""
        return frozenset(word for word in shlex.split(self.info) if "=" not in word)

    @property
    def options(self) -> dict[str, str]:
        """What else stands after the language, by name."""
        return dict(word.split("=", 1) for word in shlex.split(self.info) if "=" in word)

    @property
    def commands(self) -> tuple[str, ...]:
        """Its lines, those that end in a backslash joined with the next; empty lines left out."""
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        return tuple(line for line in lines if line.strip() and not line.startswith("#"))

    @property
    def looks_like_commands(self) -> bool:
        """Whether it would be taken for commands by a reader, whatever it says it is."""
        return self.text.lstrip().startswith(COMMAND_WORDS)

    def script(self) -> str:
        """Write its commands for bash; the first that fails ends it."""
        smaller = self.options.get("smaller", "")
        lines = self.commands
        if smaller:
            lines = tuple(f"{_without_comment(line)} {smaller}" for line in lines)
        return "\n".join(["set -euxo pipefail", *lines])


def documents() -> list[Path]:
    """List what a reader is pointed to."""
    written = sorted((ROOT / "docs").rglob("*.md"))
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *written]


def blocks_of(path: Path) -> list[Block]:
    """Read a document's fenced blocks."""
    found, start = [], None
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if fence is None:
            continue
        if start is None:
            start = (number, *fence.groups())
        else:
            first, language, info = start
            text = "\n".join(lines[first : number - 1])
            found.append(Block(path, first, language, info, text))
            start = None
    assert start is None, f"{path}: the block of line {start[0]} does not end"
    return found


def inline_commands(path: Path, first_word: str) -> list[str]:
    """List the commands of that name that stand between backticks in running text and tables."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(rf"`(?:\.venv/bin/)?({re.escape(first_word)} [^`]+)`", text)


def _without_comment(line: str) -> str:
    return re.sub(r"\s+#( .*)?$", "", line)
