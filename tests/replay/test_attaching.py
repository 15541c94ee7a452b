"""An editor's debugger, attached to a replay from outside (docs/debugging.md)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.launching import SPARED
from tests.replay import app_under_test
from tests.replay.conftest import APP, ROOT, clean
from tests.replay.dap import DebugClient
from tests.servers.postgres import free_port
from timetracer_otel.cassette.model import Cassette, Segment

LIMIT_S = 120
APP_FILE = str(Path(app_under_test.__file__))
WAITING = """
import debugpy

debugpy.listen(("127.0.0.1", {port}), in_process_debug_adapter=True)
debugpy.wait_for_client()

from {app} import app
"""


def test_a_breakpoint_in_the_app_stops_its_replay_and_shows_what_is_there(
    recorded: Mapping[str, tuple[Cassette, Segment]], tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "debugged.py").write_text(WAITING.format(port=port, app=APP))
    line = next(
        number
        for number, text in enumerate(Path(APP_FILE).read_text().splitlines(), 1)
        if "totals[request.url.path]" in text
    )
    command = [
        sys.executable,
        "-c",
        "from timetracer_otel.cli import main; main()",
        "replay",
        recorded["/fail"][0].path,
    ]
    process = subprocess.Popen(
        [*command, "--app", "debugged:app", "--timeout", "5m"],
        env=clean(
            **SPARED, TIMETRACER_ISOLATION="guards", PYTHONPATH=f"{ROOT}:{tmp_path}", PYDEVD_DISABLE_FILE_VALIDATION="1"
        ),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    client = DebugClient(port)
    try:
        client.ask("initialize", adapterID="tests", clientID="tests", pathFormat="path")
        attach = client.send("attach", justMyCode=False)
        client.event("initialized")
        client.ask("setBreakpoints", source={"path": APP_FILE}, breakpoints=[{"line": line}])
        client.ask("configurationDone")
        stopped = client.event("stopped")
        frame = client.ask("stackTrace", threadId=stopped["threadId"], levels=1)["stackFrames"][0]
        assert attach
        assert (stopped["reason"], frame["name"], frame["line"]) == ("breakpoint", "fail", line)
        shown = client.ask("evaluate", expression="request.url.path, totals", frameId=frame["id"], context="repl")
        assert shown["result"] == "('/fail', {})"
        client.ask("continue", threadId=stopped["threadId"])
        out, err = process.communicate(timeout=LIMIT_S)
    finally:
        client.close()
        process.kill()
        process.communicate()
    assert (process.returncode, out.splitlines()[-1].split()[0]) == (0, "same"), out + err
