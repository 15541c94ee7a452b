"""psycopg 3, sync and async, C and Python implementation.

record        puts the taps in                       names      where psycopg keeps what the taps need
hooks         what the taps do, guarded              tracking   what is known of a connection while it lives
introduction  a connection seen for the first time   endings    how an exchange ends
copying       what the taps of COPY do               flows      what passes piece by piece, bounded
streaming     those of `stream()`                    listening  those of LISTEN
connecting    those of `connect`                     refusing   connects that fail again
codec         captured references -> an exchange
replay        psycopg redirected to a stub           redirect   connection parameters that lead there
"""
