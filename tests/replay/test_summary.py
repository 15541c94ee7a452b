"""What came of many replays, in the four forms in which it is given out. The files in `golden/` are read by people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.replay.recordings import asked, by, exchange, segment, session
from tests.replay.test_report import ENTRY, ORDER, WHOLE, missed, replayed, report
from timetracer_otel.cassette.escaping import is_hidden
from timetracer_otel.replay.junit import render_junit
from timetracer_otel.replay.markdown import LENGTH_MAX, code, render_markdown
from timetracer_otel.replay.report import Miss, Report
from timetracer_otel.replay.summary import Result, Summary, ordered
from timetracer_otel.replay.summary_text import render_all
from timetracer_otel.replay.text import render

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = (
    "`</code>\x1b[2J``` @team #1 ![x](http://evil.example/x.png) <img src=x onerror=y> | \n\n# ]]>&amp;\ud800\ufffe"
)


def incomplete() -> Report:
    cut = exchange(1, dropped={"reason": "limit", "size": 99})
    source, log = session(cut)
    source.take(asked(), by())
    source.miss(asked(), by())
    log.write("outcome", recorded={}, replayed={})
    return report(segment(ENTRY, cut), log.events)


def swallowed() -> Report:
    """R33: the app has answered as recorded all the same."""
    source, log = session(ORDER)
    source.miss(asked(parameters=["43"]), by())
    log.write("outcome", recorded={"status": 500}, replayed={"status": 500})
    log.write("comparison", differences=[], ignored=[{"path": "headers.date", "reason": "minted per response"}])
    log.write("mapping", kind="ObjectId", recorded="1a", replayed="2b")
    log.write("redacted", exchange="p-1", path="result.rows[0].token")
    log.write("uncontrolled", text="native sockets")
    return report(segment(ENTRY, ORDER), log.events)


SUMMARY = Summary(
    ordered(
        [
            Result("7f3a0000/52fd0000", report(WHOLE, replayed()), duration_s=1.5),
            Result("7f3a0000/11110000", report(WHOLE, missed()), duration_s=2.25),
            Result("7f3a0000/22220000", swallowed(), duration_s=2.0),
            Result("cassettes/torn.cassette.json", problem="cassettes/torn.cassette.json: it is cut off; record again"),
            Result("7f3a0000/33330000", incomplete(), duration_s=1.0),
        ]
    ),
    left_out=2,
    not_run=1,
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("summary.txt", render_all(SUMMARY, 12.5)),
        ("summary.md", render_markdown(SUMMARY)),
        ("summary.xml", render_junit(SUMMARY).decode()),
        ("summary.json", json.dumps(SUMMARY.to_json(), indent=2) + "\n"),
    ],
    ids=["text", "markdown", "junit", "json"],
)
def test_the_report_is_as_it_was(name: str, text: str) -> None:
    assert text == (GOLDEN / name).read_text("utf-8")


@pytest.mark.parametrize(
    ("endings", "code"), [("dfis", 1), ("fis", 2), ("is", 3), ("s", 0), ("", 0)], ids=lambda each: str(each) or "none"
)
def test_the_exit_code_is_that_of_the_worst(endings: str, code: int) -> None:
    results = {
        "d": Result("d", report(WHOLE, missed())),
        "f": Result("f", problem="torn"),
        "i": Result("i", incomplete()),
        "s": Result("s", report(WHOLE, replayed())),
    }
    assert Summary(ordered(results[each] for each in reversed(endings))).exit_code == code


# ---- hostile names ---------------------------------------------------------------------------------------------------


def hostile(text: str) -> Summary:
    request = {"lib": text, "method": text, "url": text, "text": text, "values": [text]}
    different = {"path": text, "recorded": text, "asked": text}
    miss = Miss(request, text, text, {"exchange": text, "text": text, "values": [], "used": False}, (different,), text)
    told = Report(
        *(text, text, "deviates", text, text, (miss,)),
        differences=({"path": text, "recorded": text, "replayed": text, "consequent": False},),
        unused=({**request, "exchange": text, "consequent": False},),
        uncontrolled=(text,),
        reasons=(text,),
        traceback=text,
    )
    return Summary((Result(text, told), Result(text, problem=text)))


def tokens(markdown: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").parse(markdown):
        yield token
        yield from token.children or ()


def assert_harmless(text: str) -> None:
    """Nothing of it is markup: outside of code there are our own words alone."""
    markdown, plain = render_markdown(hostile(text)), render_markdown(hostile("x"))
    skeleton = [each.type for each in tokens(plain)]
    assert [each.type for each in tokens(markdown)] == skeleton
    html = [each.content for each in tokens(markdown) if each.type.startswith("html")]
    assert [each.count("<") for each in html] == [
        each.content.count("<") for each in tokens(plain) if "html" in each.type
    ]
    assert not any(map(is_hidden, markdown.replace("\n", "")))
    parsed = ElementTree.fromstring(render_junit(hostile(text)))
    assert [each.tag for each in parsed.iter()] == [
        *("testsuites", "testsuite", "testcase", "failure", "testcase", "error")
    ]


def test_hostile_names_are_harmless_in_markdown_and_xml() -> None:
    assert_harmless(HOSTILE)


@given(st.text(st.sampled_from("`~\\<>&\"'@#[]()!|*_-+1. \t\r\n\x00\u2028\ufffe\ud800a"), min_size=1, max_size=20))
def test_no_text_is_markup(text: str) -> None:
    assert_harmless(text)


@given(st.text(st.sampled_from("` a"), min_size=1))
def test_a_code_span_shows_the_text(text: str) -> None:
    line = " ".join(text.split())
    (shown,) = [each for each in tokens(code(text)) if each.type == "code_inline"]
    assert shown.content.strip() == line


def test_markdown_is_no_longer_than_a_comment_may_be() -> None:
    many = Summary(tuple(Result(f"{n}", report(WHOLE, missed())) for n in range(500)))
    text = render_markdown(many)
    assert len(text) < LENGTH_MAX + 1000
    assert text.splitlines()[-1].startswith("and ")
    assert len(render_all(many, 1.0)) < 60_000


def test_the_text_of_one_is_cut_too() -> None:
    long = [exchange(n, f"SELECT {n} FROM {'t' * 900}", []) for n in range(1, 60)]
    one = Summary((Result("x", report(segment(ENTRY, *long), replayed(taken=()))),))
    assert len(render_markdown(one)) < 20_000


def test_the_folder_whose_code_ran_is_told_once_also_where_all_is_the_same() -> None:
    """A second checkout would be taken for the one that was tested."""
    elsewhere = replace(report(WHOLE, replayed()), folder="/srv/shop")
    told = "ran the code of /srv/shop, where it was recorded, not of the current folder: --app runs what is here"
    assert told in render(elsewhere).splitlines()
    results = tuple(Result(f"7f3a0000/{number}", elsewhere) for number in range(3))
    assert render_all(Summary(results), 1.0).splitlines()[-2:] == ["3 replayed in 1.0 s: 3 same", told]
    assert elsewhere.to_json()["folder"] == "/srv/shop"
