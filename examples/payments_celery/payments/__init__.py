"""Payments: a web front that sends tasks, and a worker that runs them."""
