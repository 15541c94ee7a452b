"""psycopg 3, sync and async, C and Python implementation.

record        puts the taps in                       names      where psycopg keeps what the taps need
hooks         what the taps do, guarded              tracking   what is known of a connection while it lives
introduction  a connection seen for the first time   endings    how an exchange ends
copying       what the taps of COPY do               flows      what passes piece by piece, bounded
streaming     those of `stream()`                    listening  those of LISTEN
connecting    those of `connect`
codec         captured references -> an exchange     copy_masking  secrets in the data of COPY
masking       secrets in an exchange                 stand_ins  what stands for a secret of each type
error_fields  secrets in errors and notices
replay        psycopg redirected to a stub           redirect   connection parameters that lead there
questions     requests in canonical form             answers    a replay session as PostgreSQL's backend
cursors       pages of server-side cursors, joined   refusing   connects that fail again
"""
