"""A client that is made at import and never calls: it wants a region all the same."""

from __future__ import annotations

import boto3
from botocore.config import Config

s3 = boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))


def where() -> str:
    url: str = s3.generate_presigned_url("get_object", {"Bucket": "media", "Key": "a.txt"})
    return url.partition("?")[0]


SCENARIOS = [where]
