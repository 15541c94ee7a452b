"""Notes over HTTP, as a stream and over a WebSocket: FastAPI, asyncpg."""
