from __future__ import annotations

import pytest

from timetracer_otel.wire.postgres.settings import DEFAULTS, SessionSettings, handshake
from timetracer_otel.wire.postgres.statements import parts


def after(sql: str, **initial: str) -> dict[str, str]:
    """What is reported after `sql` outside of a transaction."""
    settings = SessionSettings({**DEFAULTS, **initial})
    for statement in parts(sql):
        settings.run(statement)
    return settings.unreported()


@pytest.mark.parametrize(
    ("sql", "reported"),
    [
        ("SET TimeZone TO 'Asia/Tokyo'", {"TimeZone": "Asia/Tokyo"}),
        ("set session time zone 'utc'", {}),
        ("SET DateStyle = german", {"DateStyle": "German, DMY"}),
        ("SET DateStyle = 'ISO, DMY'", {"DateStyle": "ISO, DMY"}),
        ("SET NAMES 'latin1'", {"client_encoding": "LATIN1"}),
        ("SET client_encoding TO 'utf-8'", {}),
        ("SET standard_conforming_strings TO false", {"standard_conforming_strings": "off"}),
        ("SET application_name = 'it''s'; RESET application_name", {}),
        ("SET IntervalStyle TO ISO_8601; DISCARD ALL", {}),
        ("SET work_mem = '1MB'", {}),
        ("SET LOCAL TimeZone = 'Asia/Tokyo'", {}),
        ("SET", {}),
    ],
)
def test_what_set_and_reset_change_is_reported(sql: str, reported: dict[str, str]) -> None:
    assert after(sql) == reported


def test_a_change_is_reported_once() -> None:
    settings = SessionSettings(DEFAULTS)
    settings.change("timezone", "Asia/Tokyo")
    assert settings.unreported() == {"TimeZone": "Asia/Tokyo"}
    assert settings.unreported() == {}
    assert settings.style.time_zone == "Asia/Tokyo"


def test_a_handshake_says_what_was_recorded_and_the_name_of_the_application() -> None:
    recorded = {"server_version": "16.2", "TimeZone": "Europe/Berlin", "application_name": "old"}
    asked = {"user": "app", "TimeZone": "UTC", "application_name": "new", "client_encoding": "UTF8"}
    said = handshake(recorded, asked)
    assert {**recorded, "application_name": "new", "session_authorization": "app"}.items() <= said.items()


def test_options_of_the_command_line_count_where_nothing_was_recorded() -> None:
    said = handshake(
        {}, {"user": "app", "options": r"-c TimeZone=Asia/Tokyo --IntervalStyle=iso_8601 -cDateStyle=SQL,\ DMY"}
    )
    assert (said["TimeZone"], said["IntervalStyle"], said["DateStyle"]) == ("Asia/Tokyo", "iso_8601", "SQL, DMY")


def test_what_the_recorded_server_reported_counts_more_than_the_statements() -> None:
    settings = SessionSettings(DEFAULTS)
    settings.report({"TimeZone": "Asia/Seoul", "DateStyle": DEFAULTS["DateStyle"], "search_path": "shop"})
    assert settings.unreported() == {"TimeZone": "Asia/Seoul"}
    assert "search_path" not in settings.values
    assert settings.unreported() == {}
