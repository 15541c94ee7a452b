"""The environment names the servers: POSTGRES, MONGO, REDIS, HTTP, and those of AWS."""

from __future__ import annotations

from opentelemetry import baggage, context

from tests.promises.canaries import aws, stores, tasks, web
from tests.promises.canaries.secrets import secret


def main() -> None:
    context.attach(baggage.set_baggage("session_token", secret("baggage"), baggage.set_baggage("tier", "gold")))
    for module in (stores, aws, web, tasks):
        for program in module.PROGRAMS:
            program()


if __name__ == "__main__":
    main()
