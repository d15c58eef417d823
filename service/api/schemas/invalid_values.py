"""What is wrong with a request, in sentences: the name, what may be, and what was given."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Final

from fastapi import Request
from pydantic import TypeAdapter

from service.api.schemas.parameters import expected

_MAX_SENTENCES: Final = 10
_MAX_NAME: Final = 100
_MAX_GIVEN: Final = 80
_URL: Final = frozenset({"query", "path"})
Schema = Mapping[str, Any]


def sentences(request: Request, wrong: Sequence[Mapping[str, Any]]) -> str:
    """One sentence for each error of pydantic: `limit must be a whole number from 1 to 500; got 0.`"""
    more = f" {len(wrong) - _MAX_SENTENCES:,} more are wrong." if len(wrong) > _MAX_SENTENCES else ""
    schemas = {(location, name): schema for location, name, schema in _schemas(request)}
    return " ".join(_sentence(each, schemas) for each in wrong[:_MAX_SENTENCES]) + more


def _sentence(wrong: Mapping[str, Any], schemas: Mapping[tuple[str, str], Schema]) -> str:
    """What a body or a header has is not repeated: it may be a secret."""
    location, *path = wrong["loc"]
    if location == "body" and (not path or not isinstance(path[0], str)):  # the body itself, or an offset in its text
        return "The body must be a JSON object, as the API's description shows it."
    name = ".".join(map(str, path))[:_MAX_NAME]
    if wrong["type"] == "extra_forbidden":
        return _unknown(name, location, [known for place, known in schemas if place == location])
    schema: Schema = schemas.get((location, path[0]), {}) if path else {}
    words = _expected(schema, path[1:]) or wrong["msg"]
    if wrong["type"] == "missing":
        return f"{name} is missing: it must be {words}."
    given = f"; got {str(wrong['input'])[:_MAX_GIVEN] or 'nothing'}" if location in _URL else ""
    return f"{name} must be {words}{given}."


def _unknown(name: str, location: str, known: Sequence[str]) -> str:
    if not known:
        return f"{name or 'The empty name'} is unknown: there is no parameter in the {location} here."
    nearest = get_close_matches(name.lower(), known, 1)
    meant = f"did you mean {nearest[0]}? T" if nearest else "t"
    return f"{name or 'The empty name'} is unknown: {meant}here is {', '.join(known)}."


def known_names(request: Request, location: str) -> Collection[str]:
    """The names that the route takes in this location: `path`, `query`, `header` or `body`."""
    return [name for place, name, _ in _schemas(request) if place == location]


def _expected(schema: Schema, path: Sequence[object]) -> str:
    for _ in path:
        lists: list[Schema] = [each for each in (schema, *schema.get("anyOf", ())) if "items" in each]
        schema = lists[0]["items"] if lists else {}
    return expected(schema) if schema else ""


def _schemas(request: Request) -> Iterator[tuple[str, str, Schema]]:
    """The values that the route takes: where, the name, and the JSON schema."""
    route = request.scope.get("fastapi", {}).get("effective_route_context") or request.scope.get("route")
    if dependant := getattr(route, "dependant", None):
        for location in ("path", "query", "header", "body"):
            for field in getattr(dependant, f"{location}_params"):
                yield from ((location, name, schema) for name, schema in _values(field).items())


@lru_cache(maxsize=256)
def _values(field: Any) -> Mapping[str, Schema]:
    """A field of FastAPI is one value, or a model with a value for each of its fields."""
    schema = TypeAdapter(Annotated[field.field_info.annotation, field.field_info]).json_schema()
    definitions = schema.get("$defs", {})
    for each in (schema, *schema.get("anyOf", ())):
        model = definitions.get(each.get("$ref", "").rpartition("/")[2], each)
        if properties := model.get("properties"):
            return dict(properties)
    return {field.alias: schema}
