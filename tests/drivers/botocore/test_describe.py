"""What a call says to people where its body lies beside the part."""

from __future__ import annotations

from timetracer_otel.cassette import Blob, Exchange, Payload, Signature
from timetracer_otel.drivers.botocore.describe import DESCRIBING

BLOB = Blob("0" * 64, 0, 100_000)


def test_a_body_that_lies_beside_is_told_by_its_size() -> None:
    request: Payload = {"service": "s3", "operation": "PutObject", "params": {"Bucket": "b", "Body": BLOB}}
    result: Payload = {"attempts": [{"status": 200, "headers": [], "body": BLOB, "unread": True}]}
    about = DESCRIBING.describe(Exchange("1", "aws.call", Signature("botocore", "PutObject", "s3"), request, result))
    assert about is not None
    assert about.values == ({"Bucket": "b"}, {"Body": "100000 bytes"})
    assert about.outcome == "200, read 100000 bytes, the rest unread"
