"""Which names carry secrets: whole names, in any case and spelling style. The only list of them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

NAMES: Final = (
    # Longer names first: the alternation below must not stop at a name that begins another.
    *("aws_secret_access_key", "secret_access_key", "aws_session_token", "x_amz_security_token", "security_token"),
    *("x_amz_signature", "x_goog_signature"),
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
    *("x_api_key", "api_key", "private_key", "access_key"),
)
"""Spelled in snake case, as a marker names them. Paging and resume tokens (`NextToken`, `page_token`, `cursor` ...) are
not here on purpose, nor is a name that merely contains one of these: replay needs those, people need these."""

STEMS: Final = (
    *("passw", "pwd", "passphrase", "secret", "token", "cookie", "authoriz", "signature"),
    *("api_key", "api-key", "apikey", "api key", "private", "access"),
)
"""Every name, in whatever style, holds one of these when it is in lower case."""

ALTERNATION: Final = b"|".join(re.sub(rb"_", rb"[-_ ]?", name.encode()) for name in NAMES)
"""All names and styles as one regular expression, to be used without regard to case."""

LONGEST_NAME: Final = 160

_RULES: Final = {name.replace("_", ""): name for name in NAMES}
_SEGMENT: Final = re.compile(r"[.\[\]:/]+")
_STYLE: Final = re.compile(r"[-_ ]+")


@lru_cache(maxsize=4096)
def rule_of(name: str) -> str | None:
    """The rule that masks values under `name` (`X-Api-Key` -> `x_api_key`), None if they are not secret.

    Of a dotted or bracketed name (`http.request.header.cookie`, `user[password]`) the last part counts.
    """
    segments = [part for part in _SEGMENT.split(name[-LONGEST_NAME:]) if part and not part.isdecimal()]
    return _RULES.get(_STYLE.sub("", segments[-1]).lower()) if segments else None


def holds_name(data: bytes) -> bool:
    """False if no secret name is in `data`: cheap, and never wrong about False."""
    view = data.lower().decode("latin-1")  # `in` on text costs a tenth of what it costs on bytes
    for stem in STEMS:  # noqa: SIM110 - any() takes twice the time, and this runs over every JSON body
        if stem in view:
            return True
    return False
