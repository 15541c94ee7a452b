from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from tests.cassette.strategies import cassettes
from tests.cli.conftest import Cli
from timetracer_otel.cassette import Cassette, as_json, compress, decompress, load_bundle
from timetracer_otel.cli.running import run
from timetracer_otel.store import Store


@pytest.fixture
def raw(cli: Cli, store: Store, folder: Path) -> Path:
    """A bundle in wire form, in one line, as a program may have written it."""
    path = folder / "raw.cassette.json"
    path.write_text(json.dumps(json.loads(cli("show", "7f3a", "--raw").out)))
    return path


def test_it_rewrites_a_bundle_as_bundle_would_write_it(cli: Cli, raw: Path) -> None:
    done = cli("fmt", str(raw))
    assert (done.status, done.out, done.err) == (0, f"{raw}\n", "")
    assert cli("bundle", "7f3a", "-o", "other.json").status == 0
    assert raw.read_bytes() == Path("other.json").read_bytes()


def test_what_it_wrote_it_does_not_write_again(cli: Cli, raw: Path) -> None:
    cli("fmt", str(raw))
    before = raw.stat()
    done = cli("fmt", str(raw))
    assert (done.status, done.out, done.err) == (0, "", "")
    assert raw.stat().st_ino == before.st_ino


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(cassettes())
def test_any_bundle_is_the_same_after_the_first_time(folder: Path, cassette: Cassette) -> None:
    path = folder / "any.cassette.json"
    path.write_bytes(orjson.dumps(as_json(cassette)))
    assert run(["fmt", str(path), "--raw"]) == 0
    formatted = path.read_bytes()
    assert repr(load_bundle(formatted, "")) == repr(cassette)
    assert run(["fmt", str(path), "--raw", "--check"]) == 0
    assert run(["fmt", str(path)]) == 0
    assert run(["fmt", str(path), "--check"]) == 0
    assert run(["fmt", str(path), "--raw", "--check"]) == 0


def test_raw_leaves_results_as_they_are(cli: Cli, raw: Path) -> None:
    cli("fmt", str(raw), "--raw")
    assert '"rows": 2,' in raw.read_text()
    cli("fmt", str(raw))
    assert '"rows": 2,' not in raw.read_text()


def test_check_says_what_it_would_change_and_changes_nothing(cli: Cli, raw: Path) -> None:
    before = raw.read_bytes()
    done = cli("fmt", str(raw), "--check")
    assert (done.status, done.out) == (1, "")
    assert done.err == f"{raw}: `timetracer-otel fmt` would change it\n"
    assert raw.read_bytes() == before
    cli("fmt", str(raw))
    assert cli("fmt", str(raw), "--check").status == 0


def test_permissions_links_and_packing_stay(cli: Cli, raw: Path, folder: Path) -> None:
    raw.write_bytes(compress(raw.read_bytes()))
    raw.chmod(0o640)
    link = folder / "link.json"
    link.symlink_to(raw)
    assert cli("fmt", "link.json").out == f"{raw}\n"
    assert link.is_symlink()
    assert stat.S_IMODE(raw.stat().st_mode) == 0o640
    assert raw.read_bytes() != decompress(raw.read_bytes())
    assert cli("fmt", "link.json", "--check").status == 0


FULL: Final = """
import resource, sys
from timetracer_otel.cli.running import run
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
sys.exit(run(["fmt", sys.argv[1]]))
"""


def test_a_disk_that_is_full_leaves_the_file_as_it_was(raw: Path, folder: Path) -> None:
    before, names = raw.read_bytes(), sorted(folder.iterdir())
    # Without -B, Python 3.13.0 leaves files of bytecode that are cut off, too.
    done = subprocess.run([sys.executable, "-B", "-c", FULL, str(raw)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert raw.read_bytes() == before
    assert sorted(folder.iterdir()) == names


def changed(raw: Path, **fields: Any) -> bytes:
    return orjson.dumps({**orjson.loads(raw.read_bytes()), **fields})


def test_bad_input_is_one_line_and_stays_as_it_is(cli: Cli, raw: Path, store: Store, folder: Path) -> None:
    whole = raw.read_bytes()
    part = next((store.root / ("7f3a91c2" + "0" * 24)).iterdir())
    for data, problem in (
        (whole[:-1], "neither JSON nor zstd"),
        (b"{}", "no format version"),
        (changed(raw, timetracer=9), "this release reads up to 1"),
        (changed(raw, pools=[1]), "it would lose pools; take it out, or upgrade timetracer-otel"),
        (whole.replace(b'"complete":', b'"complete": 1, "complete":', 1), "it would lose the first 'complete'"),
        (part.read_bytes(), "a file of a store is never changed; name the bundle to write with --output"),
    ):
        raw.write_bytes(data)
        done = cli("fmt", str(raw))
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
        assert problem in done.err
        assert raw.read_bytes() == data
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("wanted", ["nowhere.json", "no/such.cassette.json.zst", "no/folder"])
def test_a_file_that_is_not_there_is_named_as_that(cli: Cli, store: Store, wanted: str) -> None:
    done = cli("fmt", wanted)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert f"{wanted}: there is no such file; check the path" in done.err


@pytest.mark.parametrize("wanted", ["7f3a", "cassettes"])
def test_what_is_no_file_asks_for_an_output(cli: Cli, store: Store, wanted: str) -> None:
    done = cli("fmt", wanted)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "only a file is rewritten in place; name the bundle to write with --output" in done.err


def test_it_makes_a_bundle_of_whatever_is_named(cli: Cli, store: Store, folder: Path) -> None:
    assert cli("fmt", "7f3a", "-o", "new.json", "--check").status == 1
    assert not Path("new.json").exists()
    assert cli("fmt", "7f3a", "-o", "new.json").out == f"{folder / 'new.json'}\n"
    assert cli("fmt", "7f3a", "-o", "new.json", "--check").status == 0
    assert cli("fmt", "new.json", "--check").status == 0
    part = next((store.root / ("7f3a91c2" + "0" * 24)).iterdir())
    assert cli("fmt", str(part), "-o", "part.json").status == 0
    assert cli("fmt", "7f3a", "-o", "cassettes").status == 2


def test_a_store_is_formatted_file_by_file(cli: Cli, raw: Path, store: Store) -> None:
    done = cli("fmt", str(store.root / ("7f3a91c2" + "0" * 24)))
    assert done.status == 2
    assert done.err.count("\n") == 1
