"""Celery: the task as the entry of a segment; what it publishes and what results it reads as exchanges.

Recording: `tasks` hears a task that runs, `publishing` what is sent, `record` puts both in. `typed` keeps arguments
exactly, `codec` makes exchanges of all, `keeping` leaves out what Celery asks for its results. Replay: `running` runs
the task through Celery's own tracer, `transport` stands for every broker, `backend` for every result backend,
`questions` says what is compared.
"""
