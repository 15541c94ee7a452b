"""Settings: every value is checked, and a wrong one is named with its variable and what is allowed."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from timetracer_otel.config import GIB, KIB, MIB, PREFIX, SETTINGS, Keep, Settings, duration_s
from timetracer_otel.errors import UsageError


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert (settings.mode, settings.store, settings.write, settings.keep) == ("record", "cassettes", "auto", Keep())
    assert (settings.payload_max_bytes, settings.trace_max_bytes) == (64 * MIB, 256 * MIB)
    assert (settings.in_flight_max_bytes, settings.environment_max_bytes) == (64 * MIB, 16 * MIB)
    assert (settings.store_max_bytes, settings.free_min_bytes) == (4 * GIB, 256 * MIB)
    assert (settings.record_unsampled, settings.redact) == (False, None)


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("17", 17), ("17B", 17), ("1KiB", KIB), ("1.5 MiB", MIB * 3 // 2), ("4gib", 4 * GIB)]
)
def test_sizes_carry_a_unit_or_are_bytes(text: str, size: int) -> None:
    assert Settings.from_environment({"TIMETRACER_PAYLOAD_MAX": text}).payload_max_bytes == size


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("TIMETRACER_MODE", "nevr", "record, replay, off"),
        ("TIMETRACER_WRITE", "later", "auto, sync, background"),
        ("TIMETRACER_KEEP", "all,some", "all, errors, slow:<duration> such as slow:500ms, 1/<number> such as 1/100"),
        ("TIMETRACER_KEEP", "errors,slow:500", "is not a duration"),
        ("TIMETRACER_KEEP", "1/0", "1/<number>"),
        ("TIMETRACER_KEEP", "2/3", "1/<number>"),
        ("TIMETRACER_STORE_MAX", "4TB", "KiB, MiB or GiB"),
        ("TIMETRACER_FREE_MIN", "5%", "KiB, MiB or GiB"),
        ("TIMETRACER_RECORD_UNSAMPLED", "yes please", "1, true, 0, false"),
        ("TIMETRACER_PAYLOAD_MAX", "big", "KiB, MiB or GiB"),
        ("TIMETRACER_TRACE_MAX", "-1", "KiB, MiB or GiB"),
        ("TIMETRACER_IN_FLIGHT_MAX", "1 TB", "KiB, MiB or GiB"),
    ],
)
def test_r49_a_wrong_value_is_named_with_its_variable_and_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings.from_environment({name: value})
    text = str(caught.value)
    assert text.startswith(f"{name}: ")
    assert "\n" not in text
    assert value.rpartition(",")[2].rpartition(":")[2] in text
    assert allowed in text


def test_r49_an_unknown_variable_of_ours_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(UsageError) as caught:
        Settings.from_environment({"TIMETRACER_KEPP": "errors", "OTHER_KEPP": "x"})
    assert str(caught.value).startswith("TIMETRACER_KEPP: there is no such variable; ")
    assert "TIMETRACER_KEEP" in str(caught.value)


def test_each_variable_of_a_setting_is_known() -> None:
    fields = {f"TIMETRACER_{field.name.removesuffix('_bytes').upper()}" for field in dataclasses.fields(Settings)}
    assert fields == {PREFIX + name for name in SETTINGS}


def test_keep_words_combine_and_all_wins_by_being_there() -> None:
    assert Settings.from_environment({"TIMETRACER_KEEP": "errors"}).keep == Keep(everything=False, errors=True)
    assert Settings.from_environment({"TIMETRACER_KEEP": "all,errors"}).keep == Keep(everything=True, errors=True)
    combined = Settings.from_environment({"TIMETRACER_KEEP": "errors, slow:500ms,1/100"}).keep
    assert combined == Keep(everything=False, errors=True, slow_ns=500_000_000, one_in=100)


@pytest.mark.parametrize(("text", "flag"), [("1", True), ("TRUE", True), ("0", False), ("false", False), ("", False)])
def test_a_flag_is_a_number_or_a_word(text: str, flag: bool) -> None:
    assert Settings.from_environment({"TIMETRACER_RECORD_UNSAMPLED": text}).record_unsampled is flag


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("500ms", 0.5), ("2h", 7200), ("7d", 604800), ("1.5m", 90)])
def test_durations_carry_their_unit(text: str, seconds: float) -> None:
    assert duration_s(text, "--timeout") == seconds


@pytest.mark.parametrize("text", ["60", "", "s", "6 0s", "1y", "-1s"])
def test_a_duration_without_a_unit_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="--timeout: "):
        duration_s(text, "--timeout")


def test_errors_survive_the_trip_between_processes() -> None:
    error = UsageError("--timeout", "'60' is not a duration", "write 60s")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert (type(again), str(again)) == (UsageError, str(error))


def test_r49_sizes_and_durations_beyond_all_bounds_are_refused() -> None:
    with pytest.raises(UsageError, match=r"TIMETRACER_PAYLOAD_MAX.*more than any machine has"):
        Settings.from_environment({"TIMETRACER_PAYLOAD_MAX": f"{'9' * 400}GiB"})
    with pytest.raises(UsageError, match=r"--since.*longer than anything lasts"):
        duration_s(f"{'9' * 400}d", "--since")
