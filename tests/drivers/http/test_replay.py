"""Recorded against real servers, the servers stopped; replayed in a fresh process without a network."""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.http import aiohttp_scenarios, httpx_scenarios, proxy_scenarios, sdk_scenarios, socket_scenarios
from tests.drivers.http.harness import PROGRAM, Recorded, printed, record, replay
from tests.drivers.http.places import TEXT
from tests.promises.running import Replayed, cassettes, recording, send, service
from tests.promises.running import replay as replay_entry
from tests.promises.test_canaries import search
from tests.servers.http import HttpServer
from timetracer_otel.cassette import Exchange
from timetracer_otel.drivers.http.questions import question
from timetracer_otel.drivers.http.requests import body_of, pairs
from timetracer_otel.store import Store

MODULES = (httpx_scenarios, socket_scenarios, aiohttp_scenarios, sdk_scenarios, proxy_scenarios)
NAMES = [each.__name__ for module in MODULES for each in module.SCENARIOS]
ALL_IN = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "botocore"}
MISSES = (*PROGRAM[:2], "tests.drivers.http.misses")


@pytest.fixture(scope="module")
def recorded(http_server: HttpServer, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    names = [module.__name__.rpartition(".")[2] for module in MODULES]
    return record(tmp_path_factory.mktemp("http") / "store", http_server.variables, *names)


@pytest.fixture(scope="module")
def half_read(http_server: HttpServer, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("misses")
    return record(folder / "store", http_server.variables, "record", program=MISSES)


@pytest.fixture(scope="module")
def at_once(http_server: HttpServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """Requests that an application serves at once with shared clients, and what it answered."""
    folder = tmp_path_factory.mktemp("at-once")
    variables = recording(folder / "cassettes", APP="tests.drivers.http.app:app", **ALL_IN, **http_server.variables)
    with service(folder / "log", **variables) as url, ThreadPoolExecutor(4) as users:
        answers = [json.loads(each.body)["numbers"] for each in users.map(lambda _: send(url, "/all"), range(4))]
        wait_for(lambda: len(Store(folder / "cassettes").list_traces().traces) == 4)
    return folder, answers


def wait_for(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def stopped(http_server: HttpServer, recorded: Recorded, half_read: Recorded, at_once: Any) -> None:
    """Everything is recorded, and nobody answers any more."""
    http_server.stop()


@pytest.fixture(scope="module")
def replayed(recorded: Recorded, stopped: None, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    return replay(recorded, tmp_path_factory.mktemp("replay"))


@pytest.fixture(scope="module")
def asked_otherwise(half_read: Recorded, stopped: None, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    return replay(half_read, tmp_path_factory.mktemp("misses"), *MISSES, "replay")


@pytest.mark.parametrize("scenario", NAMES)
def test_r10_r22_r34_r39_r44_with_the_servers_stopped_a_program_sees_the_same(
    recorded: Recorded, replayed: Replayed, scenario: str
) -> None:
    assert printed(replayed.output)[scenario] == recorded.given[scenario]


def test_nothing_is_missed_left_over_or_refused(replayed: Replayed) -> None:
    assert (replayed.status, replayed.verdict) == (0, "same")
    told = [each for each in replayed.report["uncontrolled"] if "drawn by" not in each]  # boundaries, pauses of SDKs
    assert (told, replayed.report["ambiguous"]) == ([], [])


def test_r46_no_byte_of_a_secret_is_in_any_file_of_the_store(recorded: Recorded) -> None:
    assert search(recorded.store) == []


# ---- what is recorded ------------------------------------------------------------------------------------------------


def paths(exchanges: list[Exchange]) -> list[str]:
    return [f"{each.signature.method} {body_of(each.request['path']).decode()}" for each in exchanges]


def test_every_attempt_and_every_redirect_is_an_exchange_and_none_is_recorded_twice(recorded: Recorded) -> None:
    found = Counter(paths([each for each in recorded.of("requests_bodies") if each.type == "http.client"]))
    assert found["GET /flaky"] == 3
    assert [found[f"GET /{path}"] for path in ("r1", "r2", "zipped")] == [1, 1, 1]
    found = Counter(paths(recorded.of("httpx_bodies")))
    assert [found[f"GET /{path}"] for path in ("r1", "r2", "binary")] == [1, 1, 1]
    assert found["POST /echo"] == 5


def test_r21_r22_header_pairs_keep_order_case_duplicates_and_bytes(recorded: Recorded) -> None:
    for scenario in ("httpx_failures", "requests_failures", "aiohttp_failures"):
        (odd,) = [each for each in recorded.of(scenario) if each.request.get("path") == b"/dup"]
        headers = pairs(odd.result["headers"])
        names = [b"X-CaSe", b"Set-Cookie", b"X-Case", b"Vary", b"Vary", b"Set-Cookie", b"Set-Cookie", b"Content-Length"]
        assert [name for name, _ in headers] == names
        assert odd.result["reason"] == b"Very  Fine"
        assert headers[5][1].endswith(b"; Expires=Wed, 01 Jan 2031 00:00:00 GMT")
    repeated = [each for each in recorded.of("httpx_bodies") if each.signature.method == "DELETE"]
    sent = [pair for pair in pairs(repeated[0].request["headers"]) if pair[0].lower() == b"x-forwarded-for"]
    assert sent == [(b"X-Forwarded-For", b"a"), (b"x-forwarded-for", b"b")]


def test_over_a_proxy_the_server_is_recorded_and_a_tunnel_is_none_of_the_requests(recorded: Recorded) -> None:
    found = recorded.of("proxied") + recorded.of("proxied_async")
    assert {each.signature.method for each in found} == {"GET"}
    ports = {str(each.request["port"]) for each in found if each.request["host"] != "nobody.invalid"}
    assert ports == {recorded.variables["HTTP_PLAIN"], recorded.variables["HTTP_TLS"]}
    assert recorded.given["proxied"].count("1.1 proxy") == 3


def test_r44_compressed_bodies_stand_as_they_were_received(recorded: Recorded) -> None:
    for scenario in ("httpx_bodies", "requests_bodies", "aiohttp_bodies"):
        found = [each for each in recorded.of(scenario) if each.request.get("path") == b"/zipped"]
        got = next(each for each in found if each.signature.method == "GET")
        assert gzip.decompress(body_of(got.result["body"])) == b"compressed " * 100
        head = next(each for each in found if each.signature.method == "HEAD")
        assert (body_of(head.result["body"]), head.result["ended"]) == (b"", "complete")


def test_r39_uploads_are_recorded_whole_and_large_ones_by_their_digest(recorded: Recorded) -> None:
    for scenario in ("httpx_bodies", "requests_bodies", "aiohttp_bodies"):
        bodies = [each.request.get("body") for each in recorded.of(scenario)]
        assert TEXT in bodies
        assert b"first;second" in bodies
        assert [each.request["upload"] for each in recorded.of(scenario) if each.signature.method == "PUT"] == [
            {"size": 1_500_000, "sha256": "65bed38a28cadda4fa793c07e9350e8ec83b7e59c447ac37bc296f48a960b77d"}
        ]


def test_r47_what_was_masked_still_has_its_length(recorded: Recorded) -> None:
    logins = [each for each in recorded.exchanges if each.request.get("path") == b"/login"]
    (login,) = logins
    told = dict(pairs(login.result["headers"]))
    body = body_of(login.result["body"])
    assert int(told[b"content-length"]) == len(body)
    assert json.loads(body)["user"]["name"] == "ann"
    assert b"redacted:" in told[b"set-cookie"]
    assert b"redacted:" in told[b"x-api-key"]
    assert json.loads(body_of(login.request["body"]))["user"] == "ann"


def test_streams_say_how_far_they_were_read(recorded: Recorded) -> None:
    for scenario in ("httpx_streams", "aiohttp_streams"):
        ends = [each.result["ended"] for each in recorded.of(scenario) if each.request.get("path") == b"/stream"]
        assert ends[:3] == ["complete", "client", "client"]


# ---- what is asked otherwise -----------------------------------------------------------------------------------------


def test_r32_r33_one_call_too_many_is_found_although_the_application_swallows_it(asked_otherwise: Replayed) -> None:
    assert asked_otherwise.status == 1
    (found,) = [each for each in asked_otherwise.report["misses"] if each["request"]["url"].endswith("/flaky")]
    assert found["differences"] == [{"path": "calls", "recorded": 3, "asked": 4}]
    assert printed(asked_otherwise.output)["polled"] == "[1, 2, 3]"


def test_r33_a_miss_is_of_the_clients_own_kind_and_is_not_tried_again(asked_otherwise: Replayed) -> None:
    given = printed(asked_otherwise.output)
    bases = {
        "httpx": "httpx.RequestError",
        "httpx with retries": "httpx.RequestError",
        "requests with retries": "requests.exceptions.RequestException",
        "urllib3 with retries": "urllib3.exceptions.HTTPError",
        "urllib": "http.client.HTTPException",
        "aiohttp": "aiohttp.client_exceptions.ClientError",
        "openai": "openai.APIError",
    }
    assert {name: base for name, base in bases.items() if base not in given[name]} == {}
    misses = [each for each in asked_otherwise.report["misses"] if "/other" in each["request"]["url"]]
    assert len([each for each in misses if not each["consequent"]]) == len(bases)
    assert {each["request"]["url"].rpartition("/")[2] for each in misses if each["consequent"]} == {"models"}


def test_to_read_on_where_the_recorded_program_did_not_is_inconclusive(
    asked_otherwise: Replayed, half_read: Recorded
) -> None:
    assert printed(asked_otherwise.output)["whole"].count("UnrecordedCallError") == 2
    told = [each for each in asked_otherwise.report["uncontrolled"] if "did not read on" in each]
    assert len(told) == 2


# ---- traces at once --------------------------------------------------------------------------------------------------


def test_traces_at_once_through_shared_clients_never_cross(
    at_once: tuple[Path, list[Any]], http_server: HttpServer, stopped: None, tmp_path: Path
) -> None:
    folder, answers = at_once
    found = cassettes(folder / "cassettes")
    bodies = [[body_of(e.result["body"]) for e in segment.exchanges if e.type == "http.client"] for _, segment in found]
    numbers = [sorted(json.loads(body)["n"] for body in each) for each in bodies]
    assert sorted(numbers) == sorted(sorted(n for four in answer for n in four) for answer in answers)
    with ThreadPoolExecutor(2) as pool:
        done = list(
            pool.map(lambda each: replay_entry(each[0].path, tmp_path, **ALL_IN, **http_server.variables), found[:2])
        )
    assert [(each.verdict, each.findings) for each in done] == [("same", [])] * 2


# ---- never lies ------------------------------------------------------------------------------------------------------


def test_never_lies_a_request_with_one_changed_value_is_another_request(recorded: Recorded) -> None:
    """Each part of each recorded request is changed: no answer of the recording fits."""
    requests = [each.request for each in recorded.exchanges if each.type == "http.client"]
    known = {_key(each) for each in requests}
    mutants = [mutant for each in requests for mutant in _mutants(each)]
    assert len(mutants) > 700
    assert [mutant for mutant in mutants if _key(mutant) in known] == []


def _key(request: Any) -> Any:
    found = question(request)
    return found.shape, tuple((slot.path, slot.key) for slot in found.slots)


def _mutants(request: Any) -> Iterator[Any]:
    yield {**request, "method": request["method"] + "X"}
    yield {**request, "path": request["path"] + b"~"}
    yield {**request, "query": request["query"] + b"&zz=1"}
    yield {**request, "host": "elsewhere.test"}
    yield {**request, "port": request["port"] + 1}
    yield {**request, "headers": [*request["headers"], [b"X-Tenant", b"other"]]}
    if "upload" in request:
        yield {**request, "upload": {**request["upload"], "sha256": "0" * 64}}
    body = request.get("body", b"")
    for at in range(0, len(body), max(1, len(body) // 5)):
        if body[at : at + 1].isalnum() and b"boundary" not in dict(pairs(request["headers"])).get(b"Content-Type", b""):
            changed = b"7" if body[at : at + 1] != b"7" else b"8"
            yield {**request, "body": body[:at] + changed + body[at + 1 :]}
