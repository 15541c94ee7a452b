"""redis-py, sync and asyncio: clients, pipelines, locks, pub/sub, cluster and sentinel.

record    puts the taps in                           hooks      what the taps do, guarded
tracking  what is known of a connection              wires      where its bytes come in
messages  what a server sends unasked                connecting connects that failed
tokens    the ids of locks                           owners     connections that are Celery's own
codec     captured bytes -> an exchange              masking    secrets out of commands and replies
forms     a recorded exchange as RESP, or readable   questions  a batch of commands in canonical form
secrets   which arguments and replies are secret     describe   what an exchange says to people
told      commands of which a server tells
replay    redis-py redirected to a stub              answers    the stub's answers, from a session
handshake what the client says when it connects      exceptions what a miss raises
due       messages of pub/sub in replay              names      where redis-py keeps what the taps need
housework what clients ask for themselves             servers    which recorded server one stands for
"""
