"""How does the interface describe itself?  As an OpenAPI 3.1 document, made of the rows and models it works by."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.operations.operation import Change, Operation, Read
from gateway.operations.problem import MEDIA_TYPE

_REFERENCE: Final = "#/components/schemas/{model}"

_PROBLEM: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "A refusal (RFC 9457).",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What a person can do about it."},
        "faults": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["at", "words"],
                "properties": {
                    "at": {"type": "string", "description": "Where: a JSON pointer."},
                    "words": {"type": "string"},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}

_REFUSALS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.UNAUTHORIZED: "No token, or none that is good.",
    HTTPStatus.FORBIDDEN: "Of your own enterprise, but your roles do not give the right to it.",
    HTTPStatus.NOT_FOUND: "There is no such thing, or it is not yours: the answer is the same.",
    HTTPStatus.CONFLICT: "As things stand it cannot be.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Something in the request is never right.",
    HTTPStatus.REQUEST_TIMEOUT: "The request did not come whole in time.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The address and the headers are too long.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Temporary trouble here; ask again.",
}

_OF_BODIES: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.BAD_REQUEST: "The body is not JSON.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of another media type.",
}


def describe(operations: Iterable[Operation]) -> dict[str, Any]:
    """The document for ``operations``."""
    rows = tuple(operations)
    references, schemas = models_json_schema(
        [(model, mode) for row in rows for model, mode in _models(row)], ref_template=_REFERENCE
    )
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        method = "get" if isinstance(row, Read) else row.method.lower()
        paths.setdefault(row.path, {})[method] = _operation(row, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Register of the batch gateway",
            "version": version("batch-gateway"),
            "description": "Who may send what for whom. Every act is judged by the rights of the token's person.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**schemas["$defs"], "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _models(row: Operation) -> list[tuple[type[BaseModel], Any]]:
    told = (row.told, "serialization")
    return [told, (row.body, "validation")] if isinstance(row, Change) else [told]


def _operation(row: Operation, references: Mapping[Any, Any]) -> dict[str, Any]:
    refusals = {**_REFUSALS, **(_OF_BODIES if isinstance(row, Change) else {})}
    described: dict[str, Any] = {
        "operationId": row.name,
        "summary": row.summary,
        "tags": [row.path.split("/")[2]],
        "parameters": _parameters(row),
        "responses": {
            str(HTTPStatus.OK.value): {
                "description": "Done." if isinstance(row, Change) else "What was asked.",
                "content": {"application/json": {"schema": references[row.told, "serialization"]}},
            },
            **{
                str(code.value): {
                    "description": words,
                    "content": {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}},
                }
                for code, words in refusals.items()
            },
        },
    }
    if isinstance(row, Change):
        schema = references[row.body, "validation"]
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _parameters(row: Operation) -> list[dict[str, Any]]:
    schema = row.place.model_json_schema()
    in_path = set(re.findall(r"{(\w+)}", row.path))
    return [
        {
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": name in in_path or name in schema.get("required", ()),
            "schema": _inlined(_without_null(facts), schema.get("$defs", {})),
        }
        for name, facts in schema.get("properties", {}).items()
    ]


def _without_null(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a parameter may be; that it may be left out is said elsewhere."""
    kept = {key: value for key, value in facts.items() if key not in {"anyOf", "title"}}
    if kept.get("default", ...) is None:
        del kept["default"]
    kinds = [kind for kind in facts.get("anyOf", ()) if kind.get("type") != "null"]
    return {**kept, **kinds[0]} if len(kinds) == 1 else {**kept, **({"anyOf": kinds} if kinds else {})}


def _inlined(facts: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    reference = facts.get("$ref")
    if reference is None:
        return dict(facts)
    return {**definitions[reference.rpartition("/")[2]], **{key: facts[key] for key in facts if key != "$ref"}}
