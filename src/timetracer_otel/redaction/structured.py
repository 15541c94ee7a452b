"""Which bodies can only be masked as a whole."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from timetracer_otel.redaction.codings import codings_of

JSON: Final = re.compile(r"[\w.+-]+/(?:[\w.+-]*[+-])?(?:json|ndjson|jsonl|jsonlines)(?:-[\w.-]+)?")
WIDE_CHARSET: Final = re.compile(
    r"charset\s*=\s*\"?(?:(utf-?(?:16|32)(?:-?[lb]e)?)|ucs-?2|iso-10646-ucs-2)", re.IGNORECASE
)
BEGINS_AS_JSON: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*[{\[]")
_MARKUP: Final = re.compile(r"[\w.+-]+/(?:[\w.+-]*\+)?(?:x?html|xml)(?:\+[\w.-]+)?")
FORM: Final = "application/x-www-form-urlencoded"
_NO_FORM: Final = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*"|\[\s*["{\[]|<)')


@lru_cache(maxsize=256)
def media_type_of(content_type: str) -> str:
    """The type alone, in lower case: `text/html`."""
    return content_type.partition(";")[0].strip().lower()


def is_structured(content_type: str, content_encoding: str) -> bool:
    """True for a body that is masked by what it is and so as a whole: JSON, form, multipart, XML and HTML, text in
    UTF-16 or UTF-32, anything coded. All else is masked as a stream (`Scrubber`)."""
    media_type = media_type_of(content_type)
    return (
        bool(codings_of(content_encoding))
        or media_type == FORM
        or media_type.startswith("multipart/")
        or JSON.fullmatch(media_type) is not None
        or _MARKUP.fullmatch(media_type) is not None
        or WIDE_CHARSET.search(content_type) is not None
    )


def is_form(media_type: str, data: bytes) -> bool:
    """False for JSON and XML under the type of a form, which curl and urllib give to any body whose type is not said. A
    form would have escaped what these begin with."""
    return media_type == FORM and _NO_FORM.match(data) is None
