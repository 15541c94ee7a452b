from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette.model import Value
from timetracer_otel.redaction import Redactor, find_markers, values
from timetracer_otel.redaction.names import NAMES


def test_r46_a_token_deep_inside_is_masked_and_its_path_is_named() -> None:
    redactor = Redactor(b"key")
    value: Value = {"a": [{"user": {"Token": "t", "name": "bob"}}], "NextToken": "n"}
    assert redactor.value(value, "request.body") == (
        {"a": [{"user": {"Token": redactor.marker("token", "t"), "name": "bob"}}], "NextToken": "n"},
        ("request.body.a[0].user.Token",),
    )


def test_the_data_that_was_given_is_not_changed() -> None:
    inner: dict[str, Value] = {"password": "x"}
    value: Value = {"a": [inner], "b": {"c": 1}}
    masked, _ = Redactor().value(value, "")
    assert inner == {"password": "x"}
    assert isinstance(masked, Mapping)
    assert isinstance(value, Mapping)
    assert masked["b"] is value["b"]


def test_under_a_secret_name_every_leaf_goes_and_the_structure_stays() -> None:
    redactor = Redactor(b"key")
    value: Value = {
        "secret": {"on": True, "none": None, "empty": "", "n": 12, "f": 1.5, "list": ["a", b"b", [10**5000]]}
    }

    def mark(text: str) -> str:
        return redactor.marker("secret", text)

    masked, paths = redactor.value(value, "x")
    numbers = {"n": mark("12"), "f": mark("1.5")}
    items = [mark("a"), mark("b").encode(), [mark(hex(10**5000))]]
    assert masked == {"secret": {"on": True, "none": None, "empty": "", **numbers, "list": items}}
    assert sorted(paths) == ["x.secret.f", "x.secret.list[0]", "x.secret.list[1]", "x.secret.list[2][0]", "x.secret.n"]


def test_span_attributes_are_masked_by_the_last_part_of_their_name_and_by_pattern() -> None:
    redactor = Redactor(b"key")
    attributes: dict[str, Value] = {
        "http.request.header.authorization": ["Bearer abc"],
        "url.full": "http://shop/cb?api_key=abc&x=1",
        "url.query": "api_key=abc&x=1",
        "db.statement": "SELECT 1",
        "exception.message": "cannot connect to postgresql://app:pw@db/shop",
    }
    masked, paths = redactor.value(attributes, "attributes")
    assert isinstance(masked, Mapping)
    assert masked["db.statement"] == "SELECT 1"
    assert all(find_markers(str(masked[name])) for name in attributes if name != "db.statement")
    assert "attributes.http.request.header.authorization[0]" in paths
    assert len(paths) == 4


def test_in_a_command_line_the_argument_after_a_secret_option_is_masked() -> None:
    redactor = Redactor(b"key")
    masked, paths = redactor.value(["prog", "--api-key", "k", "-v", "- password", "x", "--password=pw"], "argv")
    assert masked == [
        *("prog", "--api-key", redactor.marker("api_key", "k"), "-v", "- password", "x"),
        f"--password={redactor.marker('password', 'pw')}",
    ]
    assert sorted(paths) == ["argv[2]", "argv[6]"]


@pytest.mark.parametrize(
    "value", [None, 5, "AKIA", b"\xff", [], {}, {"password": None, "token": [True, ""]}, ["a", ("b",)]]
)
def test_data_without_secrets_is_given_back_as_the_same_object(value: Value) -> None:
    masked, paths = Redactor().value(value, "x")
    assert masked is value
    assert paths == ()


def test_a_secret_that_is_the_whole_value_is_masked() -> None:
    masked, paths = Redactor().value("AKIAIOSFODNN7EXAMPLE", "x")
    assert find_markers(str(masked))
    assert paths == ("x",)


def test_data_of_any_depth_is_masked() -> None:
    value: Value = {"token": "x"}
    for _ in range(50_000):
        value = [value]
    masked, paths = Redactor(b"key").value(value, "")
    assert len(paths) == 1
    while isinstance(masked, Sequence) and not isinstance(masked, str):
        masked = masked[0]
    assert masked == {"token": Redactor(b"key").marker("token", "x")}


def nested() -> st.SearchStrategy[Value]:
    names = st.sampled_from([*NAMES, "NextToken", "user", "a.password"]) | st.text(max_size=3)
    texts = (
        st.sampled_from(["AKIAIOSFODNN7EXAMPLE", "hunter22", "password=x", "--token", "[redacted:token#012345]"])
        | st.text()
    )
    leaves: st.SearchStrategy[Value] = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary()
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4))


@given(nested())
def test_redaction_of_data_is_idempotent_and_paths_lead_to_markers(value: Value) -> None:
    redactor = Redactor()
    once, paths = redactor.value(value, "x")
    assert (once is value) == (paths == ())
    again, more = Redactor().value(once, "x")
    assert again is once
    assert more == ()


@given(nested())
def test_the_quick_look_says_of_data_only_what_the_long_way_says(value: Value) -> None:
    def masked() -> str:
        redactor = Redactor(b"key").of_trace()
        redactor.value({"password": "hunter22"}, "")
        return repr(redactor.value([value, "ada"], "x"))

    quick = masked()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(values, "is_clean", lambda *_: False)
        assert masked() == quick


def test_a_short_secret_of_the_trace_is_known_again_as_a_whole_value_and_not_as_a_part_of_one() -> None:
    redactor = Redactor(b"key").of_trace()
    redactor.value({"password": "hunter22"}, "request")
    marker = redactor.marker("password", "hunter22")
    plain: list[Value] = ["hunter22", b"hunter22", "hunter22 is it", "hunter2", 22]
    found, paths = redactor.value(plain, "result")
    assert found == [marker, marker.encode(), "hunter22 is it", "hunter2", 22]
    assert paths == ("result[0]", "result[1]")


NAMES_OF_MEMBERS = st.sampled_from(["id", "name", "Name", "value", "token", "Token", "key", "type", "\u212aey", ""])


@given(st.dictionaries(NAMES_OF_MEMBERS, st.sampled_from(["token", "password", "abcdefghij", "", "-p"]) | st.none()))
def test_what_is_remembered_of_a_mapping_s_names_is_what_a_look_at_each_says(value: dict[str, Value]) -> None:
    """A mapping with many names is looked at name by name; it is masked as the small one in it would be."""
    redactor = Redactor(b"key")
    filled = {**value, **{f"filler{number}": number for number in range(values.SHAPE_MAX)}}
    once, again = redactor.value(value, "")[0], redactor.value(dict(value), "")[0]
    large = redactor.value(filled, "")[0]
    assert isinstance(once, Mapping)
    assert isinstance(large, Mapping)
    assert once == again == {name: large[name] for name in once}
    assert once is value or not redactor.is_clean((value,))
