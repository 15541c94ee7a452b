"""Inside the app: what a tap may use. Nothing here raises into the application or does I/O."""
