"""What all models of the job document share: strictness, spelling, cross-field rules.

A cross-field rule is said twice, once in Python and once in CEL for the API server; `Rule` keeps
the two beside each other. This module knows no field of any job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeAlias, cast, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from gossip_api.duration import format_duration

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

BROKEN_RULES = "broken_rules"
"""Type of the pydantic error that carries broken rules; its context has `broken`: (field, text)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition on several fields of one record."""

    field: str
    """The field to blame, as the document spells it; one of a record in it after a dot; empty for
    the whole record."""
    message: str
    holds: Callable[[Any], bool]
    """Whether the rule holds, given the record."""
    cel: str
    """The same in CEL (https://kubernetes.io/docs/reference/using-api/cel/), of `self`.

    It must ask with `has` for every field that is not required, even for one with a default: the
    API server checks the rules of a record with the default `{}` before it fills that in.
    """


class Record(BaseModel):
    """A frozen part of the job document; unknown fields are errors, null means absent.

    Numbers and booleans are never guessed from strings, nor one from the other: the API server
    does not do so either.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        use_attribute_docstrings=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()
    ignored: ClassVar[frozenset[str]] = frozenset()
    """Keys that the API server adds to this record and that say nothing about the job."""

    @classmethod
    def all_rules(cls) -> tuple[Rule, ...]:
        """List the rules that the record must keep, those written down and those derived."""
        return cls.rules

    @classmethod
    def field_names(cls) -> dict[str, str]:
        """Map every field's spelling in documents to its name in Python."""
        return {field.alias or name: name for name, field in cls.model_fields.items()}

    @classmethod
    def spelled(cls, name: str) -> str:
        """Return how documents spell the field that Python calls `name`."""
        return cls.model_fields[name].alias or name

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        known = {*cls.model_fields, *cls.field_names()}
        return {
            key: value
            for key, value in data.items()
            if key not in cls.ignored and not (value is None and key in known)
        }

    @model_validator(mode="after")
    def _keeps_its_rules(self) -> Self:
        broken = [(rule.field, rule.message) for rule in self.all_rules() if not rule.holds(self)]
        if broken:
            text = "; ".join(f"{field}: {message}" for field, message in broken)
            raise PydanticCustomError(BROKEN_RULES, "{text}", {"text": text, "broken": broken})
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the rules to the schema, and spell the defaults as in documents."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        for name, field in cls.model_fields.items():
            if isinstance(field.default, timedelta):  # pydantic would write it in ISO 8601
                default = format_duration(field.default)
                schema["properties"][field.alias or name]["default"] = default
        if rules := cls.all_rules():
            schema["x-kubernetes-validations"] = [
                {"rule": rule.cel, "message": rule.message}
                | ({"fieldPath": f".{rule.field}"} if rule.field else {})
                for rule in rules
            ]
        return schema


class TaggedRecord(Record):
    """A record of which some fields make sense only for some values of one field, its tag.

    Such a field is refused beside another value, left out when the record is written, and has no
    default in the schema, where it would be filled in for every value.
    """

    tag: ClassVar[str]
    """The field that decides; spelled the same in Python and in documents."""
    only: ClassVar[Mapping[str, tuple[str, ...]]]
    """The values of the tag that each such field (its name in Python) belongs to."""

    @classmethod
    def all_rules(cls) -> tuple[Rule, ...]:
        """List the rules: those that follow from `only`, then those written down."""
        return (*(cls._only_rule(name, values) for name, values in cls.only.items()), *cls.rules)

    @classmethod
    def _only_rule(cls, name: str, values: tuple[str, ...]) -> Rule:
        field = cls.spelled(name)
        return Rule(
            field=field,
            message=f"is only for {cls.tag} {' or '.join(values)}; remove it or change {cls.tag}",
            holds=lambda record: (
                name not in record.model_fields_set or getattr(record, cls.tag) in values
            ),
            cel=f"!has(self.{field}) || self.{cls.tag} in {list(values)}",
        )

    def applies(self, name: str) -> bool:
        """Say whether the field (its name in Python) belongs to the tag's present value."""
        return name not in self.only or getattr(self, self.tag) in self.only[name]

    @model_serializer(mode="wrap")
    def _without_the_others(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        written = cast("dict[str, object]", handler(self))
        others = {name for name in self.only if not self.applies(name)}
        hidden = others | {self.spelled(name) for name in others}
        return {key: value for key, value in written.items() if key not in hidden}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Take the defaults away from the fields that are not for every value of the tag."""
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        for name in cls.only:
            schema["properties"][cls.spelled(name)].pop("default", None)
        return schema


def without_nulls(data: object) -> object:
    """Leave out a mapping's keys that are set to null."""
    if not isinstance(data, Mapping):
        return data
    return {key: value for key, value in data.items() if value is not None}


StringMap: TypeAlias = Annotated[dict[str, str], BeforeValidator(without_nulls)]
"""Text by freely chosen keys; a key set to null counts as left out, as for the API server."""


def record_in(annotation: Any) -> type[Record] | None:
    """Return the record type in a field's annotation; None where there is none.

    Finds it in `X`, `X | None`, and lists of them.
    """
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    return next(filter(None, map(record_in, get_args(annotation))), None)
