from __future__ import annotations

import os
import random
import secrets
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from email.message import EmailMessage
from importlib import import_module

import numpy.random
import pytest

from tests.replay.conftest import APP, ROOT
from timetracer_otel.cassette.model import Cassette, Segment
from timetracer_otel.replay.chance import Chance
from timetracer_otel.replay.draws import Draws
from timetracer_otel.replay.runner import Options, execute, replay

Recordings = Mapping[str, tuple[Cassette, Segment]]


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What was drawn, without the place."""
    heard: list[str] = []

    def used(text: str) -> bool:
        what, _, place = text.partition(", drawn by ")
        assert place.startswith(("tests/replay/test_chance.py:", "<string>:1"))
        heard.append(what)
        return True

    watching = Chance(used, Draws())
    watching.install()
    yield heard
    watching.uninstall()


OTHERS = ("fastuuid", "ksuid", "nanoid", "ulid", "uuid6", "uuid_extensions", "uuid_utils", "uuid_utils.compat")
MODULES = {name: import_module(name) for name in ("numpy", "os", "random", "secrets", "tempfile", "uuid", *OTHERS)}
ENTROPY = ["entropy of the system (secrets, os.urandom)"]
DRAWN = {
    "[random.choice('abc') for _ in range(3)]": ["random without a seed"],
    "numpy.random.rand()": ["numpy.random without a seed"],
    "numpy.random.default_rng()": ENTROPY,
    "random.Random().choice('abc')": ["random.Random() without a seed"],
    "secrets.token_hex()": ENTROPY,
    "random.SystemRandom().random()": ENTROPY,
    "random.SystemRandom().choice('abc')": ENTROPY,
    "os.urandom(3)": ENTROPY,
    "uuid.uuid1()": ["uuid.uuid1"],
    "uuid6.uuid7()": ["uuid6.uuid7"],
    "uuid_utils.uuid4()": ["uuid_utils.uuid4"],
    "str(ulid.ULID()), ulid.ULID(bytes(16))": ["ulid.ULID"],
    "random.seed(), random.random()": ["random without a seed"],
    "random.seed(3), random.random()": [],
    "numpy.random.seed(3), numpy.random.rand()": [],
    "random.Random(3).random(), numpy.random.default_rng(3).random()": [],
    "tempfile.mkdtemp(), uuid.uuid4()": [],
}
"""The last is what Python draws for itself, and what is given back."""


@pytest.mark.parametrize(("code", "named"), DRAWN.items(), ids=range(len(DRAWN)))
def test_chance_that_the_app_draws_is_named_once_and_what_a_seed_holds_is_not(
    told: list[str], code: str, named: list[str]
) -> None:
    before = random.getstate(), numpy.random.get_state()
    eval(code, {**MODULES, "__name__": "__main__"})  # noqa: S307  a function of its own would be found before it is watched
    random.setstate(before[0])
    numpy.random.set_state(before[1])
    assert told == named


LETTERS = "'ABCDEFGHJKMNPQRSTVWXYZ'"
MADE = (
    f"''.join(random.choices({LETTERS}, k=8))",
    f"''.join(random.choice({LETTERS}) for _ in range(8))",
    f"''.join(random.sample({LETTERS}, 8))",
    f"''.join((letters := list({LETTERS}), random.shuffle(letters), letters)[2][:8])",
    f"''.join(secrets.choice({LETTERS}) for _ in range(8))",
    "''.join(str(random.randint(0, 9)) for _ in range(8))",
    "''.join(str(secrets.randbelow(10)) for _ in range(8))",
    "str(random.randrange(10**7, 10**8))",
    "str(secrets.randbits(64) | 0)",
    "f'{random.getrandbits(64):016x}'",
    "secrets.token_hex(8)",
    "secrets.token_urlsafe(8)",
    "os.urandom(8).hex()",
    "random.randbytes(8).hex()",
    f"''.join((own := random.Random()).choice({LETTERS}) for _ in range(8))",
    f"''.join(random.Random().choices({LETTERS}, k=8))",
    f"''.join(random.SystemRandom().sample({LETTERS}, 8))",
    f"''.join((letters := list({LETTERS}), random.SystemRandom().shuffle(letters), letters)[2][:8])",
    "str(random.SystemRandom().randrange(10**7, 10**8))",
    "f'{random.SystemRandom().getrandbits(64):016x}'",
    "random.SystemRandom().randbytes(8).hex()",
    "uuid.uuid1()",
    "uuid.uuid1().hex",
    "uuid6.uuid7()",
    "uuid6.uuid8()",
    "uuid_extensions.uuid7()",
    "uuid_extensions.uuid7str()",
    "uuid_utils.uuid4()",
    "uuid_utils.uuid7().hex",
    "uuid_utils.compat.uuid7()",
    "fastuuid.uuid7()",
    "ulid.ULID()",
    "ulid.ULIDGenerator().generate()",
    "ulid.ULID().to_uuid()",
    "ulid.ULID().hex",
    "ksuid.Ksuid()",
    "nanoid.generate()",
    "nanoid.generate('0123456789abcdef', 12)",
)


KNOWN = (
    "random.seed(3) or random.randrange(10**8)",
    "random.Random(3).choices('abcdef', k=9)",
    "ulid.ULID(bytes(16))",
    "ksuid.Ksuid.from_bytes(bytes(20))",
)


@pytest.fixture
def draws() -> Iterator[Draws]:
    """What is drawn, though nobody hears of it."""
    found = Draws()
    watching = Chance(lambda text: False, found)
    watching.install()
    yield found
    watching.uninstall()


def drawn(code: str) -> str:
    return str(eval(code, {**MODULES, "__name__": "shop"}))  # noqa: S307  as above


def other(text: str) -> str:
    """One that looks alike: a UUID of the same version, capitals alone."""
    with suppress(ValueError):
        found = uuid.UUID(int=uuid.UUID(text).int ^ (1 << 127 | 0xFFFF))
        return str(found) if "-" in text else found.hex
    changed = {**{digit: str(9 - int(digit)) for digit in "0123456789"}, **dict.fromkeys("bcdef", "a"), "a": "b"}
    made = "".join(changed.get(each, "x") for each in text)
    return made.upper() if text.isupper() else made


@pytest.mark.parametrize("code", MADE)
def test_what_is_drawn_is_known_in_each_way_to_draw_it(draws: Draws, code: str) -> None:
    now = drawn(code)
    found = draws.pairs(other(now), now)
    assert found
    assert "".join(part for _, part in found) in now
    assert draws.pairs(other(now), f"{now[:-1]}!") == ()


@pytest.mark.parametrize("code", ["uuid6.uuid7()", "uuid_utils.uuid4()", "uuid.uuid1()"])
def test_an_id_of_another_version_is_none_that_was_made_here(draws: Draws, code: str) -> None:
    now = drawn(code)
    was = f"{now[:14]}{'8' if now[14] != '8' else '7'}{other(now)[15:]}"
    assert draws.pairs(was, now) == ()


@pytest.mark.parametrize("code", [*KNOWN, "tempfile.mktemp()", "uuid.uuid4().hex"])
def test_what_a_seed_gives_and_what_python_draws_for_itself_is_not_taken_for_drawn(draws: Draws, code: str) -> None:
    state = random.getstate()
    drawn(code)
    random.setstate(state)
    assert not draws


def test_boundaries_of_a_mail_are_drawn_by_python_for_who_sends_it(draws: Draws) -> None:
    mail = EmailMessage()
    mail.set_content("Your invoice")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf")
    now = mail.as_string()
    boundary = str(mail.get_boundary()).strip("=")
    was = other(boundary)
    assert draws.pairs(now.replace(boundary, was), now) == ((was, boundary),) * now.count(boundary)


def test_afterwards_everything_is_as_it_was() -> None:
    def now() -> tuple[object, ...]:
        chosen = secrets.choice, secrets.randbelow, secrets.randbits
        return random.random, random.seed, random.Random.seed, os.urandom, uuid.uuid1, numpy.random.rand, *chosen

    before, watching = now(), Chance(lambda text: True, Draws())
    for _ in range(2):
        watching.install()
        assert not set(now()) & set(before)
        watching.uninstall()
        assert now() == before


def test_a_seeded_generator_gives_the_same_numbers_while_it_is_watched(told: list[str]) -> None:
    seeded = random.Random(7)
    assert [seeded.random() for _ in range(3)] == [0.32383276483316237, 0.15084917392450192, 0.6509344730398537]


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_TRACES_EXPORTER", "TIMETRACER_STORE", "TIMETRACER_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(ROOT)


def test_the_report_names_chance_of_the_entry_and_not_that_of_its_start(
    recorded: Recordings, monkeypatch: pytest.MonkeyPatch, laptop: None
) -> None:
    monkeypatch.setenv("CHANCE", "1")
    report = replay(*recorded["/orders/42"], Options(app=f"{APP}:app"))
    assert report.verdict == "same"
    found = [line.partition(", drawn by ") for line in report.uncontrolled]
    assert [what for what, _, _ in found] == ["entropy of the system (secrets, os.urandom)", "random without a seed"]
    assert {place.partition(":")[0] for _, _, place in found} == {"tests/replay/app_under_test.py"}


def test_a_program_s_chance_is_named_too(recorded: Recordings, laptop: None) -> None:
    program = "import random; from random import randint; random.seed(1); randint(1, 2); random.seed(); randint(1, 2)"
    found = execute(*recorded["/orders/42"], [sys.executable, "-c", program])
    assert (found.exit_code, found.report.uncontrolled) == (0, ("random without a seed, drawn by <string>:1 <module>",))
