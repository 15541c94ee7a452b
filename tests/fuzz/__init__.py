"""What strangers may send, thrown at every parser: `scripts/fuzz`, or `python -m tests.fuzz`."""
