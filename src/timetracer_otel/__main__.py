"""`python -m timetracer_otel` is `timetracer-otel`, of the environment that this Python belongs to."""

from timetracer_otel.cli import main

main()
