"""requests in replay: what urllib3 says of a request that nobody recorded becomes requests' own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from timetracer_otel.drivers.base import ReplayHost
from timetracer_otel.drivers.http.socket_stub import unrecorded
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches

LOST: Final = "replay cannot answer requests"


def install(patches: Patches, adapters: Any, _: ReplayHost) -> None:
    """`adapters`: the module of requests; that of the package is there before its names are. Raises MissingNames."""
    import urllib3
    from requests.exceptions import RequestException

    require("requests", [(adapters.HTTPAdapter, "send")], LOST)
    of_requests = _miss_of(RequestException)
    patches.put(adapters.HTTPAdapter, "send", _sending(adapters.HTTPAdapter.send, unrecorded(urllib3), of_requests))


@functools.cache
def _miss_of(base: type[Exception]) -> type[Exception]:
    """It is an OSError: raised any deeper, urllib3 would try again."""
    text = "No recorded request equals this one."
    return type("UnrecordedCallError", (base,), {"__doc__": text, "__module__": __name__})


def _sending(original: Callable[..., Any], below: type[Exception], own: Any) -> Callable[..., Any]:
    @functools.wraps(original)
    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, request, *args, **kwargs)
        except below as error:
            raise own(str(error), request=request) from error

    return send
