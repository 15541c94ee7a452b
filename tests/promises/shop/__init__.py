"""A small service for tests of servers and processes; it is copied to a folder of its own before it runs."""
