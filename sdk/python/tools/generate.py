"""Makes `recorder_client/contract.py` and `recorder_client/models.py` from the published contract under `docs/generated`.

    python sdk/python/tools/generate.py

A test makes them again and compares. A schema keyword that is not understood here is an error, never a rule that the
client silently lacks.
"""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
CONTRACT = ROOT / "docs/generated"
PACKAGE = ROOT / "sdk/python/src/recorder_client"

Schema = dict[str, Any]

_HEAD = '"""{promise}\n\nMade by `sdk/python/tools/generate.py` from `docs/generated/sdk`; a change goes there.\n"""\n'
_KNOWN = {
    "additionalProperties", "anyOf", "const", "description", "else", "enum", "if", "items", "maxItems", "maxLength",
    "maximum", "minItems", "minLength", "minProperties", "minimum", "oneOf", "pattern", "patternProperties",
    "properties", "$ref", "required", "then", "type", "uniqueItems",
}  # fmt: skip


_RULES = ("AsTuple", "Closed", "Exactly", "JsonObject", "NotNull", "PatternObject", "SentObject", "Text", "Word")


# What others define, and the client hands on as it is.
_FOREIGN = {"OtlpRequest"}


class UnknownSchemaError(Exception):
    """A schema says something that these models cannot."""


def pascal(name: str) -> str:
    """`query_answer` as `QueryAnswer`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))


def literal(value: object) -> str:
    """A Python literal of a JSON scalar, in ASCII."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=True) if value.isascii() else _wide(value)
    return repr(value)


def _wide(text: str) -> str:
    escaped = (c if c.isascii() and c.isprintable() and c not in '"\\' else _escape(c) for c in text)
    return '"' + "".join(escaped) + '"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Models:
    """Writes one model or alias for each schema."""

    def __init__(self, types: dict[str, Schema], enums: dict[str, list[str]]) -> None:
        """Of the types and enumerations of the contract."""
        self._types = types
        self._enums = {tuple(words): pascal(name) for name, words in enums.items()}
        self._scalars: list[str] = []
        self._objects: list[str] = []
        self._patterns: list[str] = []
        self._late: list[str] = []
        self._classes: list[str] = []
        self._used: set[str] = set()

    def text(self) -> str:
        """The whole module."""
        for name, schema in self._types.items():
            self._named(pascal(name), schema)
        used = sorted(self._used)
        lines = [_HEAD.format(promise="What crosses the boundary, as strict and frozen models.").rstrip("\n")]
        lines += [
            "",
            "from __future__ import annotations",
            "",
            "from collections.abc import Sequence",
            "from typing import Annotated, Any, Literal",
            "",
        ]
        lines += ["from pydantic import Field", "", "from recorder_client.contract import ("]
        lines += [*(f"    {name}," for name in used), ")"]
        lines += ["from recorder_client.model_base import ("]
        lines += [*(f"    {name}," for name in _RULES), ")", ""]
        lines += [*self._scalars, "", *self._patterns, "", *self._objects, "", *self._late, ""]
        lines += ["for _model in (", *(f"    {name}," for name in self._classes), "):", "    _model.model_rebuild()"]
        return "\n".join(lines) + "\n"

    def _named(self, name: str, schema: Schema) -> None:
        if name in _FOREIGN:
            self._scalars.append(f"{name} = JsonObject")
            return
        if schema.get("type") == "object" and "properties" in schema:
            self._object(name, schema)
            return
        if "enum" in schema and self._enums.get(tuple(schema["enum"])) == name:
            return
        line = f"{name} = {self._expression(schema, name)}"
        is_late = schema.get("type") == "array" or "oneOf" in schema
        (self._late if is_late else self._scalars).append(line)

    def _expression(self, schema: Schema, path: str) -> str:
        unknown = set(schema) - _KNOWN
        if unknown:
            raise UnknownSchemaError(f"{path}: {sorted(unknown)}")
        if "$ref" in schema:
            return self._reference(schema["$ref"])
        if "anyOf" in schema or "oneOf" in schema:
            return self._union(schema, path)
        if "const" in schema:
            constant = literal(schema["const"])
            return f"Annotated[Literal[{constant}], Exactly({constant})]"
        if "enum" in schema:
            return self._enumeration(schema["enum"], path)
        makers = {"string": self._string, "integer": self._integer, "array": self._array, "object": self._inline}
        if schema.get("type") == "boolean":
            return "bool"
        maker = makers.get(str(schema.get("type")))
        if maker is None:
            raise UnknownSchemaError(f"{path}: type {schema.get('type')}")
        return maker(schema, path)

    def _reference(self, reference: str) -> str:
        name = reference.removeprefix("#/$defs/")
        target = self._types[name]
        if "enum" in target:
            return self._enumeration(target["enum"], name)
        return pascal(name)

    def _union(self, schema: Schema, path: str) -> str:
        branches = schema.get("anyOf") or schema["oneOf"]
        names = [
            "None" if branch == {"type": "null"} else self._expression(branch, path + self._tag(branch))
            for branch in branches
        ]
        return " | ".join(names)

    def _tag(self, branch: Schema) -> str:
        """What tells a branch from its neighbours: the members that it must have."""
        inner = branch.get("properties", {})
        tag = "".join(pascal(name) for name in branch.get("required", ()))
        only: Schema = next(iter(inner.values()), {}) if len(inner) == 1 else {}
        if list(inner) == ["event_type"]:
            tag += "".join(pascal(name) for name in only.get("required", ()))
        return tag

    def _enumeration(self, words: list[str], path: str) -> str:
        name = self._enums.get(tuple(words))
        if name is None:
            return f"Literal[{', '.join(map(literal, words))}]"
        self._used.add(name)
        if path == "":
            raise UnknownSchemaError(path)
        return f"Annotated[{name}, Word({name})]"

    def _string(self, schema: Schema, path: str) -> str:
        pattern = schema.get("pattern", "^$")
        if not (pattern.startswith("^") and pattern.endswith("$")):
            raise UnknownSchemaError(f"{path}: a pattern that is not anchored")
        names = {"pattern": "pattern", "minLength": "length_min", "maxLength": "length_max"}
        return _constrained("str", "Text", schema, names)

    def _integer(self, schema: Schema, _path: str) -> str:
        return _constrained("int", "Field", schema, {"minimum": "ge", "maximum": "le"})

    def _array(self, schema: Schema, path: str) -> str:
        item = self._expression(schema["items"], path + "Item")
        bounds = [f"unique={schema.get('uniqueItems', False)}"]
        bounds += [f"count_{side}={schema[f'{side}Items']}" for side in ("min", "max") if f"{side}Items" in schema]
        return f"Annotated[Sequence[{item}], AsTuple({', '.join(bounds)})]"

    def _inline(self, schema: Schema, path: str) -> str:
        if "patternProperties" in schema:
            return self._pattern_object(schema, path)
        if "properties" not in schema:
            return "JsonObject"
        self._object(path, schema)
        return path

    def _pattern_object(self, schema: Schema, path: str) -> str:
        if schema.get("additionalProperties") is not False:
            raise UnknownSchemaError(f"{path}: open")
        named = [("^" + re.escape(name) + "$", value) for name, value in schema["properties"].items()]
        rules = [
            f"        ({literal(pattern)}, {self._expression(value, path)}),"
            for pattern, value in [*named, *schema["patternProperties"].items()]
        ]
        self._patterns += [
            f"_{path} = PatternObject(",
            f"    required=({', '.join(map(literal, schema['required']))},),",
            "    types=lambda: (",
            *rules,
            "    ),",
            ")",
        ]
        return f"Annotated[dict[str, Any], _{path}]"

    def _object(self, name: str, schema: Schema) -> None:
        unknown = set(schema) - _KNOWN
        if unknown or schema.get("additionalProperties") is not False:
            raise UnknownSchemaError(f"{name}: open, or {sorted(unknown)}")
        self._classes.append(name)
        described = schema.get("description", f"Of `{name}`.")
        body = [f"class {name}(Closed):", f'    """{described}"""', ""]
        if "minProperties" in schema:
            body += [f"    members_min = {schema['minProperties']}", ""]
        if "if" in schema:
            body += [f"    null_together = ({', '.join(map(literal, _null_together(name, schema)))},)", ""]
        required = schema.get("required", ())
        for member, inner in schema["properties"].items():
            body.append(self._member(name, member, inner, is_required=member in required))
        self._objects += ["", *body, ""]

    def _member(self, owner: str, member: str, schema: Schema, *, is_required: bool) -> str:
        kind = self._expression(schema, owner + pascal(member))
        if (owner, member) == ("Draft", "payload"):
            kind = "SentObject"
        attribute = member + "_" if member in ("from", "not") else member
        is_nullable = {"type": "null"} in schema.get("anyOf", ())
        if not is_required and not is_nullable:
            kind = f"Annotated[{kind} | None, NotNull()]"
        alias = f"validation_alias={literal(member)}" if attribute != member else ""
        if is_required:
            return f"    {attribute}: {kind}" + (f" = Field({alias})" if alias else "")
        return f"    {attribute}: {kind} = " + (f"Field(default=None, {alias})" if alias else "None")


def _constrained(base: str, rule: str, schema: Schema, names: dict[str, str]) -> str:
    given = [f"{mine}={literal(schema[theirs])}" for theirs, mine in names.items() if theirs in schema]
    return f"Annotated[{base}, {rule}({', '.join(given)})]" if given else base


def _null_together(name: str, schema: Schema) -> tuple[str, str]:
    """The one conditional form that is understood: two members are null together or neither is."""
    first = next(iter(schema["if"]["properties"]))
    second = next(iter(schema["then"]["properties"]))
    wanted = {
        "if": {"properties": {first: {"type": "null"}}},
        "then": {"properties": {second: {"type": "null"}}},
        "else": {"properties": {second: {"type": "string"}}},
    }
    if {key: schema[key] for key in wanted} != wanted:
        raise UnknownSchemaError(f"{name}: a condition")
    return first, second


def models_text(types: dict[str, Any]) -> str:
    """The module of models."""
    return Models(types["types"], types["enums"]).text()


def contract_text(types: dict[str, Any], methods: dict[str, Any], manifest: dict[str, Any]) -> str:
    """The module of constants."""
    lines = [
        _HEAD.format(promise="The contract's constants: operations, problem codes, enumerations, headers.").rstrip("\n")
    ]
    lines += ["", "from enum import StrEnum", "from types import MappingProxyType", ""]
    lines += ["from recorder_client.contract_types import Operation, ProblemFacts", ""]
    lines += [
        f"CONTRACT_VERSION = {manifest['contract_version']}",
        f"API_MAJOR_VERSION = {manifest['api_major_version']}",
    ]
    lines += [f"ENVELOPES_PER_BATCH_MAX = {types['types']['batch_request']['properties']['envelopes']['maxItems']}"]
    lines += [f"PAGE_SIZE_MAX = {types['types']['page_size']['maximum']}"]
    lines += [f"ATTACHMENT_BYTES_MAX = {types['types']['attachment_size']['maximum']}"]
    rules = methods["idempotency"]
    lines += [f"IDEMPOTENCY_KEY_HEADER = {literal(rules['header'])}"]
    lines += [f"IDEMPOTENCY_REPLAYED_HEADER = {literal(rules['replayed_header'])}"]
    lines += [f"FIRST_STATUS = {rules['first_status']}", f"REPLAYED_STATUS = {rules['replayed_status']}", ""]
    for name, words in types["enums"].items():
        lines += ["", f"class {pascal(name)}(StrEnum):", f'    """Every `{name}`."""', ""]
        lines += [f"    {word.upper()} = {literal(word)}" for word in words] + [""]
    lines += ["", "PROBLEMS = MappingProxyType({"]
    for code, facts in methods["problems"].items():
        lines.append(
            f"    ProblemCode.{code.upper()}: ProblemFacts({facts['status']}, {facts['retryable']}, {literal(facts['title'])}),"
        )
    lines += ["})", "", "OPERATIONS = MappingProxyType({"]
    for name, method in methods["methods"].items():
        lines += _operation(name, method)
    lines += ["})"]
    return "\n".join(lines) + "\n"


def _operation(name: str, method: dict[str, Any]) -> Iterable[str]:
    def names(values: Iterable[str]) -> str:
        return "(" + "".join(f"{literal(value)}, " for value in values).rstrip() + ")"

    answers = ", ".join(
        f"{status}: {literal(answer['type']) if answer['type'] else None}"
        for status, answer in method["answers"].items()
    )
    codes = ", ".join(f"ProblemCode.{code.upper()}" for code in method["codes"])
    return (
        f"    {literal(name)}: Operation(",
        f"        name={literal(name)},",
        f"        client_method={literal(method['client_method']) if method['client_method'] else None},",
        f"        method={literal(method['method'])},",
        f"        path={literal(method['path'])},",
        f"        request_type={literal(method['request_type']) if method['request_type'] else None},",
        f"        takes={names(method['takes'])},",
        f"        gives={names(method['gives'])},",
        f"        answers=MappingProxyType({{{answers}}}),",
        f"        codes=frozenset(({codes},)),",
        f"        query={names(one['name'] for one in method['query'])},",
        f"        requires_idempotency_key={method['requires_idempotency_key']},",
        f"        requires_token={method['requires_token']},",
        "    ),",
    )


def generated(contract: Path = CONTRACT) -> dict[str, str]:
    """The text of each generated module by its file name."""
    types, methods, manifest = (
        json.loads((contract / "sdk" / name).read_text("utf-8"))
        for name in ("types.json", "methods.json", "manifest.json")
    )
    return {"contract.py": contract_text(types, methods, manifest), "models.py": models_text(types)}


def main() -> int:
    """Writes both modules."""
    for name, text in generated().items():
        (PACKAGE / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
