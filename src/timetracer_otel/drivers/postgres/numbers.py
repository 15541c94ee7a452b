"""The numbers of the process (`drivers.numbers`), for the drivers of PostgreSQL."""

from timetracer_otel.drivers.numbers import connections, transactions

__all__ = ["connections", "transactions"]
