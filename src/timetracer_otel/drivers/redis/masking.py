"""Secrets out of commands and replies: what a command, a key or a field says is one, then what looks like one.

Most exchanges hold none, and are not taken apart: their bytes are looked through at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeGuard

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.redis import secrets, told
from timetracer_otel.drivers.redis.connecting import CONNECT
from timetracer_otel.drivers.redis.forms import COMMANDS, PARTIAL, REPLIES, partial_of
from timetracer_otel.redaction import counting
from timetracer_otel.wire.redis import readable
from timetracer_otel.wire.redis.commands import commands, pack
from timetracer_otel.wire.redis.frames import is_push, split
from timetracer_otel.wire.redis.topics import CONFIRMED, MONITOR

if TYPE_CHECKING:
    from timetracer_otel.redaction import Redactor

MULTI, EXEC = b"MULTI", b"EXEC"
BATCHES: Final = ("MULTI", "PIPELINE")
"""Methods of more than one command."""
SPOKEN: Final = re.compile(rb"\r\n(?:%b)\r\n" % b"|".join(secrets.SPOKEN), re.IGNORECASE)
_SPOKEN_WORDS: Final = tuple(word.decode() for word in secrets.SPOKEN)


def mask(encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
    """The same with secrets masked, and the paths that hold a marker now."""
    if encoded.type == CONNECT:
        return _masked_connect(encoded, redactor)
    message, answer = encoded.request.get(COMMANDS), encoded.result.get(REPLIES, b"")
    if not isinstance(message, bytes) or not isinstance(answer, bytes):
        return encoded, ()
    result = encoded.result
    partial = partial_of(result) if PARTIAL in result else b""
    if not _is_spoken(encoded.method, message) and not _may_hold_secrets(message + answer + partial, redactor):
        return encoded, ()
    walk = _Walk(redactor)
    batch = commands(message)
    asked = walk.batch(batch)
    answered = walk.replies(batch, answer)
    result = walk.broken_off(result, partial)
    if not walk.paths:
        return encoded, ()
    url = redactor.text(encoded.url)
    request = {**encoded.request, COMMANDS: pack(asked)} if asked != batch else encoded.request
    result = {**result, REPLIES: answered} if REPLIES in result else result
    return replace(encoded, request=request, result=result, url=url), tuple(dict.fromkeys(walk.paths))


def _masked_connect(encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
    result, paths = redactor.value(encoded.result, "result")
    return (replace(encoded, result=result), paths) if isinstance(result, dict) and paths else (encoded, ())


def _is_spoken(method: str, message: bytes) -> bool:
    """Whether a command stands there that may hold a password under no name."""
    if method in BATCHES:
        view = message.upper().decode("latin-1")  # to look for words in text takes a tenth of what the pattern does
        return any(word in view for word in _SPOKEN_WORDS) and SPOKEN.search(message) is not None
    return method.partition(" ")[0].encode() in secrets.SPOKEN


def _may_hold_secrets(data: bytes, redactor: Redactor) -> bool:
    if redactor.has_places or redactor.may_name(data) or redactor.shaped(data):
        return True
    return any(secret in data for secret in redactor.known())


@dataclass(slots=True)
class _Walk:
    redactor: Redactor
    paths: list[str] = field(default_factory=list)
    has_scores: bool = False
    """Numbers of this reply are scores, whatever the key is called: the client reads them as such."""
    is_json: bool = False
    """Strings of this reply are JSON."""

    # ---- commands ----------------------------------------------------------------------------------------------------

    def batch(self, batch: Sequence[Sequence[bytes]]) -> list[list[bytes]]:
        return [self._command(command, f"request.{COMMANDS}[{number}]") for number, command in enumerate(batch)]

    def _command(self, command: Sequence[bytes], where: str) -> list[bytes]:
        rules = secrets.arguments(command, self.redactor.rule_of_column)
        masked = list(command)
        for place, word in enumerate(command[1:], 1):
            path = f"{where}[{place}]"
            if place in rules:
                masked[place] = self._marked(word, rules[place], path, _sign(command, word))
            else:
                masked[place] = self._leaf(word, path)
        return masked

    def _marked(self, word: bytes, rule: str, path: str, sign: bytes = b"") -> bytes:
        """By name, whatever it is, unless its name leaves that open; an empty value is none."""
        secret = word[len(sign) :]
        counted = counting(rule, secret)
        if counted is None:
            return self._leaf(word, path)
        rule = counted
        if not secret:
            return word
        self.paths.append(path)
        return sign + self.redactor.marker(self.redactor.rule_at(path) or rule, secret).encode()

    def _marked_json(self, data: bytes, rule: str, path: str) -> bytes:
        """Every value in it: it stays JSON, which the client reads."""
        before = b'{"%b":' % rule.encode()
        masked, paths = self.redactor.body(before + data + b"}", "application/json", "", path)
        if not masked.startswith(before) or not masked.endswith(b"}"):
            return self._marked(data, rule, path)
        self.paths += paths[:1] and [path]
        return masked[len(before) : -1]

    def _leaf(self, word: bytes, path: str) -> bytes:
        """By pattern, by what stands in JSON; and what is known as a secret by its value."""
        known = self.redactor.known().get(word)
        rule = self.redactor.rule_at(path)
        if rule is not None:
            return self._marked(word, rule, path)
        masked = known if known is not None else self._by_pattern(word, path)
        if masked != word:
            self.paths.append(path)
        return masked

    def _by_pattern(self, word: bytes, path: str) -> bytes:
        masked, _ = self.redactor.value(word, path)
        return masked if isinstance(masked, bytes) else word

    # ---- replies -----------------------------------------------------------------------------------------------------

    def replies(self, batch: Sequence[Sequence[bytes]], answer: bytes) -> bytes:
        frames, rest = split(answer)
        number, masked = 0, []
        for place, frame in enumerate(frames):
            path = f"result.{REPLIES}[{place}]"
            command = batch[number] if number < len(batch) else ()
            if not is_push(frame):
                number += 1
            masked.append(self._frame(frame, command, batch, path))
        return b"".join(masked) + rest

    def broken_off(self, result: Payload, partial: bytes) -> Payload:
        """Of a reply of which no more came the first line alone: markers could make it whole."""
        line, end, _ = partial.partition(b"\r\n")
        kept = line + end if end else b""
        if kept != partial:
            self.paths.append(f"result.{PARTIAL}")
            result = {**result, PARTIAL: kept}
        if "error" not in result:
            return result
        error, paths = self.redactor.value(result["error"], "result.error")
        self.paths += paths
        return {**result, "error": error} if paths else result

    def _frame(self, frame: bytes, command: Sequence[bytes], batch: Sequence[Sequence[bytes]], path: str) -> bytes:
        value = readable.decode(frame)
        if isinstance(value, dict) and readable.RAW in value:
            return frame  # nested beyond reason: what stands there is not told apart
        if command and command[0].upper() == EXEC and batch[0][0].upper() == MULTI and isinstance(value, list):
            inner = batch[1:-1]
            found: Value = [
                self._reply(each, inner[at] if at < len(inner) else (), f"{path}[{at}]")
                for at, each in enumerate(value)
            ]
        else:
            found = self._reply(value, command, path)
        return frame if found == value else readable.encode(found)

    def _reply(self, value: Value, command: Sequence[bytes], path: str) -> Value:
        name = command[0].upper() if command else b""
        if name in CONFIRMED:
            return self._message(value, path)
        if name in told.LOGS:
            return told.masked_log(value, lambda words: self._command(words, path))
        if name == MONITOR and isinstance(value, dict) and isinstance(line := value.get("+"), (str, bytes)):
            return {"+": readable.text(told.masked_line(_bytes(line), lambda words: self._command(words, path)))}
        rule, parts = secrets.reply(command, self.redactor.rule_of_column)
        self.has_scores = name[:1] == b"Z" or name[:2] == b"BZ"
        self.is_json = name[:5] == b"JSON."
        is_paired = name in secrets.PAIRED or (name == secrets.CONFIG and command[1:2] != [b"SET"])
        if parts and name in secrets.SORTS:
            parts *= len(value) if isinstance(value, list) else 1  # the same again for each element
        if parts and isinstance(value, list):
            return [
                self._value(each, f"{path}[{at}]", parts[at] if at < len(parts) else rule, is_paired)
                for at, each in enumerate(value)
            ]
        return self._value(value, path, rule, is_paired)

    def _message(self, value: Value, path: str) -> Value:
        """`message`, its channel, what was said there."""
        items = value.get(">") if isinstance(value, dict) else value
        if not isinstance(items, list) or len(items) < 3 or not isinstance(items[-2], (str, bytes)):
            return self._value(value, path, None, is_paired=False)
        rule = secrets.rule_of_key(_bytes(items[-2]), self.redactor.rule_of)
        said = self._value(items[-1], f"{path}[{len(items) - 1}]", rule, is_paired=False)
        masked: list[Value] = [*items[:-1], said]
        return {">": masked} if isinstance(value, dict) else masked

    def _value(self, value: Value, path: str, rule: str | None, is_paired: bool) -> Value:
        if isinstance(value, (str, bytes)):
            return self._string(value, path, rule)
        if isinstance(value, list):
            return self._list(value, path, rule, is_paired)
        if isinstance(value, dict):
            return {sign: self._signed(sign, content, path, rule, is_paired) for sign, content in value.items()}
        return value

    def _signed(self, sign: str, content: Value, path: str, rule: str | None, is_paired: bool) -> Value:
        if sign in ("%", "|") and isinstance(content, list):
            rules = self._rules_of([each[0] if _is_pair(each) else None for each in content])
            return [self._pair(each, f"{path}[{at}]", rules[at] or rule, is_paired) for at, each in enumerate(content)]
        if sign in ("~", ">", "*") and isinstance(content, list):
            return self._list(content, path, rule, is_paired)
        if sign == "value":
            return self._value(content, path, rule, is_paired)
        is_said = sign in ("-", "!", "=", "+") and isinstance(content, (str, bytes))
        return self._string(content, path, None) if is_said and isinstance(content, (str, bytes)) else content

    def _pair(self, pair: Value, path: str, rule: str | None, is_paired: bool) -> Value:
        return [pair[0], self._value(pair[1], path, rule, is_paired)] if _is_pair(pair) else pair

    def _list(self, items: list[Value], path: str, rule: str | None, is_paired: bool) -> Value:
        are_pairs = is_paired and len(items) % 2 == 0 and all(isinstance(each, (str, bytes)) for each in items)
        rules = self._rules_of(items[::2]) if are_pairs else []
        return [
            self._value(each, f"{path}[{at}]", (rules[at // 2] if are_pairs and at % 2 else None) or rule, is_paired)
            for at, each in enumerate(items)
        ]

    def _rules_of(self, names: Sequence[Value]) -> list[str | None]:
        """Of the values that stand behind these names."""
        raw = [_bytes(name) if isinstance(name, (str, bytes)) else b"" for name in names]
        rules = secrets.rules_of_fields(raw, self.redactor.rule_of_column)
        is_configured = (name.upper() in secrets.CONFIGURED for name in raw)
        return [secrets.PASSWORD if is_it else rule for is_it, rule in zip(is_configured, rules, strict=True)]

    def _string(self, value: str | bytes, path: str, rule: str | None) -> Value:
        raw = _bytes(value)
        if self.has_scores and secrets.is_number(raw):
            return value
        mark = self._marked_json if self.is_json else self._marked
        masked = mark(raw, rule, path) if rule is not None else self._leaf(raw, path)
        return value if masked == raw else readable.text(masked)


def _is_pair(value: Value) -> TypeGuard[list[Value]]:
    return isinstance(value, list) and len(value) == 2


def _sign(command: Sequence[bytes], word: bytes) -> bytes:
    """What stands before a password of ACL SETUSER, and says what is done with it."""
    return word[:1] if command[0].upper() == b"ACL" and word[:1] in secrets.ACL_SIGNS else b""


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
