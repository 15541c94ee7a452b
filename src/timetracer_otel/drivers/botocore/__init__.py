"""botocore, boto3 and aiobotocore: any AWS service.

The tap and the replay stand at one seam, `Endpoint._send` and `AioEndpoint._send`: one HTTP request and its response.
Signing, parsing, checksums, retries, paginators and waiters above it are the library's own, in record and replay.
Looking up credentials never passes there, except for STS and SSO, whose calls by the library itself are left out.
"""
