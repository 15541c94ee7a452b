from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette.samples import ENVIRONMENT_PART, ROOT_PART, TRACE_ID
from tests.cassette.strategies import cassettes, parts
from timetracer_otel.cassette import (
    Cassette,
    EnvironmentPart,
    Part,
    as_json,
    compress,
    dump_environment,
    dump_part,
    load,
    load_bundle,
    load_environment,
    load_part,
    merge,
)
from timetracer_otel.errors import CassetteError, DamagedCassette, UnsupportedVersion

GOLDEN = Path(__file__).parent / "golden"
CASSETTE = merge(TRACE_ID, [ROOT_PART], [ENVIRONMENT_PART])
PART_JSON: dict[str, Any] = orjson.loads(dump_part(ROOT_PART))
BUNDLE_JSON = as_json(CASSETTE)


def problem(data: bytes) -> str:
    with pytest.raises(DamagedCassette) as caught:
        load(data, "there/file")
    assert caught.value.path == "there/file"
    assert str(caught.value).startswith("there/file: not a readable cassette: ")
    assert "\n" not in str(caught.value)
    return caught.value.problem


@given(cassettes())
def test_a_cassette_survives_the_trip_through_a_bundle(cassette: Cassette) -> None:
    assert repr(load_bundle(orjson.dumps(as_json(cassette)), "")) == repr(cassette)


def test_golden_files_of_every_version_give_the_same_cassette() -> None:
    versions = sorted(GOLDEN.iterdir())
    assert [version.name for version in versions] == ["v1"]
    for version in versions:
        assert load_part((version / "part.json").read_bytes(), "p") == ROOT_PART
        assert load_part((version / "part.json.zst").read_bytes(), "p") == ROOT_PART
        assert load_environment((version / "environment.json").read_bytes(), "p") == ENVIRONMENT_PART
        assert load_bundle((version / "bundle.cassette.json").read_bytes(), "") == CASSETTE


def test_each_kind_of_file_is_told_from_the_others() -> None:
    assert load(dump_part(ROOT_PART), "p") == ROOT_PART
    assert load(dump_environment(ENVIRONMENT_PART), "p") == ENVIRONMENT_PART
    assert isinstance(load(orjson.dumps(BUNDLE_JSON), "p"), Cassette)
    with pytest.raises(DamagedCassette, match="it is the environment of a process, not a part of a trace"):
        load_part(dump_environment(ENVIRONMENT_PART), "p")
    with pytest.raises(DamagedCassette, match="it is a part of a trace, not a bundle"):
        load_bundle(dump_part(ROOT_PART), "p")
    with pytest.raises(DamagedCassette, match="it is a bundle, not the environment of a process"):
        load_environment(orjson.dumps(BUNDLE_JSON), "p")


@given(st.binary(max_size=200) | st.binary(max_size=50).map(lambda data: compress(b"{" + data)))
def test_any_bytes_give_a_cassette_error(data: bytes) -> None:
    with pytest.raises(CassetteError):
        load(data, "p")


def mutated(data: bytes, draw: st.DataObject) -> bytes:
    """The same with a few pieces replaced, dropped, doubled or put elsewhere."""
    for _ in range(draw.draw(st.integers(1, 3))):
        start, end = sorted(draw.draw(st.lists(st.integers(0, len(data)), min_size=2, max_size=2)))
        piece = draw.draw(st.binary(max_size=3) | st.sampled_from(MARKS) | st.just(data[start:end]))
        data = data[:start] + piece + data[draw.draw(st.sampled_from([start, start + 1, end])) :]
    return data


MARKS = [
    b"[",
    b"{",
    b'"',
    b",",
    b"\\",
    b"\x00",
    b'"$b64":',
    b'{"$blob":{}}',
    b'{"$map":[]}',
    b"1e999",
    b"-0",
    b"9" * 40,
]


@pytest.mark.parametrize("text", [dump_part(ROOT_PART), orjson.dumps(BUNDLE_JSON)], ids=["part", "bundle"])
@pytest.mark.parametrize("pack", [bytes, compress], ids=["plain", "packed"])
@given(draw=st.data(), is_inside=st.booleans())
def test_r31_a_mutated_file_gives_a_cassette_or_a_cassette_error(
    text: bytes, pack: Callable[[bytes], bytes], draw: st.DataObject, is_inside: bool
) -> None:
    data = pack(mutated(text, draw)) if is_inside else mutated(pack(text), draw)
    loaded: object
    try:
        loaded = load(data, "p")
    except CassetteError as error:
        loaded = error
    assert isinstance(loaded, (Part, EnvironmentPart, Cassette, CassetteError))
    assert not isinstance(loaded, CassetteError) or "\n" not in str(loaded)


def paths(json: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children: list[tuple[str | int, object]] = []
    if isinstance(json, dict):
        children = list(json.items())
    elif isinstance(json, list):
        children = list(enumerate(json))
    return [path, *(found for key, child in children for found in paths(child, (*path, key)))]


def replaced(json: Any, path: tuple[str | int, ...], value: object) -> Any:
    if not path:
        return value
    changed = copy.copy(json)
    changed[path[0]] = replaced(json[path[0]], path[1:], value)
    return changed


any_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda children: st.lists(children, max_size=2) | st.dictionaries(st.text(max_size=3), children, max_size=2),
    max_leaves=4,
)


@pytest.mark.parametrize("document", [PART_JSON, BUNDLE_JSON], ids=["part", "bundle"])
@given(data=st.data())
def test_a_file_with_anything_in_place_of_any_field_is_read_or_refused(document: object, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(paths(document)))
    changed = replaced(document, path, data.draw(any_json))
    try:
        loaded = load(orjson.dumps(changed), "p")
    except CassetteError:
        return
    assert isinstance(loaded, (Part, Cassette))


@given(parts, st.data())
def test_a_file_cut_anywhere_is_refused(part: Part, data: st.DataObject) -> None:
    whole = compress(dump_part(part))
    with pytest.raises(DamagedCassette):
        load(whole[: data.draw(st.integers(0, len(whole) - 1))], "p")


def test_what_is_wrong_is_said_with_its_place() -> None:
    def of(*path: str | int, value: object) -> str:
        return problem(orjson.dumps(replaced(PART_JSON, path, value)))

    assert of("trace_id", value="../../etc") == "trace_id is not 32 hexadecimal digits"
    assert of("trace_id", value=TRACE_ID.upper()) == "trace_id is not 32 hexadecimal digits"
    assert of("segment", value=None) == "segment is null, not text"
    assert of("complete", value=1) == "complete is a whole number, not true or false"
    assert of("part", value=True) == "part is true or false, not a whole number"
    assert of("spans", 0, "start_ns", value=1.5) == "spans[0].start_ns is a number, not a whole number"
    assert of("spans", 0, "end_ns", value=2**63) == "spans[0].end_ns is beyond 64 bits"
    assert of("spans", 1, "kind", value="FOO") == (
        "spans[1].kind is 'FOO', not one of CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER"
    )
    assert of("exchanges", 1, "signature", value=[]) == "exchanges[1].signature is a list, not an object"
    assert of("exchanges", 1, "signature", value={}) == "exchanges[1].signature.lib is missing"
    assert of("exchanges", 1, value="x") == "exchanges[1] is text, not an object"
    assert of("exchanges", 0, "request", value={"$b64": "?"}) == "'?' is not base64"
    assert of("process", "argv", value=["a", 1]) == "process.argv holds a whole number, not only text"
    assert of("process", "packages", value={"a": {"$text": "b"}}) == "process.packages holds bytes, not only text"
    assert of("dropped", value={"limit": "1"}) == "dropped holds text, not only a whole number"


def test_what_is_no_cassette_at_all_is_said() -> None:
    assert problem(b"").startswith("neither JSON nor zstd (")
    assert problem(b"\x89PNG").startswith("neither JSON nor zstd (")
    assert problem(compress(b"{")).startswith("not JSON (")
    assert problem(compress(dump_part(ROOT_PART))[:-9]) == "the end of the file is missing"
    assert problem(b"[]") == "JSON, but not an object"
    assert problem(b'{"name": "package"}') == 'no format version under "timetracer"'
    assert problem(b'{"timetracer": 1}') == "process is missing"
    assert problem(b'{"timetracer": 1, "segments": []}') == "trace_id is missing"


def test_a_bundle_whose_segment_names_an_unknown_process_is_refused() -> None:
    unknown = replaced(BUNDLE_JSON, ("segments", 0, "process"), "00" * 16)
    assert problem(orjson.dumps(unknown)) == f"process {'00' * 16} is not among the processes"


def test_a_newer_format_asks_for_a_newer_release() -> None:
    with pytest.raises(UnsupportedVersion, match="p: cassette format 2, this release reads up to 1"):
        load(b'{"timetracer": 2, "everything": "else"}', "p")


@pytest.mark.parametrize("levels", [300, 5000, 100_000])
def test_deep_nesting_is_refused_wherever_it_stands(levels: int) -> None:
    for opened, closed in (b"[", b"]"), (b'{"a":', b"}"), (b'{"$map":[["a",', b"]]}"):
        bomb = opened * levels + b"1" + closed * levels
        assert problem(bomb)
        assert problem(b'{"timetracer":1,"process":%b}' % bomb)


def test_fields_of_a_later_release_of_the_same_format_are_passed_over() -> None:
    assert load(orjson.dumps({**PART_JSON, "queues": [{"size": 4}]}), "p") == ROOT_PART


TEMPTING: Final[dict[str, Any]] = {
    "py/object": "subprocess.Popen",
    "py/reduce": [{"py/type": "os.system"}, {"py/tuple": ["true"]}],
    "__class__": "builtins.eval",
    "__reduce__": ["os.system", ["true"]],
    "__module__": "os",
    "!!python/object/apply:os.system": ["true"],
    "tag": "!!python/object/apply:os.system ['true']",
    "pickle": {"$b64": "gASVHgAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAR0cnVllIWUUpQu"},
    "path": "../../../../etc/passwd",
    "format": "{0.__class__.__mro__}",
    "template": "${jndi:ldap://127.0.0.1/a}",
}
WATCHED: Final = """
import sys
from timetracer_otel.cassette import as_json, load, merge
from timetracer_otel.cli.describe import describe
from timetracer_otel.cli.forms import in_readable_form

def read(path):
    with open(path, "rb") as file:
        return file.read()

def work(data):
    part = load(data, "p")
    cassette = in_readable_form(merge(part.trace_id, [part]))
    as_json(cassette)
    return part, [describe(each) for each in cassette.segments[0].exchanges]

harmless, tempting = (read(path) for path in sys.argv[1:])
work(harmless)  # imports what it needs
events = []
sys.addaudithook(lambda event, arguments: events.append((event, str(arguments)[:200])))
part, _ = work(tempting)
seen = [each for each in events if not each[0].startswith(("object.", "sys._getframe", "gc."))]
print(seen)
print(sorted({type(value).__name__ for value in part.exchanges[0].result.values()}))
"""


def test_r31_a_file_that_names_python_types_constructs_nothing_but_data(tmp_path: Path) -> None:
    (tmp_path / "harmless").write_bytes(dump_part(ROOT_PART))
    document = replaced(replaced(PART_JSON, ("exchanges", 0, "result"), TEMPTING), ("resource",), TEMPTING)
    (tmp_path / "tempting").write_bytes(orjson.dumps(document))
    command = [sys.executable, "-c", WATCHED, str(tmp_path / "harmless"), str(tmp_path / "tempting")]
    events, types = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert events == "[]"  # nothing was imported, opened, compiled, looked up or run
    assert types == "['bytes', 'list', 'str']"
