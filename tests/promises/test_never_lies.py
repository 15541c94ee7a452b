"""Design §12, *never lies*: whatever one value of a recording is changed, the replay of the unchanged app notices.

Each mutant is found once: by the one request or the one field that was changed. What follows from that is marked so.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.demonstration import ROOT, environment
from tests.launching import SPARED
from tests.promises import mutants
from tests.promises.conftest import Recorded
from tests.promises.forks import Farm
from tests.promises.mutants import Mutant
from tests.promises.running import findings, replay
from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.store import save_bundle

pytestmark = pytest.mark.postgres

PATH = "/payments"
SHOWN = {
    ("INSERT", "id", 0): "body.$.payment.id",
    ("INSERT", "payer", 0): "body.$.payment.payer",
    ("INSERT", "amount", 0): "body.$.payment.amount",
    ("INSERT", "fee", 0): "body.$.payment.fee",
    ("INSERT", "settled", 0): "body.$.payment.settled",
    ("INSERT", "due", 0): "body.$.payment.due",
    ("INSERT", "reference", 0): "body.$.payment.reference",
    ("INSERT", "note", 0): "body.$.payment.note",
    ("INSERT", "tags", 0): "body.$.payment.tags[1]",
    ("INSERT", "seal", 0): "body.$.payment.seal",
    ("UPDATE", "balance", 0): "body.$.accounts.moved[0].balance",
    ("SELECT", "payer", 0): "body.$.late[0].payer",
}


Judge = Callable[..., dict[str, dict[str, Any]]]
"""Of mutants of the recorded payment, or of another request."""


@pytest.fixture(scope="module")
def farm(request: pytest.FixtureRequest) -> Iterator[Farm]:
    farm = Farm(6 if request.config.getoption("--long") else 3, ROOT, environment(PYTHONPATH=str(ROOT), **SPARED))
    yield farm
    farm.stop()


@pytest.fixture(scope="module")
def judge(farm: Farm, recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Name of each mutant -> the report on it."""
    folder, numbers = tmp_path_factory.mktemp("mutants"), itertools.count()

    def judge(chosen: Iterable[Mutant], path: str = PATH) -> dict[str, dict[str, Any]]:
        cassette, tried = recorded.cassettes[path][0], list(chosen)
        paths = [save_bundle(each.of(cassette), folder / f"{next(numbers)}.cassette.json") for each in tried]
        return dict(zip([each.name for each in tried], farm.replay(paths), strict=True))

    return judge


@pytest.fixture(scope="module")
def payment(recorded: Recorded) -> Segment:
    return recorded.cassettes[PATH][1]


Chosen = TypeVar("Chosen")


class Some(Protocol):
    def __call__(self, mutants: Iterable[Chosen]) -> list[Chosen]: ...


@pytest.fixture
def some(rounds: Callable[[int], int]) -> Some:
    """Of mutants that cost a process each, every tenth, and with `--long` all. That a changed request is found,
    `test_mixed_mutants` shows in one process; these show what becomes of it on the way to the report."""
    step = 10 // rounds(10)
    return lambda mutants: list(mutants)[::step]


def test_the_recording_as_it_is_replays_the_same(farm: Farm, recorded: Recorded, tmp_path: Path) -> None:
    """The control: it is the mutation that is found."""
    cassette, _ = recorded.cassettes[PATH]
    (report,) = farm.replay([_saved(cassette, tmp_path)])
    assert (report["verdict"], findings(report)) == ("same", [])


@pytest.mark.long
def test_each_changed_request_is_exactly_one_finding(payment: Segment, judge: Judge, some: Some) -> None:
    every = list(mutants.of_requests(payment))
    found = judge(some(every))
    assert len(every) == (11 + 2 + 2 + 4) + (4 + 2)
    assert {name: report["verdict"] for name, report in found.items()} == dict.fromkeys(found, "deviates")
    assert {name: report for name, report in found.items() if len(findings(report)) != 1} == {}


@pytest.mark.long
def test_each_request_that_is_not_recorded_is_exactly_one_finding(payment: Segment, judge: Judge, some: Some) -> None:
    every = list(mutants.without(payment))
    found = judge(some(every))
    assert len(every) == 5
    assert {name: len(findings(report)) for name, report in found.items()} == dict.fromkeys(found, 1)


def test_a_changed_parameter_is_a_miss_that_names_it(payment: Segment, judge: Judge) -> None:
    exchange = next(each for each in mutants.queries(payment) if str(each.request["statement"]).startswith("INSERT"))
    (report,) = judge([mutants.parameter(exchange, 1, "zoe")]).values()
    (miss,) = findings(report)
    assert miss["differences"] == [{"path": "parameters[1]", "recorded": "zoe", "asked": "ming"}]
    assert miss["nearest"]["exchange"] == exchange.id


def test_a_changed_parameter_of_one_of_several_equal_requests_is_one_finding(recorded: Recorded, judge: Judge) -> None:
    """The other one answers, since requests match by content; so it is the last of them that misses."""
    asked = [each for each in mutants.queries(recorded.cassettes["/later"][1]) if "SELECT" in str(each.request)]
    assert [each.request["parameters"] for each in asked] == [["ming"], ["zoe"], ["ming"]]
    found = judge((mutants.parameter(each, 0, "max") for each in asked), "/later")
    assert {name: len(findings(report)) for name, report in found.items()} == dict.fromkeys(found, 1)


def test_a_recorded_rollback_does_not_answer_a_commit(payment: Segment, judge: Judge) -> None:
    (report,) = judge(each for each in mutants.of_requests(payment) if "COMMIT -> ROLLBACK" in each.name).values()
    (miss,) = findings(report)
    assert miss["request"]["text"] == "COMMIT"


@pytest.mark.long
def test_each_changed_field_of_the_response_is_exactly_that_difference(
    payment: Segment, judge: Judge, some: Some
) -> None:
    every = list(mutants.of_response(payment))
    expected = {mutant.name: path for mutant, path in some(every)}
    found = judge(mutant for mutant, _ in some(every))
    assert len(every) > 20
    assert {name: _paths(report) for name, report in found.items()} == {name: [path] for name, path in expected.items()}


@pytest.mark.long
def test_each_changed_value_of_an_answer_is_a_difference_where_the_response_shows_it(
    payment: Segment, judge: Judge, some: Some
) -> None:
    chosen = some(mutants.of_answers(payment, SHOWN))
    expected = {mutant.name: path for mutant, path in chosen}
    found = judge(mutant for mutant, _ in chosen)
    assert {name: _paths(report) for name, report in found.items()} == {name: [path] for name, path in expected.items()}


def test_each_changed_field_of_an_error_is_a_difference_of_the_exception(recorded: Recorded, judge: Judge) -> None:
    segment = recorded.cassettes["/fail"][1]
    expected = {mutant.name: path for mutant, path in mutants.of_errors(segment)}
    found = judge((mutant for mutant, _ in mutants.of_errors(segment)), "/fail")
    assert {name: _paths(report)[0] for name, report in found.items()} == expected


# ---- beside generated values -----------------------------------------------------------------------------------------


def test_each_changed_id_or_moment_is_exactly_one_finding_though_the_app_made_it(
    recorded: Recorded, judge: Judge
) -> None:
    segment = recorded.cassettes["/visits"][1]
    insert, select = mutants.queries(segment)
    ids: Any = insert.request["parameters"]
    chosen = [
        mutants.parameter(insert, 0, mutants.other(ids[0])),
        mutants.parameter(insert, 0, ids[1]),
        mutants.parameter(insert, 1, ids[0]),
        mutants.parameter(insert, 2, _a_day_later(ids[2])),
        mutants.parameter(select, 0, ids[1]),
        mutants.parameter(select, 0, mutants.other(ids[0])),
    ]
    found = judge(chosen, "/visits")
    assert {name: len(findings(report)) for name, report in found.items()} == dict.fromkeys(found, 1)


def _a_day_later(moment: Any) -> Any:
    if isinstance(moment, bytes):  # microseconds
        return (int.from_bytes(moment, "big", signed=True) + 86_400_000_000).to_bytes(8, "big", signed=True)
    later = dt.datetime.fromisoformat(moment) + dt.timedelta(days=1)
    return str(later)


def test_ids_made_at_another_place_are_mapped_and_listed(recorded: Recorded, tmp_path: Path) -> None:
    found = replay(recorded.trace("/visits"), tmp_path, MOVED="1")
    assert (found.verdict, found.findings) == ("same", [])
    assert [each["kind"] for each in found.report["mappings"]].count("uuid4") >= 2


@pytest.mark.parametrize("moved", [{}, {"MOVED": "1"}])
def test_an_id_where_another_one_was_is_a_miss(moved: dict[str, str], recorded: Recorded, tmp_path: Path) -> None:
    """Both were made here, now and then; mapping one to the other would hide that the code takes the wrong one."""
    found = replay(recorded.trace("/visits"), tmp_path, CROSSED="1", **moved)
    assert (found.status, found.verdict) == (1, "deviates")
    (miss,) = found.report["misses"]
    assert [each["path"] for each in miss["differences"]] == ["parameters[0]"]


def _paths(report: dict[str, Any]) -> list[str]:
    """Of the differences; anything else that deviates stands for itself."""
    assert report["verdict"] == "deviates"
    return [each.get("path", str(each)) for each in findings(report)]


@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_value_of_any_parameter_is_taken_for_another(payment: Segment, judge: Judge, data: st.DataObject) -> None:
    """Several at a time: each example is one parameter with values drawn for it."""
    exchange = data.draw(st.sampled_from([each for each in mutants.queries(payment) if each.request.get("parameters")]))
    parameters: Any = exchange.request["parameters"]
    index = data.draw(st.integers(0, len(parameters) - 1))
    drawn = data.draw(st.lists(_another(parameters[index]), min_size=3, max_size=3, unique=True))
    for report in judge(mutants.parameter(exchange, index, value) for value in drawn).values():
        (finding,) = findings(report)
        assert [each["path"] for each in finding["differences"]] == [f"parameters[{index}]"]


def _another(value: Any) -> st.SearchStrategy[Any]:
    """Of the same length where the type has one: what PostgreSQL could have been sent."""
    if isinstance(value, bytes):
        return st.binary(min_size=len(value), max_size=len(value)).filter(lambda drawn: drawn != value)
    printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
    return printable.filter(lambda drawn: drawn != value)


@pytest.mark.parametrize("kind", ["request", "response"])
def test_the_command_line_exits_with_1_for_a_mutant(kind: str, recorded: Recorded, tmp_path: Path) -> None:
    cassette, segment = recorded.cassettes[PATH]
    mutant = next(mutants.of_requests(segment)) if kind == "request" else next(mutants.of_response(segment))[0]
    found = replay(_saved(mutant.of(cassette), tmp_path), tmp_path)
    assert (found.status, found.verdict, len(found.findings)) == (1, "deviates", 1)


def _saved(cassette: Cassette, folder: Path) -> Path:
    return save_bundle(cassette, folder / "mutant.cassette.json")
