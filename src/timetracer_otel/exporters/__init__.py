"""What the SDK loads for OTEL_TRACES_EXPORTER=timetracer. Heavy imports wait for the first part."""

from timetracer_otel.exporters.exporter import TimetracerSpanExporter

__all__ = ["TimetracerSpanExporter"]
