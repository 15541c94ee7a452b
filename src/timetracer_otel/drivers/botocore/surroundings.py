"""What a client learns from its surroundings: in replay credentials are stand-ins, always, and the region is recorded.

So no file with secrets is opened, no profile need exist, no role is assumed, no token refreshed, and nobody asks the
address of the instance's metadata.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from timetracer_otel.cassette.model import Value
from timetracer_otel.drivers.base import ReplayHost
from timetracer_otel.drivers.botocore.names import LIBRARY
from timetracer_otel.drivers.patches import Patches

ACCESS_KEY: Final = "AKIATIMETRACERREPLAY"
"""Looks like one, so that it is masked as the recorded one was where the application gives it on."""
SECRET_KEY: Final = "replay"
STAND_IN: Final = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "token": SECRET_KEY}
METHOD: Final = "timetracer"
RECORDED: Final = {"region": "region", "retry_mode": "retry_mode", "max_attempts": "max_attempts"}
"""Variables of a session's configuration, and where a recorded client has them."""
STAND_INS: Final = {"region": "us-east-1"}
"""An application with clients at import starts nowhere without a region, and a segment that calls nothing has none."""


def install(patches: Patches, host: ReplayHost) -> None:
    from botocore import utils
    from botocore.credentials import RefreshableCredentials
    from botocore.session import Session

    patches.put(Session, "get_credentials", _credentials)
    patches.put(RefreshableCredentials, "_refresh", lambda _: None)
    patches.put(RefreshableCredentials, "get_frozen_credentials", _frozen)
    for name, value in STAND_IN.items():
        patches.put(RefreshableCredentials, name, _standing_in(vars(RefreshableCredentials)[name], value))
    patches.put(Session, "get_scoped_config", _tolerant(Session.get_scoped_config))
    patches.put(Session, "get_config_variable", _recorded(Session.get_config_variable, host))
    if "get_auth_token" in vars(Session):
        patches.put(Session, "get_auth_token", _no_token)
    if hasattr(utils, "IMDSRegionProvider"):
        patches.put(utils.IMDSRegionProvider, "provide", _no_token)


def install_async(patches: Patches) -> None:
    from aiobotocore.credentials import AioRefreshableCredentials
    from aiobotocore.session import AioSession

    patches.put(AioSession, "get_credentials", _credentials_async)
    patches.put(AioRefreshableCredentials, "get_frozen_credentials", _frozen_async)


def _credentials(self: Any) -> Any:
    from botocore.credentials import Credentials

    return self._credentials or Credentials(ACCESS_KEY, SECRET_KEY, None, method=METHOD)


async def _credentials_async(self: Any) -> Any:
    from aiobotocore.credentials import AioCredentials

    return self._credentials or AioCredentials(ACCESS_KEY, SECRET_KEY, None, method=METHOD)


def _frozen(self: Any) -> Any:
    """Of credentials that the application has made itself, such as those of a role that it assumes. What their refresh
    asked is in no cassette: the process keeps what it got, and no request but one has ever asked for it. Nothing is
    stored in them either, since they may outlive a replay."""
    from botocore.credentials import ReadOnlyCredentials

    return ReadOnlyCredentials(**STAND_IN)


async def _frozen_async(self: Any) -> Any:
    return _frozen(self)


def _standing_in(original: Any, value: str) -> property:
    return property(lambda _: value, original.fset)


def _no_token(self: Any, **_: Any) -> None:
    """Nothing: replay needs none."""


def _tolerant(original: Callable[..., Any]) -> Callable[..., Any]:
    """A profile that is named and does not exist here is an empty one."""

    @functools.wraps(original)
    def get_scoped_config(self: Any) -> Any:
        from botocore.exceptions import ProfileNotFound

        try:
            return original(self)
        except ProfileNotFound:
            return {}

    return get_scoped_config


def _recorded(original: Callable[..., Any], host: ReplayHost) -> Callable[..., Any]:
    """What all recorded clients agree on counts; else what is configured here, else what the first of them had, else
    a stand-in."""

    @functools.wraps(original)
    def get_config_variable(self: Any, logical_name: str, *args: Any, **kwargs: Any) -> Any:
        found = _values(host, RECORDED[logical_name]) if logical_name in RECORDED else []
        if len(set(found)) == 1:
            return found[0]
        here = original(self, logical_name, *args, **kwargs)
        if here is not None:
            return here
        return found[0] if found else STAND_INS.get(logical_name)

    return get_config_variable


def _values(host: ReplayHost, name: str) -> list[Value]:
    source, _ = host.current()
    found = [connection.parameters.get(name) for connection in source.connections(LIBRARY)]
    return [value for value in found if value and not str(value).endswith("-global")]
