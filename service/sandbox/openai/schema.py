"""JSON schemas of structured outputs: checks a schema, and generates values that match it."""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final

from service.sandbox.openai.errors import ApiError, invalid

Schema = Mapping[str, Any]
TextWriter = Callable[[Random], str]
_MAX_DEPTH: Final = 10


def check(name: str | None, schema: Schema | None, *, strict: bool) -> None:
    """Raises:
    ApiError: OpenAI does not support the schema.
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
        raise _invalid_schema(name, "schema must be a JSON Schema of 'type: \"object\"'")
    if strict:
        _check_strict(name, schema, ())


def _check_strict(name: str, schema: Any, path: tuple[str, ...]) -> None:
    if not isinstance(schema, dict) or not isinstance(schema.get("properties", {}), dict):
        raise _invalid_schema(name, f"In context={path}, it is not a JSON schema")
    if len(path) > _MAX_DEPTH:
        raise _invalid_schema(name, f"it is nested more than {_MAX_DEPTH} levels deep")
    if _type(schema) == "object":
        _check_object(name, schema, path)
    for key, inner in _subschemas(schema):
        _check_strict(name, inner, (*path, key))


def _check_object(name: str, schema: Schema, path: tuple[str, ...]) -> None:
    if schema.get("additionalProperties") is not False:
        raise _invalid_schema(
            name, f"In context={path}, 'additionalProperties' is required to be supplied and to be false"
        )
    if set(schema.get("required", ())) != set(schema.get("properties", {})):
        reason = "'required' is required to be supplied and to be an array including every key in properties"
        raise _invalid_schema(name, f"In context={path}, {reason}")


def _subschemas(schema: Schema) -> Iterator[tuple[str, Any]]:
    yield from schema.get("properties", {}).items()
    yield from schema.get("$defs", {}).items()
    yield from (("anyOf", choice) for choice in schema.get("anyOf", ()))
    if "items" in schema:
        yield "items", schema["items"]


def _invalid_schema(name: str, reason: str) -> ApiError:
    message = f"Invalid schema for response_format '{name}': {reason}."
    return invalid("text.format.schema", "invalid_json_schema", message)


class SchemaFiller:
    """Generates values that match a schema: texts with `write_text`, choices with `random`."""

    def __init__(self, root: Schema, write_text: TextWriter, random: Random) -> None:
        self._root = root
        self._write_text = write_text
        self._random = random

    def fill(self, schema: Schema, depth: int = 0) -> Any:
        """A value for the schema. A recursive schema ends in null at the maximum depth."""
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._random.choice(schema["enum"])
        if depth > _MAX_DEPTH:
            return None
        return self._fill_type(schema, depth + 1)

    def _fill_type(self, schema: Schema, depth: int) -> Any:
        match _type(schema):
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

    def _resolve(self, schema: Schema) -> Schema:
        """Follow a reference, or take the first alternative."""
        if reference := schema.get("$ref"):
            name = reference.rpartition("/")[2]
            return self._resolve(self._root if name in {"", "#"} else self._root.get("$defs", {}).get(name, {}))
        choices = schema.get("anyOf")
        return self._resolve(choices[0]) if choices else schema

    def _text(self, schema: Schema) -> str:
        text = self._write_text(self._random)
        max_length = schema.get("maxLength", len(text))
        return text if len(text) <= max_length else text[:max_length].rpartition(" ")[0] or text[:max_length]


def _type(schema: Schema) -> str:
    """The first type of the schema; null only if there is no other."""
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return str(kind if isinstance(kind, str) else min(kind, key=lambda one: one == "null"))


def _bounds(schema: Schema) -> tuple[int, int]:
    lowest = int(schema.get("minimum", min(1, schema.get("maximum", 1))))
    return lowest, int(schema.get("maximum", lowest + 4))
