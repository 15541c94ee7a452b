"""Orders over HTTP: FastAPI, and asyncpg by hand."""
