"""What we know of each library: how to record it and how to replay it. One folder per driver."""
