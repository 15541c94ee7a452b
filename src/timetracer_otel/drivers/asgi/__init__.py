"""ASGI applications (Starlette, FastAPI, any other): the HTTP request as the entry of a segment.

`record` listens just inside OpenTelemetry's middleware, `codec` turns what it heard into an exchange, `replay` sends
the recorded request to the app again and compares what comes of it.
"""
