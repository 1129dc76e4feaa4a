"""What the generated models stand on: closed and frozen objects, lists as tuples, words as enumerations.

Deliberately absent: coercion. What has another type than the contract says is refused.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from recorder_client.errors import InvalidRequestError
from recorder_client.json_value import snapshot

M = TypeVar("M", bound="Closed")


class Closed(BaseModel):
    """An object with exactly the members that the contract lists; it never changes."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    members_min: ClassVar[int] = 0
    null_together: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = sum(getattr(self, name) is not None for name in self.model_fields_set)
        if given < self.members_min:
            raise ValueError(f"at least {self.members_min} member is needed")
        if len({getattr(self, name) is None for name in self.null_together}) > 1:
            raise ValueError(f"{' and '.join(self.null_together)} are null together or neither is")
        return self

    def as_json(self) -> dict[str, Any]:
        """The object to be sent: members by their names in the contract, those that are absent left out."""
        return dict(self._members())

    def _members(self) -> Iterator[tuple[str, Any]]:
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value is not None or field.is_required():
                yield str(field.validation_alias or name), _as_json(value)


def first_fault(error: ValidationError) -> str:
    """What is wrong first, and where; never the value."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"


def asked(kind: type[M], **members: Any) -> M:
    """What is to be sent, or `InvalidRequestError` that names what is wrong with it."""
    try:
        return kind(**members)
    except ValidationError as error:
        raise InvalidRequestError(first_fault(error)) from None


def _as_json(value: Any) -> Any:
    if isinstance(value, Closed):
        return value.as_json()
    if isinstance(value, tuple | list):
        return [_as_json(item) for item in value]
    if isinstance(value, dict):
        return {name: _as_json(item) for name, item in value.items()}
    return str(value) if isinstance(value, StrEnum) else value


@dataclass(frozen=True)
class AsTuple:
    """Takes a list or a tuple, and nothing else that can be iterated."""

    unique: bool = False
    count_min: int = 0
    count_max: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Turns lists into tuples before, and looks for repetitions after."""
        (item,) = get_args(source)
        listed = core_schema.tuple_variable_schema(
            handler.generate_schema(item), min_length=self.count_min, max_length=self.count_max, strict=True
        )
        schema = core_schema.no_info_before_validator_function(_listed, listed)
        return core_schema.no_info_after_validator_function(_unique, schema) if self.unique else schema


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _unique(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if any(item in value[:index] for index, item in enumerate(value)):
        raise ValueError("an item is repeated")
    return value


@dataclass(frozen=True)
class Text:
    """Takes text of a form. Each pattern is compiled once, however many members have it."""

    pattern: str = ".*"
    length_min: int = 0
    length_max: int | None = None

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Looks at the length before it looks at the form."""
        whole = core_schema.str_schema(strict=True, min_length=self.length_min, max_length=self.length_max)
        matches = _compiled(self.pattern).fullmatch

        def check(value: str) -> str:
            if matches(value) is None:
                raise ValueError("not of the form of the contract")
            return value

        return core_schema.no_info_after_validator_function(check, whole)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


@dataclass(frozen=True)
class Word:
    """Takes a word of an enumeration, as text or as its member."""

    enumeration: type[StrEnum]

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Looks the word up."""
        return core_schema.no_info_plain_validator_function(self._member)

    def _member(self, value: Any) -> StrEnum:
        if not isinstance(value, str):
            raise ValueError("not a word")  # noqa: TRY004 - what pydantic reports
        return self.enumeration(value)


@dataclass(frozen=True)
class Exactly:
    """Takes one value of one type: `true` is not 1."""

    value: object

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Compares."""
        return core_schema.no_info_plain_validator_function(self._same)

    def _same(self, value: Any) -> Any:
        if type(value) is not type(self.value) or value != self.value:
            raise ValueError(f"not {self.value!r}")
        return value


@dataclass(frozen=True)
class NotNull:
    """A member that may be absent, but is never null."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Refuses null before anything else is looked at."""
        return core_schema.no_info_before_validator_function(_present, handler(source))


def _present(value: Any) -> Any:
    if value is None:
        raise ValueError("may be absent, but not null")
    return value


@dataclass(frozen=True)
class PatternObject:
    """An object whose members have the type of the pattern that their name matches."""

    required: tuple[str, ...]
    types: Callable[[], tuple[tuple[str, Any], ...]]

    @cached_property
    def _rules(self) -> tuple[tuple[re.Pattern[str], TypeAdapter[Any]], ...]:
        return tuple((re.compile(pattern), TypeAdapter(kind)) for pattern, kind in self.types())

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Judges each member by its name."""
        return core_schema.no_info_plain_validator_function(self._validate)

    def _validate(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError("not an object")  # noqa: TRY004 - what pydantic reports
        missing = [name for name in self.required if name not in value]
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        return {name: self._member(name, item) for name, item in value.items()}

    def _member(self, name: Any, item: Any) -> Any:
        for pattern, adapter in self._rules:
            if isinstance(name, str) and pattern.fullmatch(name):
                return adapter.validate_python(item, strict=True)
        raise ValueError("a member has a name that the contract does not know")


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - what pydantic reports
    return value


# An object that was recorded, as it was read.
JsonObject = Annotated[dict[str, Any], PlainValidator(_object)]

# An object of the producer's own. It is copied, so that a later change of the original changes no evidence.
SentObject = Annotated[dict[str, Any], PlainValidator(snapshot)]
