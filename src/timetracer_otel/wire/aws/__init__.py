"""What AWS adds to HTTP: chunks of an upload, messages of an event stream, checksums. Bytes in, values out."""
