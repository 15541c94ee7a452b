"""Replay: a recorded segment runs again, its requests answered from the cassette, and the outcome is compared.

    runner      outside: starts the process, reads its journal, builds the report
    isolation   the step between: a network namespace with nothing but loopback
    bootstrap   inside, before any instrumentor: session, guards, clock, ids, span processor
    child       inside: imports the app and runs the entry
    session     answers from one segment; `matching` and `origin` say what is the same

Everything that the two sides tell each other goes through `journal`.
"""
