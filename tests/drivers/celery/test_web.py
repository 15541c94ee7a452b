"""Web -> task -> subtask: three processes, one trace, one cassette; any of them replays alone."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.celery.harness import INSTRUMENT, RECORDING, Payments, until
from tests.launching import free_port
from tests.servers.redis import RedisServer


def test_r18_a_request_its_task_and_its_subtask_are_one_cassette_and_each_replays_alone(
    redis: RedisServer, tmp_path: Path
) -> None:
    payments = with_web(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    with payments.worker("-c", "2"):
        answer = ask(payments, "/pay/12345")
        until(lambda: len(payments.segments()) == 3, "the request, its task and the task of that")
    redis.stop()
    (cassette,) = payments.cassettes()
    names = {segment.entry.name: segment for segment in cassette.segments if segment.entry}
    assert sorted(names) == ["GET /pay/{order:int}", "run/payments.add", "run/payments.process_payment"]
    assert len({segment.process.pid for segment in cassette.segments}) == 3
    replayed = payments.replay_all(list(cassette.segments))
    assert {each.status for each in replayed.values()} == {0}, [each.output for each in replayed.values()]
    response = replayed[names["GET /pay/{order:int}"].id].report["outcome"]["replayed"]
    assert response["body"] == answer


def test_r18_every_way_to_publish_from_a_request_is_answered_without_a_broker(
    redis: RedisServer, tmp_path: Path
) -> None:
    payments = with_web(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    answer = ask(payments, "/canvas")  # no worker: what is published stays
    redis.stop()
    (cassette,) = payments.cassettes()
    (segment,) = cassette.segments
    sent = [each for each in segment.exchanges if each.type == "task.publish"]
    assert [each.signature.url for each in sent] == [
        "payments.add",
        "payments.add",
        "payments.add",
        "x",
        "payments.add",
    ]
    assert {str(chosen) for each in sent for chosen in [each.request.get("routing_key")]} == {"celery", "elsewhere"}
    (linked,) = [each for each in sent if "told" in str(each.request)]
    assert all(text in str(linked.request) for text in ("callbacks", "errbacks", "payments.told", "eta"))
    assert all("payments.total" in str(each.request) for each in sent[:2])
    replayed = payments.replay(segment)
    assert (replayed.status, replayed.findings) == (0, ([], [], [])), replayed.output
    assert replayed.report["outcome"]["replayed"]["body"] == answer
    changed = change_web(payments, tmp_path / "changed", "AsyncResult(linked.id)", "AsyncResult(linked.id + 'x')")
    missed = changed.replay(segment, "--app", "web:app")
    assert missed.status == 1
    (miss,) = missed.report["misses"]
    assert miss["request"]["text"] == "state result"
    assert (answer[4], answer[4] + "x") in [(each["recorded"], each["asked"]) for each in miss["differences"]]


def test_r16_a_task_that_runs_eagerly_in_a_request_is_in_its_trace(tmp_path: Path) -> None:
    payments = with_web(tmp_path)
    answer = ask(payments, "/eager/7", EAGER="1")
    (cassette,) = payments.cassettes()
    (segment,) = cassette.segments
    assert [each.type for each in segment.exchanges].count("task.run") == 2
    assert "celery failed (" not in (tmp_path / "web.log").read_text()
    replayed = payments.replay(segment, EAGER="1")
    assert (replayed.status, replayed.findings) == (0, ([], [], [])), replayed.output
    assert replayed.report["outcome"]["replayed"]["body"] == answer


@pytest.mark.parametrize("news", ["celeryev", "news"])
def test_what_a_monitor_is_told_of_a_task_that_was_sent_is_no_second_message(
    redis: RedisServer, tmp_path: Path, news: str
) -> None:
    """As `task_send_sent_event` has it, which monitors such as Flower ask for."""
    payments = with_web(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1), NEWS=news)
    ask(payments, "/canvas")
    redis.stop()
    (cassette,) = payments.cassettes()
    (segment,) = cassette.segments
    assert len([each for each in segment.exchanges if each.type == "task.publish"]) == 5
    replayed = payments.replay(segment, NEWS=news)
    assert (replayed.status, replayed.findings) == (0, ([], [], [])), replayed.output


def with_web(folder: Path, **servers: str) -> Payments:
    payments = Payments.at(folder, **servers)
    (folder / "web.py").write_text(Path(__file__).with_name("web.py").read_text())
    return payments


def change_web(payments: Payments, folder: Path, old: str, new: str) -> Payments:
    changed = payments.changed(folder, "import os\n", "import os\n")
    code = folder / "web.py"
    assert code.read_text().count(old) == 1
    code.write_text(code.read_text().replace(old, new))
    return changed


def ask(payments: Payments, path: str, **variables: str) -> Any:
    """What the web front answered, in a process of its own that ends after it."""
    port = free_port()
    env = payments.environment(**{**RECORDING, **payments.servers, **variables})
    with (payments.folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [INSTRUMENT, "uvicorn", "web:app", "--port", str(port)], cwd=payments.folder, env=env, stderr=log
        )
        try:
            until(lambda: "running on" in (payments.folder / "web.log").read_text(), "the web front")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as response:
                return json.load(response)
        finally:
            process.terminate()
            process.wait(30)
