"""Outgoing HTTP: httpx and httpx2, requests and urllib3, aiohttp, and `http.client` of the standard library.

Tap and stub of each stand at one seam, just above the socket (`core_*` httpcore, `socket_*` http.client and urllib3,
`aiohttp_*`): one exchange is one request and its response as they went over the wire. Redirects, cookies,
authentication, retries, decoding and pools above it are the client's own, in record and replay.
"""
