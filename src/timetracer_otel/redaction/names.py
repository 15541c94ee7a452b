"""Which names carry secrets: whole names, in any case and spelling style."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, TypeAlias

from timetracer_otel.cassette.pieces import contains, is_large, pieces
from timetracer_otel.redaction import rare_letters
from timetracer_otel.redaction.pairs import NAMING
from timetracer_otel.redaction.rare_letters import LONG
from timetracer_otel.redaction.signed_members import BY_LOOK, OPEN, TELLING, last_of

NAMES: Final = (
    *("aws_secret_access_key", "secret_access_key", "aws_session_token", "x_amz_security_token", "security_token"),
    *("x_amz_signature", "x_goog_signature", "cloudfront_signature", "cloudfront_policy"),
    *("proxy_authorization", "authorization", "set_cookie", "cookie"),
    *(
        "old_password",
        "new_password",
        "current_password",
        "confirm_password",
        "password_confirmation",
        "password_confirm",
    ),
    *("user_password", "db_password", "database_password", "smtp_password", "ssl_password", "pg_password"),
    *("password1", "password2", "password", "passwd", "pwd", "passphrase"),
    *("client_secret", "consumer_secret", "app_secret", "shared_secret", "webhook_secret", "signing_secret"),
    *("oauth_token_secret", "token_secret", "secret_token", "secret_key", "secret"),
    *("access_token", "refresh_token", "id_token", "auth_token", "oauth_token", "bearer_token", "session_token"),
    *("x_csrf_token", "csrf_token", "x_xsrf_token", "xsrf_token", "csrf_middleware_token", "x_auth_token"),
    *("x_access_token", "x_vault_token", "api_token", "token"),
    *("x_api_key", "api_key", "private_key", "access_key", "x_access_key", "x_api_secret", "api_secret"),
    *("x_goog_api_key", "dd_api_key", "xi_api_key", "x_rapidapi_key", "x_mbx_api_key"),
    *("ocp_apim_subscription_key", "subscription_key", "x_shopify_access_token", "x_plex_token"),
    *("private_token", "x_gitlab_token", "job_token", "deploy_token", "circle_token"),
)
"""Spelled in snake case, as a marker names them. Paging and resume tokens (`NextToken`, `page_token`, `cursor` ...) are
not here on purpose, nor is a name that merely contains one of these: replay needs those, people need these."""

STEMS: Final = (
    *("passw", "pwd", "passphrase", "secret", "token", "cookie", "authoriz", "signature"),
    *("api_key", "private_key", "access_key", "subscription_key", "front_policy"),
)
"""Every name in snake case holds one of these."""

LONGEST_NAME: Final = 160
SHAPES_MAX: Final = 512
"""Mappings of which is remembered, by their names, that those are open."""

_SEGMENT: Final = re.compile(r"[.\[\]:/]+")
_ESCAPED: Final = "%(?:5f|2d|20)"
"""A separator of words in a query or a form."""
_STYLE: Final = re.compile(rf"(?:[-_ ]|{_ESCAPED})+", re.IGNORECASE)
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Values of a statement as instrumentors spell them: bound by position, so that no name says which of them is a secret.
_POSITIONAL: Final = re.compile(r"db\.statement\.parameters|db\.(?:query|operation)\.parameter\.\d+")
POSITIONAL_RULE: Final = "statement_parameters"
_PARAMETER: Final = b"parameter"
"""In every positional name."""
_SEPARATORS: Final = b"-_ "
_KELVIN: Final = "\N{KELVIN SIGN}".encode()
"""The one character beyond ASCII that is an ASCII letter in lower case."""


class Names:
    """A list of names, compiled. Compared by identity: there are few, and they live as long as the process."""

    def __init__(self, extra: Iterable[str] = (), allowed: Iterable[str] = ()) -> None:
        """Those built in and `extra` ones, in snake case, without the `allowed` ones."""
        extra = tuple(extra)
        not_secret = {bare(name) for name in allowed}
        names = [name for name in dict.fromkeys((*NAMES, *extra)) if bare(name) not in not_secret]
        self.all: Final = tuple(sorted(names, key=len, reverse=True))
        """Longer ones first: an alternation must not stop at a name that begins another."""
        between = f"(?:[-_ ]|{_ESCAPED})?".encode()
        self.alternation: Final = b"|".join(name.encode().replace(b"_", between) for name in self.all) or rb"(?!)"
        """All names and styles as one regular expression, to be used without regard to case."""
        self.rule_of: Final[Callable[[str], str | None]] = lru_cache(maxsize=4096)(self._rule_of)
        """The rule that masks values under a name (`X-Api-Key` -> `x_api_key`), None if they are not secret.

        Of a dotted or bracketed name (`http.request.header.cookie`, `user[password]`) the last part counts.
        """
        self.may_tell: Final[Callable[[str], bool]] = lru_cache(maxsize=4096)(self._may_tell)
        """False if a value under a name is no secret, neither by the name nor by what it is or stands beside."""
        self.are_open: Final[Callable[[tuple[str, ...]], bool]] = lru_cache(maxsize=SHAPES_MAX)(self._are_open)
        """True if under none of the names of a mapping is a secret, nor does one say that another has one."""
        self.rule_of_column: Final[Callable[[str], str | None]] = lru_cache(maxsize=4096)(self._rule_of_column)
        """`rule_of`; of a name under which the value decides `OPEN`, which `signed_members.counting` closes."""
        self._rules = {bare(name): name for name in self.all}
        self._is_ascii = all(name.isascii() for name in self._rules)
        stems = (*STEMS, *(max(name.split("_"), key=len) for name in extra))
        self._searches = _searches(stems)
        self.reach: Final = 2 * max(len(stem.encode()) for stem in stems)
        """Bytes or characters that a hit has at most, with a separator between any two."""

    def holds(self, data: bytes) -> bool:
        """False if no secret name is in `data`: cheap, and never wrong about False."""
        if is_large(len(data)):
            return any(self._holds(piece) for piece in pieces(data, self.reach))
        return self._holds(data)

    def _holds(self, data: bytes) -> bool:
        searches = self._possible(data.decode("latin-1"))  # `in` on text costs a tenth of what it costs on bytes
        return bool(searches) and _finds(searches, data.lower().decode("latin-1"))

    def may_name(self, data: bytes) -> bool:
        """False if no part of `data`, taken as a name by itself, has a rule: in any style, and never wrong about False.

        `holds` looks for names in running text, where a name has one separator between two words at most.
        """
        if is_large(len(data)):
            return not self._is_ascii or contains(data, _KELVIN) or contains(data, _PARAMETER) or self._may_hold(data)
        if not self._is_ascii or _KELVIN in data or _PARAMETER in data:
            return True
        return self._holds(data.translate(None, _SEPARATORS))

    def _may_hold(self, data: bytes) -> bool:
        """Whether a name is there when all separators are taken out."""
        rest = b""
        for piece in pieces(data):
            rest += piece.translate(None, _SEPARATORS)
            if self._holds(rest):
                return True
            rest = rest[-self.reach :]
        return False

    def holds_text(self, text: str) -> bool:
        """`holds` of text."""
        if is_large(len(text)):
            return any(self._holds_text(piece) for piece in pieces(text, self.reach))
        return self._holds_text(text)

    def _holds_text(self, text: str) -> bool:
        searches = self._possible(text)
        if not searches:
            return False
        if text.isascii():
            return _finds(searches, text.lower())
        return _finds(searches, text.encode("utf-8", "surrogatepass").lower().decode("latin-1"))

    def _possible(self, view: str) -> list[_Search]:
        """Searches whose letter is there: to look for one letter costs a thirtieth of what a word costs."""
        return [each for each in self._searches if each[0] in view or each[1] in view]

    def _rule_of(self, name: str) -> str | None:
        if name.startswith("db.") and _POSITIONAL.fullmatch(name):
            return POSITIONAL_RULE
        segments = [part for part in _SEGMENT.split(name[-LONGEST_NAME:]) if part and not part.isdecimal()]
        return self._rules.get(bare(segments[-1])) if segments else None

    def _rule_of_column(self, name: str) -> str | None:
        return self.rule_of(name) or (OPEN if last_of(name) == BY_LOOK else None)

    def _may_tell(self, name: str) -> bool:
        return self.rule_of(name) is not None or last_of(name) in TELLING

    def _are_open(self, names: tuple[str, ...]) -> bool:
        return all(type(name) is str and name.lower() not in NAMING and not self.may_tell(name) for name in names)


_Search: TypeAlias = tuple[str, str, str, re.Pattern[str]]
"""A letter, its capital, others of which each hit holds one, and the search for all stems of which it is the rarest
letter, in lower case."""

_BY_RARITY: Final = "qxjkvwgbpfyhzcmuldsrnioate"
"""Letters, rare ones of English texts first; Z ends times, too."""

_ENDED: Final = rf"[\\\"'\0\r](?<={BY_LOOK}[\\\"'\0\r])"
"""The name of a member, or of a field of Redis, that is too short to be looked for in words."""


def _searches(stems: Iterable[str]) -> list[_Search]:
    """A pattern that begins with one letter runs to its next place as fast as a search for that letter does, and looks
    around only there. So all stems of a letter take one pass.
    """
    found: dict[str, list[str]] = {}
    others: dict[str, set[str]] = {}
    for stem in dict.fromkeys(stems):
        spelled = stem.encode().decode("latin-1")
        letters = [letter for letter in _BY_RARITY if letter in spelled]
        letter = letters[0] if letters else ""
        others.setdefault(letter, set()).add(letters[1] if len(letters) > 1 else spelled[:1])
        before, _, after = spelled.partition(letter) if letter else (spelled, "", "")
        for style in ("[-_ ]", _ESCAPED, "") if "_" in before else ("",):
            whole = f"{_styled(style, before)}{letter}{re.escape(after)}"
            found.setdefault(letter, []).append(f"{re.escape(after)}(?<={whole})")
    found.setdefault(BY_LOOK[-1], []).append(_ENDED)
    others.setdefault(BY_LOOK[-1], set()).add(BY_LOOK[0])
    return [
        (letter, letter.upper(), "".join(sorted(others[letter])), re.compile(f"{letter}(?:{'|'.join(each)})"))
        for letter, each in found.items()
    ]


def _styled(style: str, text: str) -> str:
    return style.join(re.escape(word) for word in text.split("_"))


def _finds(searches: Iterable[_Search], view: str) -> bool:
    is_long = len(view) > LONG
    for letter, _, others, search in searches:  # any() takes twice the time, and this runs over every JSON body
        if rare_letters.finds(view, search, letter, others) if is_long else search.search(view):
            return True
    return False


def bare(name: str) -> str:
    """The name without case and style: `X-Api-Key` -> `xapikey`."""
    return _STYLE.sub("", name).lower()


def snake(name: str) -> str:
    """`customerId`, `Customer-ID` -> `customer_id`."""
    return _STYLE.sub("_", _HUMP.sub("_", name)).strip("_").lower()
