"""Orders over HTTP: FastAPI, and SQLAlchemy's asyncio side on psycopg or asyncpg."""
