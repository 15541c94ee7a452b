"""One file for each library, named like its driver; each has a `SUITE`."""
