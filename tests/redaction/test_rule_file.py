from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from timetracer_otel.errors import UsageError
from timetracer_otel.redaction import SECRETS, Redactor, load_rules
from timetracer_otel.redaction.names import NAMES

WHOLE = """
presets = ["secrets", "pii"]
names = ["customerId", "X-Tenant"]
allow = ["token"]
paths = ["request.body.$.user.nick", {path = "request.parameters[0]", type = "db"}]

[[patterns]]
name = "customer_no"
regex = 'K-\\d{6}'
"""


def redactor(text: str, folder: Path) -> Redactor:
    (folder / "rules.toml").write_text(text, "utf-8")
    return Redactor(b"key", load_rules(str(folder / "rules.toml")))


def test_without_a_file_the_built_in_rules_count() -> None:
    assert load_rules(None) is SECRETS


def test_a_file_adds_to_the_built_in_rules(tmp_path: Path) -> None:
    rules = redactor(WHOLE, tmp_path)
    assert rules.rule_of("Customer-Id") == "customer_id"
    assert rules.rule_of("x_tenant") == "x_tenant"
    assert rules.rule_of("email") == "email"
    assert rules.rule_of("password") == "password"
    assert rules.text("see K-123456!") == f"see {rules.marker('customer_no', 'K-123456')}!"
    assert rules.data(b"\xff K-123456") == b"\xff " + rules.marker("customer_no", "K-123456").encode()


def test_names_count_in_every_carrier_and_style(tmp_path: Path) -> None:
    rules = redactor('names = ["customerId"]', tmp_path)
    marker = rules.marker("customer_id", "c77")
    assert rules.headers([[b"Customer-ID", b"c77"]], "h")[0] == [[b"Customer-ID", marker.encode()]]
    assert marker.encode() in rules.body(b'{"customer_id": "c77"}', "application/json", "", "b")[0]
    assert rules.text("customerId='c77'") == f"customerId='{marker}'"
    assert rules.text("<customerId>c77</customerId>") == f"<customerId>{marker}</customerId>"
    assert rules.value({"CUSTOMER_ID": "c77"}, "")[0] == {"CUSTOMER_ID": marker}


def test_an_allowed_name_is_no_secret_and_those_that_contain_it_stay_secret(tmp_path: Path) -> None:
    rules = redactor('allow = ["Token"]', tmp_path)
    assert rules.rule_of("token") is None
    assert rules.rule_of("access_token") == "access_token"
    text = '{"token": "page2", "access_token": "s3cret"}'
    masked, _ = rules.body(text.encode(), "application/json", "", "b")
    assert masked == text.replace("s3cret", rules.marker("access_token", "s3cret")).encode()
    assert rules.query(b"token=page2", "q") == (b"token=page2", ())


def test_every_name_may_be_allowed(tmp_path: Path) -> None:
    rules = redactor(f"allow = {list(NAMES)}", tmp_path)
    assert rules.body(b'{"password": "x"}', "application/json", "", "b")[0] == b'{"password": "x"}'
    assert rules.text("Bearer abcdefghijkl") != "Bearer abcdefghijkl"


BAD = {
    "nmaes = ['a']": "unknown key 'nmaes'; the keys are presets, names, allow, paths, patterns",
    "names = 'a'": "names is not a list of up to 1000; write names = [...]",
    "names = [1]": "names[0]: 1 is no name; write a whole name of letters, digits, -, _ or blanks",
    "names = ['ok', '']": "names[1]: '' is no name; ",
    "names = ['a.b']": "names[0]: 'a.b' is no name; ",
    "presets = ['pci']": "presets[0]: 'pci' is no preset; the presets are secrets, pii",
    "presets = [['pii']]": "presets[0]: ['pii'] is no preset; ",
    "paths = ['body.x']": "paths[0]: 'body.x' is no path; write one such as ",
    "paths = ['request']": "paths[0]: 'request' is no path; ",
    "paths = ['request.a[x]']": "paths[0]: 'request.a[x]' is no path; ",
    "paths = [{path = 'request.a', typ = 'db'}]": "paths[0]: unknown key 'typ'; the keys are path, type",
    "paths = [{path = 'request.a', type = 1}]": "paths[0].type: 1 is no type; ",
    "paths = [1]": "paths[0] is not a table; its keys are path, type",
    "[[patterns]]\nname = 'a'": "patterns[0].regex: None is not a text; ",
    "[[patterns]]\nregex = 'a'": "patterns[0].name: None is no name; ",
    "[[patterns]]\nname = 'A b'\nregex = 'a'": "patterns[0].name: 'A b' is no name; ",
    "[[patterns]]\nname = 'a'\nregex = 'a('": "patterns[0].regex: 'a(' is no regular expression (missing ), ",
    "[[patterns]]\nname = 'a'\nregex = 'a*'": "patterns[0].regex: 'a*' matches the empty text; ",
    "[[patterns]]\nname = 'a'\nregex = '(a+)+$'": "patterns[0].regex: '(a+)+$' may take for ever; ",
    "[[patterns]]\nname = 'a'\nregex = '(\\w+\\s?)+:'": "may take for ever; ",
    "[[patterns]]\nname = 'a'\nregex = 'a'\nflags = 'i'": "patterns[0]: unknown key 'flags'; the keys are name, regex",
    "patterns = ['a']": "patterns[0] is not a table; its keys are name, regex",
    "names = [": "it is no TOML (",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_wrong_in_a_file_is_said_in_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        redactor(text, tmp_path)
    assert str(raised.value).startswith(str(tmp_path / "rules.toml: ")[:-1])
    assert BAD[text] in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes(b"names = ['\xe4']")
    (tmp_path / "large").write_bytes(b"#" * 2_000_000)
    for name, problem in {
        "absent": "No such file",
        "pipe": "it is no file",
        "": "it is no file",
        "latin": "it is not UTF-8",
        "large": "larger",
    }.items():
        with pytest.raises(UsageError, match=problem):
            load_rules(str(tmp_path / name))


def test_an_expression_sees_text_and_leaves_other_bytes_alone(tmp_path: Path) -> None:
    rules = redactor("[[patterns]]\nname = 'town'\nregex = 'Köln|[äöü]{3}'\n", tmp_path)
    assert rules.data("in Köln: äöü".encode() + b"\xff\xfe") == (
        f"in {rules.marker('town', 'Köln')}: {rules.marker('town', 'äöü')}".encode() + b"\xff\xfe"
    )
    assert rules.text("Köln \ud83e") == rules.marker("town", "Köln") + " \ud83e"


@pytest.mark.parametrize("at", [65_530, 65_536, 131_000, 200_000])
def test_an_expression_hits_across_the_windows_of_a_long_value(at: int, tmp_path: Path) -> None:
    rules = redactor("[[patterns]]\nname = 'customer'\nregex = 'K-[0-9]{6}'\n", tmp_path)
    text = "." * at + "K-123456" + "." * 100_000
    assert rules.text(text) == text.replace("K-123456", rules.marker("customer", "K-123456"))
    (body,) = [rules.body(text.encode(), "text/plain", "", "b")[0]]
    assert b"123456" not in body


SLOW = (
    *("ref:(?:[0-9a-f]+-?)+z", "(?i)key (?:[A-Z0-9]+ ?)+!", "(.*)(.*)(.*)K-\\d", "(?:\\d+[,.]?)+ EUR", ".*K.*K"),
    *("(?:a?){30}a{30}", "a?" * 30 + "a" * 30, "(?:aa?)+b", "(?=(a+)+b)x", "\\w+\\s*\\w+:", "(?:[b-y]+)*K"),
)
QUICK = (
    *("[A-Z]+-\\d{6}", "\\w+@corp", "[\\w.+-]+@[\\w-]+\\.[\\w.]+", "sk_(?:live|test)_[A-Za-z0-9]{24,}"),
    *("(?:\\d{1,3}\\.){3}\\d{1,3}", "(?i)t-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}", "<x>[^<]*</x>", "(?:[A-Z]{2,3} )+x"),
    *('([`"])x.*?\\1', "\\d{4}[ -]?\\d{4}[ -]?\\d{4}[ -]?\\d{4}", "(?:[b-y]|[c-z])*K"),
)


@pytest.mark.parametrize("regex", SLOW)
def test_an_expression_that_can_cut_one_text_in_many_ways_is_refused(regex: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="may take for ever"):
        redactor(f"[[patterns]]\nname = 'x'\nregex = '{regex}'\n", tmp_path)


@pytest.mark.parametrize("regex", QUICK)
def test_an_expression_that_can_cut_a_text_in_one_way_is_taken(regex: str, tmp_path: Path) -> None:
    assert redactor(f"[[patterns]]\nname = 'x'\nregex = '{regex}'\n", tmp_path).has_places is False


def test_an_expression_without_a_fixed_beginning_takes_linear_time(tmp_path: Path) -> None:
    rules = redactor("[[patterns]]\nname = 'x'\nregex = '[A-Z]+-\\d{6}'\n", tmp_path)
    began = time.thread_time()
    assert rules.data(b"A" * 60_000) == b"A" * 60_000
    assert time.thread_time() - began < 5  # in one piece it takes thirty


def test_a_hit_that_is_longer_than_a_window_goes_as_a_whole(tmp_path: Path) -> None:
    rules = redactor("[[patterns]]\nname = 'x'\nregex = 'K-[0-9]+'\n", tmp_path)
    long = "K-" + "7" * 20_000
    assert rules.text("." * 3_000 + long + "!") == "." * 3_000 + rules.marker("x", long) + "!"


def test_what_stands_around_a_hit_is_seen_across_windows(tmp_path: Path) -> None:
    rules = redactor("[[patterns]]\nname = 'x'\nregex = '(?<![0-9])[0-9]{4}(?![0-9])'\n", tmp_path)
    assert rules.text("7" * 20_000) == "7" * 20_000


def test_the_file_of_the_documentation_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "redaction.md").read_text("utf-8")
    rules = redactor(page.partition("```toml\n")[2].partition("```")[0], tmp_path)
    assert rules.rule_of("email") == "email"
    assert rules.of_type("db.query").rule_at("request.parameters[0]") == "parameters"
    assert rules.of_type("http.server").rule_at("request.parameters[0]") is None


def test_the_names_of_the_documentation_are_those_that_there_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "redaction.md").read_text("utf-8")
    listed = page.partition("in requests and in responses:")[2].partition("Case and spelling")[0]
    assert sorted(re.findall("`([a-z0-9_]+)`", listed)) == sorted(NAMES)
