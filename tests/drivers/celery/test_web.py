"""Web -> task -> subtask: three processes, one trace, one cassette; any of them replays alone."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path

from tests.drivers.celery.harness import INSTRUMENT, RECORDING, Payments, until
from tests.launching import free_port
from tests.servers.redis import RedisServer


def test_r18_a_request_its_task_and_its_subtask_are_one_cassette_and_each_replays_alone(
    redis: RedisServer, tmp_path: Path
) -> None:
    payments = Payments.at(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    (tmp_path / "web.py").write_text(Path(__file__).with_name("web.py").read_text())
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


def ask(payments: Payments, path: str) -> object:
    """What the web front answered, in a process of its own that ends after it."""
    port = free_port()
    env = payments.environment(**{**RECORDING, **payments.servers})
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
