"""A secret that is an object of JSON, as those of databases are: its values are masked, and it stays an object.

Nearly every application begins with `json.loads` of it; a single marker would end its replay there.
"""

from __future__ import annotations

import json
from typing import Any, Final

from timetracer_otel.redaction import Redactor

PLAIN: Final = frozenset(
    {"engine", "host", "port", "username", "dbname", "dbInstanceIdentifier", "dbClusterIdentifier", "masterarn"}
)
"""Members that AWS gives the secret of a database beside its password: where to connect, and as whom."""


def masked(text: str, rule: str, redactor: Redactor) -> str | None:
    """The object with markers for its values, but for those of `PLAIN`, which are masked as any text is; None where it
    is none."""
    if text.lstrip()[:1] != "{":
        return None
    try:
        return json.dumps(_object(json.loads(text), rule, redactor), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def _object(document: dict[str, Any], rule: str, redactor: Redactor) -> dict[str, Any]:
    return {
        name: redactor.value(each, "")[0] if _is_plain(name, each) else _value(each, rule, redactor)
        for name, each in document.items()
    }


def _is_plain(name: str, value: Any) -> bool:
    return name in PLAIN and isinstance(value, (str, int))


def _value(value: Any, rule: str, redactor: Redactor) -> Any:
    if isinstance(value, dict):
        return {name: _value(each, rule, redactor) for name, each in value.items()}
    if isinstance(value, list):
        return [_value(each, rule, redactor) for each in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    return redactor.marker(rule, str(value))
