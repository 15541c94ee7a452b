"""Protocol cores: bytes in, messages out. No socket, clock, thread, logger or global state."""
