"""The page of the HTTP API, from the application's OpenAPI description."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tools.reference.markdown import code, codes, sentence, table

Json = Mapping[str, Any]
_METHODS: Final = ("get", "post", "put", "patch", "delete")


def page(openapi: Json) -> str:
    """The whole page."""
    parts = [_HEAD]
    for path, operations in sorted(openapi["paths"].items()):
        for method in [method for method in _METHODS if method in operations]:
            parts += _operation(path, method, operations[method])
    parts.append("## Objects")
    for name, schema in sorted(openapi["components"]["schemas"].items()):
        parts += _object(name, schema)
    return "\n\n".join(parts) + "\n"


def _operation(path: str, method: str, operation: Json) -> Iterator[str]:
    yield f"## `{method.upper()} {path}`"
    yield sentence(operation.get("description") or operation.get("summary", ""))
    parameters = [
        (code(each["name"]), each["in"], _type(each["schema"]), each.get("description", ""))
        for each in operation.get("parameters", ())
    ]
    if parameters:
        yield table(("parameter", "in", "type", "meaning"), parameters)
    body = operation.get("requestBody", {}).get("content", {})
    if body:
        yield f"Body: {_content(body)}."
    yield table(
        ("status", "meaning", "body"),
        [
            (code(status), each["description"], _content(each.get("content", {})))
            for status, each in _responses(operation)
        ],
    )


def _responses(operation: Json) -> list[tuple[str, Json]]:
    return sorted(operation["responses"].items())


def _content(content: Json) -> str:
    return ", ".join(_type(each["schema"]) if each.get("schema") else code(kind) for kind, each in content.items())


def _object(name: str, schema: Json) -> Iterator[str]:
    yield f"### `{name}`"
    if schema.get("description"):
        yield sentence(schema["description"].split("\n\nAttributes:")[0])
    fields = [
        (code(field), _type(each), each.get("description", "")) for field, each in schema.get("properties", {}).items()
    ]
    yield table(("field", "type", "meaning"), fields) or codes(schema.get("enum", ()))


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[`{name}`](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return codes(schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return " ".join(filter(None, (schema.get("type", "any value"), _limits(schema))))


def _limits(schema: Json) -> str:
    words = {"format": "{}", "minimum": "from {}", "maximum": "to {}", "maxLength": "of at most {} characters"}
    return " ".join(words[name].format(schema[name]) for name in words if name in schema)


_HEAD: Final = """# HTTP API

Errors are `application/problem+json` (RFC 9457) with a sentence and the trace id. With `OPS_TOKEN` set, all endpoints but the probes and
the lists of reviews and orders need `Authorization: Bearer …`.

`GET /docs` shows the API to try out, by the files of `/docs/{asset}`; `GET /openapi.json` is its description.

`make reference` makes this page from `/openapi.json`."""
