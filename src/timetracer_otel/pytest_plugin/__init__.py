"""pytest's plugin: a marked test is recorded into a cassette of its own, and replayed from it without a server.

This module is loaded by every pytest of an environment that has us: what records and replays is imported by the first
marked test.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from timetracer_otel.errors import TimetracerError
from timetracer_otel.pytest_plugin import marks, modes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from timetracer_otel.pytest_plugin.running import Running

BAD_USAGE: Final = 2
DEVIATES: Final = 1
STRAYS: Final = "timetracer_strays"
MODE: Final = pytest.StashKey[modes.Mode]()
TEST: Final = pytest.StashKey["Running"]()
HAS_PASSED: Final = pytest.StashKey[bool]()
CURRENT: Final = pytest.StashKey["Running | None"]()
TESTS: Final = pytest.StashKey["list[tuple[str, Running]]"]()
"""Those that have ended."""
TOLD: Final = pytest.StashKey["list[str]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("timetracer")
    words = "replay: from cassettes, without a server (default); missing: record those without a cassette; "
    group.addoption(
        modes.OPTION,
        "--timetracer-mode",
        dest="timetracer_mode",
        metavar="|".join(modes.MODES),
        help=f"What to do with marked tests. {words}record: record all anew; off: run them as they are.",
    )
    parser.addini(modes.INI, "What to do with marked tests, as --timetracer.", default="")
    parser.addini(marks.FOLDER_INI, "Folder of cassettes, beside the file of each test.", default="cassettes")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", marks.MARKER)
    with _as_bad_usage():
        option, ini = config.getoption("timetracer_mode"), str(config.getini(modes.INI))
        config.stash[MODE] = modes.mode(option, ini, os.environ)
    config.stash[TESTS], config.stash[TOLD], config.stash[CURRENT] = [], [], None


@contextmanager
def _as_bad_usage() -> Iterator[None]:
    try:
        yield
    except TimetracerError as error:
        pytest.exit(f"timetracer: {error}", returncode=BAD_USAGE)


@contextmanager
def _as_failure() -> Iterator[None]:
    try:
        yield
    except (TimetracerError, OSError) as error:
        raise pytest.fail.Exception(f"timetracer: {error}", pytrace=False) from None


# ---- one test --------------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    try:
        return (yield)
    finally:  # an interrupt leaves out the teardown
        _end(item, has_passed=False)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """After pytest has looked whether the test is to be skipped, before it makes fixtures."""
    mode = item.config.stash[MODE]
    if mode == "off" or not marks.is_marked(item):
        return
    from timetracer_otel.pytest_plugin.running import running

    with _as_failure():
        test = running(item, mode)
        item.stash[TEST], item.stash[HAS_PASSED] = test, True
        item.config.stash[CURRENT] = test
        test.begin()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    test = item.stash.get(TEST, None)
    if test is None:
        return (yield)
    from timetracer_otel.pytest_plugin.running import in_context, misses

    with _with_function(item, lambda function: in_context(function, test)):
        try:
            result = yield
        except BaseException:
            if text := misses(test):
                item.add_report_section("call", "timetracer", text)
            raise
    if text := misses(test):
        pytest.fail(text, pytrace=False)
    return result


@contextmanager
def _with_function(item: Any, changed: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """`item` is any: not every kind of test has a function."""
    original = getattr(item, "obj", None)
    if original is None:
        yield
        return
    item.obj = changed(original)
    try:
        yield
    finally:
        item.obj = original


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    has_passed = False
    try:
        result = yield
        has_passed = item.stash.get(HAS_PASSED, False)
    finally:
        text = _end(item, has_passed)
    if text and has_passed:
        pytest.fail(text, pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not report.passed:
        item.stash[HAS_PASSED] = False
    return report


def _end(item: pytest.Item, has_passed: bool) -> str:
    """What is to be said of a replay that is over; empty if all was as recorded."""
    test = item.stash.get(TEST, None)
    if test is None:
        return ""
    del item.stash[TEST]
    item.config.stash[CURRENT] = None
    from timetracer_otel.pytest_plugin.running import verdict

    item.config.stash[TESTS].append((item.nodeid, test))
    with _as_failure():
        test.end(has_passed)
    return verdict(test)


@pytest.fixture
def timetracer(request: pytest.FixtureRequest) -> Running | None:
    """The recording or replay of this test: `mode`, `cassette`, `report()`; None with --timetracer=off."""
    test: Running | None = request.node.stash.get(TEST, None)
    return test


# ---- fixtures that tests share ---------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Which test makes them, and which ends them, depends on what runs: they have cassettes of their own."""
    test = request.config.stash.get(CURRENT, None)
    if test is None or fixturedef.scope == "function":
        return (yield)
    name, undo = fixturedef.argname, ExitStack()
    fixturedef.addfinalizer(undo.close)  # the first to be added is the last to be called
    with _as_failure(), test.beside(marks.mark_of_fixture(request, name, "set-up")):
        result = yield
    fixturedef.addfinalizer(lambda: undo.enter_context(_tearing_down(request, name)))
    return result


@contextmanager
def _tearing_down(request: pytest.FixtureRequest, name: str) -> Iterator[None]:
    from timetracer_otel.pytest_plugin.running import by_itself

    config, mark = request.config, marks.mark_of_fixture(request, name, "teardown")
    test = config.stash[CURRENT]
    with _as_failure(), test.beside(mark) if test is not None else by_itself(mark, config.stash[MODE]):
        yield


# ---- what outlived its test ------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A thread that outlived its test has missed: the run fails, in the name of that test."""
    config = session.config
    told = config.stash[TOLD]
    told += [f"{name}: after its end  {text}" for name, test in config.stash[TESTS] for text in test.strays()]
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output[STRAYS] = told
    elif told and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = DEVIATES


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """xdist: a worker has ended."""
    node.config.stash[TOLD].extend(getattr(node, "workeroutput", {}).get(STRAYS, ()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.stash[TOLD]:
        terminalreporter.section("timetracer: asked by threads that outlived their test", red=True)
        for line in config.stash[TOLD]:
            terminalreporter.line(line)
