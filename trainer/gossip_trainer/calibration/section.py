"""The job's `simulation` section, as found. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gossip_trainer.report.words import count, size

if TYPE_CHECKING:
    from pathlib import Path

    from gossip_trainer.calibration.estimate import Computing, Estimate, LinkEstimate

BITS = {"kbps": 1e3, "Mbps": 1e6, "Gbps": 1e9, "Tbps": 1e12}
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Found:
    """All that was measured; `trace` is the file that the step times were written to, if any."""

    computing: Computing
    link: LinkEstimate
    trace: Path | None = None

    def section(self) -> dict[str, dict[str, object]]:
        """Return the section; it says nothing of stragglers and faults."""
        compute: dict[str, object] = {
            "mean": float(f"{self.computing.mean.value:.4g}"),
            "jitter": round(min(self.computing.jitter.value, 3.0), 3),
        }
        if self.trace is not None:
            compute = {"trace": str(self.trace)}
        link: dict[str, object] = {
            "bandwidth": bandwidth_text(self.link.bandwidth.value),
            "latency": latency_text(self.link.latency.value),
        }
        return {"computeSeconds": compute, "link": link}

    def as_json(self) -> bytes:
        """Write all numbers and the section as a JSON document."""
        document = {
            "computing": asdict(self.computing),
            "link": asdict(self.link),
            "simulation": self.section(),
        }
        return (json.dumps(document, indent=2) + "\n").encode()

    def as_yaml(self) -> str:
        """Write the section to paste under `spec:`, with what is known of each number."""
        section, computing, link = self.section(), self.computing, self.link
        steps = count(computing.steps, "step")
        pulls = f"{count(link.pulls, 'pull')} of {size(link.num_bytes)}"
        rates = f"{link.bandwidth.low * 8e-6:.4g} to {link.bandwidth.high * 8e-6:.4g} Mbps"
        lines = [
            "simulation:",
            f"  # {steps}: {_between(computing.mean, 's')}, jitter {_between(computing.jitter)}",
            f"  computeSeconds: {_flow(section['computeSeconds'])}",
            f"  # {pulls}: {rates}, latency {_between(link.latency, 's')}",
            f"  link: {_flow(section['link'])}",
        ]
        return "\n".join(lines) + "\n"


def trace_text(laps: list[float]) -> str:
    """Write step times as `computeSeconds.trace` reads them."""
    lines = ["# seconds of successive steps of one worker, without communication"]
    return "\n".join([*lines, *(f"{lap:.9g}" for lap in laps)]) + "\n"


def bandwidth_text(bytes_per_second: float) -> str:
    """Write a bandwidth as the job does: `95.34Mbps`."""
    return _with_unit(bytes_per_second * 8, BITS)


def latency_text(seconds: float) -> str:
    """Write a latency as the job does: `120us`."""
    return _with_unit(max(seconds, 0.0), SECONDS) if seconds >= 1e-9 else "0s"


def _with_unit(value: float, units: dict[str, float]) -> str:
    """Use the largest unit of which there is one or more; three decimals at most."""
    fitting = [unit for unit, worth in units.items() if value >= worth]
    unit = fitting[-1] if fitting else next(iter(units))
    text = f"{value / units[unit]:.3f}".rstrip("0").rstrip(".")
    return f"{text}{unit}"


def _between(estimate: Estimate, unit: str = "") -> str:
    return f"{estimate.low:.4g} to {estimate.high:.4g} {unit}".rstrip()


def _flow(mapping: dict[str, object]) -> str:
    return "{" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in mapping.items()) + "}"
