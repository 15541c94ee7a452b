"""Requests whose secrets the application checks: replayed with secrets of the user's own in place of the markers.

The server is stopped first, and nobody has any more what was shown when it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import started
from tests.drivers.asgi.websocket.parts import WebSocket
from tests.launching import instrumented
from tests.promises import checked_app
from tests.promises.running import Replayed, cassettes, recording, replay, run, send, service
from tests.servers.postgres import PostgresServer
from timetracer_otel.errors import ReplayError
from timetracer_otel.redaction import MARKER
from timetracer_otel.regression import assert_same

pytestmark = pytest.mark.postgres

APP = "tests.promises.checked_app"
DRIVERS = instrumented("psycopg", "starlette")
RECORDED = {"APP_SECRET": "production's own secret, of 32 bytes", "PARTNER_KEY": "pk-live-0c1d2e3f4a5b6c7d"}
HERE = {"APP_SECRET": "the laptop's own secret, of 32 bytes", "PARTNER_KEY": 'pk-test-"5%/8+9=&a b'}
FORM = b"name=ada&password=correct+horse+battery"
Again = Callable[..., Replayed]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cassette for each route."""
    folder = tmp_path_factory.mktemp("checked")
    postgres = started(PostgresServer)
    variables = recording(folder / "cassettes", APP=f"{APP}:app", DATABASE_URL=postgres.dsn, **RECORDED, **DRIVERS)
    key = RECORDED["PARTNER_KEY"]
    try:
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute(checked_app.SCHEMA)
            salted = checked_app.digest(checked_app.PASSWORD, "salt")
            connection.execute("INSERT INTO accounts VALUES (7, 'ada', 'salt', %s)", [salted])
        with pytest.MonkeyPatch.context() as patch, service(folder / "log", **variables) as url:
            patch.setattr(checked_app, "SECRET", RECORDED["APP_SECRET"])
            cookies = f"theme=dark; session={checked_app.session()}"
            answers = [
                send(url, "/orders", headers={"authorization": f"Bearer {checked_app.token()}"}),
                send(url, "/account", headers={"cookie": cookies}),
                send(url, "/login", "POST", FORM, {"content-type": "application/x-www-form-urlencoded"}),
                send(url, f"/partners?api_key={key}", "POST", {"partner": "acme", "api_key": key}),
            ]
            socket = WebSocket(int(url.rpartition(":")[2]), "/talk")
            socket.say(f'{{"token": "{key}"}}')
            assert socket.hear() == ['{"name":"ada"}']
            socket.rest()
    finally:
        postgres.stop()
    assert [answer.status for answer in answers] == [200] * 4, answers
    return folder / "cassettes"


@pytest.fixture
def again(store: Path, tmp_path: Path) -> Again:
    """Replays the request to this path, with the variables of the laptop."""
    return lambda path, *options, **changed: replay(
        paths(store)[path], tmp_path, *options, **{**DRIVERS, **HERE, **changed}
    )


def paths(store: Path) -> dict[str, str]:
    """Of the cassettes, by route."""
    return {segment.entry.name.split()[-1]: cassette.path for cassette, segment in cassettes(store) if segment.entry}


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/orders", ["--secret", f"authorization={APP}:token()"]),
        ("/account", ["--secret", f"session={APP}:session()", "--secret", "theme=dark"]),
        ("/login", ["--secret", f"password={checked_app.PASSWORD}"]),
        ("/partners", ["--secret", f"api_key={HERE['PARTNER_KEY']}"]),
        ("/talk", ["--secret", f"token={HERE['PARTNER_KEY']}"]),
    ],
)
def test_what_is_behind_the_check_is_replayed_with_a_secret_of_the_users_own(
    again: Again, path: str, options: list[str]
) -> None:
    masked = again(path)
    assert (masked.status, masked.verdict) == (1, "deviates")
    (told,) = (line for line in masked.report["uncontrolled"] if "are masked" in line)
    names = told.rpartition(": ")[2].split(", ")
    assert set(names) == {option.partition("=")[0] for option in options[1::2]}

    found = again(path, *options)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
    (told,) = (line for line in found.report["uncontrolled"] if "you supplied" in line)
    assert set(told.rpartition(": ")[2].split(", ")) == set(names)


def test_another_users_secret_is_found_out_by_what_it_asks_for(again: Again) -> None:
    found = again("/orders", "--secret", f"Authorization={APP}:anothers()")
    assert (found.status, found.verdict) == (1, "deviates")
    told = [(each["recorded"], each["asked"]) for miss in found.report["misses"] for each in miss["differences"]]
    assert ("7", "8") in told, found.output


@pytest.mark.parametrize("word", ["comparison", "differences", "refused"])
def test_a_secret_that_is_a_common_word_hides_nothing_that_the_application_does_otherwise(
    again: Again, word: str
) -> None:
    options = ["--secret", f"api_key={word}"]
    found = again("/partners", *options, PARTNER_KEY=word)
    assert (found.status, found.verdict) == (0, "same"), found.output
    found = again("/partners", *options, PARTNER_KEY=word, PARTNER_NAME=word)
    assert (found.status, found.verdict) == (1, "deviates"), found.output
    (difference,) = found.differences
    assert difference["path"] == "body.$.partner"
    assert MARKER.fullmatch(difference["replayed"]), difference


def test_a_wrong_secret_is_refused_by_the_application_and_stands_in_no_report(again: Again, tmp_path: Path) -> None:
    wrong = "pk-wrong-9a8b7c6d5e4f"
    found = again("/partners", "--secret", f"api-key={wrong}", "--junit", str(tmp_path / "junit.xml"))
    assert (found.status, found.verdict, found.report["outcome"]["replayed"]["status"]) == (1, "deviates", 403)
    body = found.report["outcome"]["replayed"]["body"]
    assert MARKER.fullmatch(str(body["api_key"])) or MARKER.search(str(body))
    told = found.output + str(found.report) + (tmp_path / "junit.xml").read_text()
    assert wrong not in told


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("authorization", "--secret: it names no secret; write NAME=VALUE, or NAME=module:function()"),
        ("authorization=", "--secret authorization: '' is empty; give a value or leave it out"),
        (
            f"authorization={APP}:nothing()",
            f"--secret authorization: {APP}:nothing() gave nothing; let it return a text",
        ),
        (
            "authorization=nowhere:token()",
            "--secret authorization: nowhere:token() raised ModuleNotFoundError: No module named 'nowhere'; correct it,"
            " or give a value",
        ),
    ],
)
def test_a_secret_that_cannot_be_is_one_line(store: Path, option: str, line: str) -> None:
    done = run(["timetracer-otel", "replay", paths(store)["/orders"], "--secret", option], {**DRIVERS, **HERE})
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"timetracer-otel: {line}\n")


@pytest.mark.parametrize("value", [None, "", 5, b"x"])
def test_a_test_with_a_secret_that_is_no_text_is_told_at_once(store: Path, value: Any) -> None:
    opened, _ = cassettes(store)[0]
    with pytest.raises(ReplayError, match=r"^secrets\['authorization'\]: it is \w+; give a text, or leave it out$"):
        assert_same(opened.path, f"{APP}:app", secrets={"authorization": value})


def test_a_name_that_no_secret_has_is_told_where_one_is_still_masked(again: Again) -> None:
    found = again("/orders", "--secret", "autorization=x")
    assert "--secret autorization: no secret of the request is called so" in found.report["uncontrolled"]


def test_secrets_of_the_project_hold_for_every_replay_and_stand_in_a_test_by_what_makes_them(
    store: Path, tmp_path: Path
) -> None:
    secrets = f'authorization = "{APP}:token()"\nsession = "{APP}:session()"\ntheme = "dark"\n'
    keys = f"password = '{checked_app.PASSWORD}'\napi_key = '{HERE['PARTNER_KEY']}'\ntoken = '{HERE['PARTNER_KEY']}'\n"
    (tmp_path / "pyproject.toml").write_text(f"[tool.timetracer-otel.secrets]\n{secrets}{keys}")
    variables = {**DRIVERS, **HERE, "TIMETRACER_STORE": str(store)}
    done = run(["timetracer-otel", "replay", "--all"], variables, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr

    command = ["timetracer-otel", "test", paths(store)["/orders"], "-o"]
    written = run([*command, "test_orders.py"], variables, tmp_path)
    assert written.returncode == 0, written.stdout + written.stderr
    assert f'secrets={{"authorization": "{APP}:token()"}})' in (tmp_path / "test_orders.py").read_text()
    passed = run(["pytest", "-q", "-p", "no:cacheprovider", "test_orders.py"], variables, tmp_path)
    assert passed.returncode == 0, passed.stdout
    talk = run(["timetracer-otel", "test", paths(store)["/talk"], "-o", "test_talk.py"], variables, tmp_path)
    assert (talk.returncode, "--secret token: a value would stand" in talk.stderr) == (2, True), talk.stderr
    refused = run([*command, "test_x.py", "--secret", "authorization=x"], variables, tmp_path)
    assert (refused.returncode, (tmp_path / "test_x.py").exists()) == (2, False)
    assert "a value would stand in the test" in refused.stderr
