"""psycopg 3, sync and async, C and Python implementation.

record     puts the taps in            names      where psycopg keeps what the taps need, by version
hooks      what the taps do, guarded   tracking   what is known of each connection while it lives
codec      captured references -> an exchange          masking    secrets in an exchange
replay     psycopg redirected to a stub                questions  requests in canonical form
redirect   connection parameters that lead to the stub answers    a replay session as PostgreSQL's backend
"""
