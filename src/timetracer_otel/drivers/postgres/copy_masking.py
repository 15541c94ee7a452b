"""Secrets in the data of COPY: by column names where the statement has them, and by pattern in all of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from timetracer_otel.cassette.model import Payload
from timetracer_otel.drivers.postgres.clean import column_rules
from timetracer_otel.drivers.postgres.stand_ins import known_rule, octets
from timetracer_otel.redaction import Redactor, counting
from timetracer_otel.wire.postgres.statements import remembered
from timetracer_otel.wire.postgres.tokens import Token, code

NULL: Final = "\\N"


@dataclass(frozen=True, slots=True)
class CopyStatement:
    """`columns` are those that the statement names itself; none where it leaves them to the table."""

    columns: tuple[str, ...]
    is_csv: bool
    delimiter: str


@remembered
def copy_statement(sql: str) -> CopyStatement:
    """What COPY says of its columns and their form."""
    words = code(sql)
    at = next((at for at, word in enumerate(words) if word.text == "("), None)
    options = next((at for at, word in enumerate(words) if word.upper in ("FROM", "TO") and _depth(words, at) == 0), 0)
    columns = _columns(words, at) if at is not None and at < options else ()
    form = [word.upper or word.text.strip("'").upper() for word in words[options:]]
    is_csv = "CSV" in form
    given = form.index("DELIMITER") + 1 if "DELIMITER" in form else 0
    value = next((word.text for word in words[options + given :] if word.text.startswith(("'", "E'"))), "")
    delimiter = value[value.find("'") + 1 :].removesuffix("'").replace("\\t", "\t") if given else ""
    return CopyStatement(columns, is_csv, delimiter if len(delimiter) == 1 else "," if is_csv else "\t")


def _depth(words: Sequence[Token], at: int) -> int:
    return sum((word.text == "(") - (word.text == ")") for word in words[:at])


def _columns(words: Sequence[Token], at: int) -> tuple[str, ...]:
    """The last name of each item: a column, or what a query calls it."""
    items: list[str] = [""]
    depth = 0
    for word in words[at:]:
        depth += (word.text == "(") - (word.text == ")")
        if depth == 0 or (depth == 1 and word.upper == "FROM"):
            break
        if depth == 1 and word.text == ",":
            items.append("")
        elif depth == 1 and word.identifier is not None:
            items[-1] = word.identifier
    return tuple(items)


def mask_copy(copy: Payload, sql: str, path: str, redactor: Redactor) -> tuple[Payload, tuple[str, ...]]:
    """`copy` of a request or a result without secrets, and the paths that hold a marker now."""
    data = cast("Sequence[str | bytes]", copy.get("data") or ())
    mask = _masker(sql, bool(copy.get("format")), redactor)
    masked = [mask(piece) for piece in data]
    changed: dict[str, Any] = {"data": masked} if masked != list(data) else {}
    paths = [f"{path}.data[{at}]" for at, piece in enumerate(data) if masked[at] != piece]
    if isinstance(failed := copy.get("failed"), str) and (cleaned := redactor.text(failed)) != failed:
        changed["failed"] = cleaned
        paths.append(f"{path}.failed")
    return ({**copy, **changed} if changed else copy), tuple(paths)


def _masker(sql: str, is_binary: bool, redactor: Redactor) -> Callable[[str | bytes], str | bytes]:
    statement = copy_statement(sql)
    found = column_rules(statement.columns, redactor.rule_of)
    rules = {at: rule for at, rule in enumerate(found) if rule is not None}
    looks_closely = bool(rules) or bool(redactor.known())
    if is_binary:
        return lambda piece: _binary(octets(piece), rules, looks_closely, redactor)
    if not looks_closely:
        return lambda piece: redactor.text(piece) if isinstance(piece, str) else redactor.data(piece)
    return lambda piece: _lines(piece, statement, rules, redactor)


def _lines(piece: str | bytes, statement: CopyStatement, rules: Mapping[int, str], redactor: Redactor) -> str | bytes:
    """Of text or CSV; where bytes are no UTF-8 they stay bytes."""
    text = piece if isinstance(piece, str) else piece.decode("utf-8", "surrogateescape")
    lines = text.splitlines(keepends=True) if statement.is_csv else text.split("\n")
    joint = "" if statement.is_csv else "\n"
    masked = redactor.text(joint.join(_line(line, statement, rules, redactor) for line in lines))
    return masked if isinstance(piece, str) else masked.encode("utf-8", "surrogateescape")


def _line(line: str, statement: CopyStatement, rules: Mapping[int, str], redactor: Redactor) -> str:
    content = line.rstrip("\r\n")
    if not content or content == "\\.":
        return line
    if statement.is_csv and '"' in content:
        return _quoted(content, statement, rules, redactor) + line[len(content) :]
    cells = content.split(statement.delimiter)
    return statement.delimiter.join(_masked(cells, rules, redactor)) + line[len(content) :]


def _quoted(content: str, statement: CopyStatement, rules: Mapping[int, str], redactor: Redactor) -> str:
    cells = next(csv.reader([content], delimiter=statement.delimiter), [])
    masked = _masked(cells, rules, redactor)
    if masked == cells and (len(cells) >= len(statement.columns) or not rules):
        return content
    if rules and len(cells) < len(statement.columns):  # a value goes on in the next line: nobody knows which
        return redactor.marker(next(iter(rules.values())), content)
    written = io.StringIO()
    csv.writer(written, delimiter=statement.delimiter, lineterminator="").writerow(masked)
    return written.getvalue()


def _masked(cells: Sequence[str], rules: Mapping[int, str], redactor: Redactor) -> list[str]:
    return [_cell(cell, rules.get(at), redactor) for at, cell in enumerate(cells)]


def _cell(cell: str, named: str | None, redactor: Redactor) -> str:
    rule = counting(named, cell) or known_rule(cell, redactor)
    return cell if rule is None or cell in ("", NULL) else redactor.marker(rule, cell)


def _binary(piece: bytes, rules: Mapping[int, str], looks_closely: bool, redactor: Redactor) -> bytes:
    """One row; the header may stand before it. Lengths are those of the markers."""
    is_suspicious = redactor.suspicious(piece)
    if not looks_closely and not is_suspicious:
        return piece
    start = 19 if piece.startswith(b"PGCOPY\n") else 0
    count = int.from_bytes(piece[start : start + 2], "big", signed=True)
    parts, at = [piece[: start + 2]], start + 2
    for column in range(max(count, 0)):
        size = int.from_bytes(piece[at : at + 4], "big", signed=True)
        cell = piece[at + 4 : at + 4 + max(size, 0)]
        rule = counting(rules.get(column), cell) or known_rule(cell, redactor)
        masked = redactor.data(cell) if is_suspicious else cell
        if rule is not None and cell:
            masked = redactor.marker(rule, cell).encode()
        parts += [piece[at : at + 4] if masked == cell else len(masked).to_bytes(4, "big"), masked]
        at += 4 + max(size, 0)
    return redactor.data(b"".join([*parts, piece[at:]]))
