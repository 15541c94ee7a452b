"""The own tests of the libraries that we listen to, under plain OpenTelemetry and with our taps in.

`scripts/driver-suites asyncpg`. One file of `libraries` says what each library needs.

suite      what a library says of its tests       sources    its source distribution
inside     what listens in the tested process     runs       one run of all tests
judgement  what differs, and what is unstable     libraries  one file for each library
"""
