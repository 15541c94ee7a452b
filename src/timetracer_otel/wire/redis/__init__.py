"""RESP2 and RESP3, sans I/O and without the `redis` package: cassettes open where no driver is.

frames    bytes -> whole frames, however they were cut   commands  what a client sends
readable  one frame as plain data, and back              backend   the server's side of one connection
topics    to what a connection listens
"""
