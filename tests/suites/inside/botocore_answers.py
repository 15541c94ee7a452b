"""Loaded by pytest in the process that is tested, for botocore's own tests: `-p botocore_answers`.

Their stubs answer a request before it is sent, where an event handler may. So nothing is sent, and nobody listens.
Here such a stub answers in place of the HTTP session instead: everything above that is botocore's, as it always is.
"""

from __future__ import annotations

import importlib
from typing import Any

from botocore.httpsession import URLLib3Session


def pytest_sessionstart() -> None:
    stub: Any = importlib.import_module("tests").BaseHTTPStubber  # botocore's `tests`, which lies where pytest runs
    stub.__call__ = _kept(stub.__call__)
    URLLib3Session.send = _answered(URLLib3Session.send)


def _kept(answer: Any) -> Any:
    def __call__(self: Any, request: Any, **kwargs: Any) -> None:
        request.suite_answer = answer(self, request, **kwargs)

    return __call__


def _answered(send: Any) -> Any:
    def answering(self: Any, request: Any) -> Any:
        answer = vars(request).pop("suite_answer", None)
        if answer is None:
            return send(self, request)
        if not request.stream_output:
            answer.content  # as `send` does: the body is read
        return answer

    return answering
