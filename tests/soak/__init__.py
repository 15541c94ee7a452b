"""`scripts/soak`: a real service under load for a long time, recorded beside the same one under plain OpenTelemetry."""
