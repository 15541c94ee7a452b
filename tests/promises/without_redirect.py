"""Apps whose psycopg is not led to the stub, as controls: `--app tests.promises.without_redirect:shop()`."""

from __future__ import annotations

import psycopg

from timetracer_otel.drivers import registry


def shop() -> object:
    """The one of the demo, beside honeypots."""
    _take_out()
    from tests.promises.shop_beside_honeypots import app

    return app


def service() -> object:
    """The one that the promises are tried on."""
    _take_out()
    from tests.promises.app import app

    return app


def _take_out() -> None:
    assert psycopg.__name__  # its import has put the redirect in
    registry.replaying("psycopg").uninstall()
