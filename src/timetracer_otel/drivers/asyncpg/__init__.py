"""asyncpg, on asyncio and uvloop.

record        puts the taps in                       protocol   asyncpg's protocol with hooks around it
hooks         what the taps do, guarded              tracking   what is known of a connection while it lives
introduction  a connection seen for the first time   endings    how an exchange ends
codec         captured bytes -> an exchange          housework  statements that asyncpg sends by itself
many          executemany as one exchange            listening  notifications
catalogue     types of the database, and back
replay        asyncpg redirected to a stub
redirect      connection arguments that lead there   answers    a replay session, with the catalogue
"""
