"""What a job names as `package.module:callable`: found, and given the arguments it takes."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from gossip_trainer.errors import GossipTrainerError

_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class UserCallable:
    """A callable as a job names it.

    Attributes:
        name: as it stands in the job.
        place: of `name` and `args` in the job.
        fault: what is raised about it.

    """

    name: str
    place: str
    fault: type[GossipTrainerError]

    def find(self, path: str | None = None) -> Callable[..., object]:
        """Import `path`, or the name where it is left out.

        Raises:
            GossipTrainerError: `fault`; the module fails, or has no such callable.

        """
        place = f"{self.place}.name {self.name!r}"
        module_name, _, attribute = (path or self.name).partition(":")
        try:
            module = importlib.import_module(module_name)
        except Exception as error:
            raise self.fault(
                f"{place}: cannot import {module_name}: {type(error).__name__}: {error}; "
                "the module must lie in the folder the command is given in, or on PYTHONPATH"
            ) from error
        found: object = getattr(module, attribute, None)
        if found is None:
            near = get_close_matches(attribute, dir(module), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise self.fault(f"{place}: {module_name} has no {attribute!r}{hint}")
        if not callable(found):
            raise self.fault(f"{place}: a {type(found).__name__} cannot be called")
        return found

    def bind(
        self,
        found: Callable[..., object],
        args: Mapping[str, Any],
        context: Mapping[str, object],
        source: str,
    ) -> dict[str, Any]:
        """Put the job's arguments and those of the context together, and check them by signature.

        Args:
            found: what is to be called.
            args: the job's.
            context: what it gets besides, if its signature has it.
            source: where the context comes from, for the error.

        Raises:
            GossipTrainerError: `fault`; an argument is unknown, missing or not the job's to give.

        """
        try:
            signature = inspect.signature(found)
        except ValueError as error:
            raise self.fault(
                f"{self.place}.name {self.name!r}: Python cannot tell its arguments; "
                "wrap it in a function"
            ) from error
        parameters = signature.parameters
        named = [name for name, each in parameters.items() if each.kind not in _VARIABLE]
        takes_all = any(each.kind is _VARIABLE[1] for each in parameters.values())
        allowed = [name for name in named if name not in context]
        for name in args:
            if name in named and name in context:
                raise self.fault(
                    f"{self.place}.args.{name}: comes from {source} ({context[name]}); remove it"
                )
            if name not in allowed and not takes_all:
                raise self._unknown_argument(name, allowed)
        arguments = {**args, **{name: context[name] for name in named if name in context}}
        try:
            signature.bind(**arguments)
        except TypeError as error:
            raise self.fault(f"{self.place}.args of {self.name}: {error}") from error
        return arguments

    def call(self, found: Callable[..., object], arguments: Mapping[str, Any]) -> object:
        """Call it.

        Raises:
            GossipTrainerError: its own, or `fault` for whatever else it raises.

        """
        try:
            return found(**arguments)
        except GossipTrainerError:
            raise
        except Exception as error:
            raise self.fault(
                f"{self.place} {self.name}: the call with {arguments} failed: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _unknown_argument(self, name: str, allowed: list[str]) -> GossipTrainerError:
        near = get_close_matches(name, allowed, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        known = f"allowed are {', '.join(allowed)}" if allowed else "it takes none; remove it"
        return self.fault(
            f"{self.place}.args.{name}: unknown argument of {self.name}{hint}; {known}"
        )
