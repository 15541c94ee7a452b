"""Notes over HTTP, as a stream and over a WebSocket: Starlette, psycopg."""
