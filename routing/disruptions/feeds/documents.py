"""Bytes of a feed to a tree: bounded, without entities, without any look outside the document."""

import json
from typing import Any
from xml.etree.ElementTree import Element, ParseError  # for types and errors; defusedxml parses

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from core.errors import BadInput, Problem

MAX_BYTES = 5_000_000
"""Largest feed document; real ones stay below a tenth of it."""

MAX_TAGS = 200_000
"""Most tags of an XML document: a tree costs memory by its nodes, not by its bytes."""

MAX_ELEMENTS = 10_000
"""Most items, features or info blocks that are read from one document."""


def xml_root(document: bytes, file: str = "") -> Element:
    """Returns the root element of an XML document.

    Raises `BadInput` for a document that is too large, broken, or that declares a document type
    or an entity: nothing is ever expanded or fetched.
    """
    _check_size(document, file)
    tags = document.count(b"<")
    if tags > MAX_TAGS:
        raise _refusal(file, f"Expected at most {MAX_TAGS:,} XML tags, got {tags:,}.")
    try:
        root: Element = ElementTree.fromstring(document, forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        raise _refusal(file, f"Expected well-formed XML: {error.msg}.", line, column + 1) from error
    except DefusedXmlException as error:
        raise _refusal(
            file, "Refused an XML document that declares a document type or entities."
        ) from error
    except (LookupError, ValueError) as error:
        raise _refusal(file, f"Expected XML in a known encoding: {error}.") from error
    return root


def json_object(document: bytes, file: str = "") -> dict[str, Any]:
    """Returns the object that a JSON document holds; raises `BadInput` for anything else."""
    _check_size(document, file)
    try:
        loaded = json.loads(document, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _refusal(file, f"Expected JSON: {error.msg}.", error.lineno, error.colno) from error
    except (ValueError, RecursionError) as error:
        raise _refusal(
            file, f"Expected JSON of finite numbers and modest depth: {error}."
        ) from error
    if not isinstance(loaded, dict):
        raise _refusal(file, "Expected a JSON object.")
    return loaded


def features(document: bytes, file: str = "") -> list[Any]:
    """Returns the features of a GeoJSON feature collection."""
    collection = json_object(document, file)
    listed = collection.get("features")
    if collection.get("type") != "FeatureCollection" or not isinstance(listed, list):
        raise _refusal(file, "Expected a GeoJSON FeatureCollection with a list of features.")
    return bounded(listed, "features", file)


def bounded(elements: list[Any], what: str, file: str = "") -> list[Any]:
    """Returns the elements; raises `BadInput` when there are more than a feed may hold."""
    if len(elements) > MAX_ELEMENTS:
        raise _refusal(file, f"Expected at most {MAX_ELEMENTS:,} {what}, got {len(elements):,}.")
    return elements


def _check_size(document: bytes, file: str) -> None:
    if len(document) > MAX_BYTES:
        raise _refusal(file, f"Expected at most {MAX_BYTES:,} bytes, got {len(document):,}.")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _refusal(file: str, reason: str, line: int = 0, column: int = 0) -> BadInput:
    return BadInput([Problem(file, line, column, reason)]) if file else BadInput(reason)
