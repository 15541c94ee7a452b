"""A cassette as OTLP spans and back: what Jaeger and a Collector store and show. `docs/jaeger.md` lists the attributes.

Needs the extra `jaeger` (opentelemetry-proto); an application that does not send OTLP through us loads nothing.
"""
