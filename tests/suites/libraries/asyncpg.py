"""asyncpg's own tests. They start servers of their own, by the programs of a PostgreSQL with TLS."""

from __future__ import annotations

from tests.suites.postgres_programs import programs
from tests.suites.suite import Suite

SUITE = Suite(
    distribution="asyncpg",
    tests="tests",
    requirements=("distro",),
    ignored={
        "tests/test__environment.py": "looks at the machine of asyncpg's own CI",
        "tests/test__sourcecode.py": "looks at asyncpg's source code",
    },
    servers=programs,
)
