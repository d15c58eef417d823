"""JSON schemas of answers: whether one may be asked for, and a value by one."""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final

from service.sandbox.openai.errors import ApiError, invalid

Schema = Mapping[str, Any]
Write = Callable[[Random], str]
_DEEPEST: Final = 10


def check(name: str | None, schema: Schema | None, *, strict: bool) -> None:
    """Raises:
    ApiError: it is not a schema that answers can be held to.
    """
    if name is None:
        raise invalid(
            "text.format.name", "missing_required_parameter", "Missing required parameter: 'text.format.name'."
        )
    if schema is None:
        raise invalid(
            "text.format.schema", "missing_required_parameter", "Missing required parameter: 'text.format.schema'."
        )
    if schema.get("type") != "object":
        raise _unfit(name, "schema must be a JSON Schema of 'type: \"object\"'")
    if strict:
        _check_strict(name, schema, ())


def _check_strict(name: str, schema: Any, path: tuple[str, ...]) -> None:
    if not isinstance(schema, dict) or not isinstance(schema.get("properties", {}), dict):
        raise _unfit(name, f"In context={path}, it is not a JSON schema")
    if len(path) > _DEEPEST:
        raise _unfit(name, f"it is nested more than {_DEEPEST} levels deep")
    if _kind(schema) == "object":
        _check_object(name, schema, path)
    for key, inner in _inner(schema):
        _check_strict(name, inner, (*path, key))


def _check_object(name: str, schema: Schema, path: tuple[str, ...]) -> None:
    if schema.get("additionalProperties") is not False:
        raise _unfit(name, f"In context={path}, 'additionalProperties' is required to be supplied and to be false")
    if set(schema.get("required", ())) != set(schema.get("properties", {})):
        reason = "'required' is required to be supplied and to be an array including every key in properties"
        raise _unfit(name, f"In context={path}, {reason}")


def _inner(schema: Schema) -> Iterator[tuple[str, Any]]:
    yield from schema.get("properties", {}).items()
    yield from schema.get("$defs", {}).items()
    yield from (("anyOf", choice) for choice in schema.get("anyOf", ()))
    if "items" in schema:
        yield "items", schema["items"]


def _unfit(name: str, reason: str) -> ApiError:
    message = f"Invalid schema for response_format '{name}': {reason}."
    return invalid("text.format.schema", "invalid_json_schema", message)


class SchemaFiller:
    """Makes values by a schema; what is text is written by `write`, what is chosen is chosen by `random`."""

    def __init__(self, root: Schema, write: Write, random: Random) -> None:
        self._root = root
        self._write = write
        self._random = random

    def fill(self, schema: Schema, depth: int = 0) -> Any:
        """A schema that contains itself ends in null."""
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._random.choice(schema["enum"])
        if depth > _DEEPEST:
            return None
        return self._by_kind(schema, depth + 1)

    def _by_kind(self, schema: Schema, depth: int) -> Any:
        match _kind(schema):
            case "object":
                return {name: self.fill(inner, depth) for name, inner in schema.get("properties", {}).items()}
            case "array":
                return [self.fill(schema.get("items", {}), depth) for _ in range(schema.get("minItems", 1))]
            case "integer" | "number":
                return self._random.randint(*_bounds(schema))
            case "boolean":
                return self._random.choice((True, False))
            case "null":
                return None
            case _:
                return self._text(schema)

    def _resolved(self, schema: Schema) -> Schema:
        """What a reference or a choice stands for."""
        if reference := schema.get("$ref"):
            name = reference.rpartition("/")[2]
            return self._resolved(self._root if name in {"", "#"} else self._root.get("$defs", {}).get(name, {}))
        choices = schema.get("anyOf")
        return self._resolved(choices[0]) if choices else schema

    def _text(self, schema: Schema) -> str:
        written = self._write(self._random)
        longest = schema.get("maxLength", len(written))
        return written if len(written) <= longest else written[:longest].rpartition(" ")[0] or written[:longest]


def _kind(schema: Schema) -> str:
    """The first of its types: null, where there is another, is the last."""
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return str(kind if isinstance(kind, str) else min(kind, key=lambda one: one == "null"))


def _bounds(schema: Schema) -> tuple[int, int]:
    lowest = int(schema.get("minimum", min(1, schema.get("maximum", 1))))
    return lowest, int(schema.get("maximum", lowest + 4))
