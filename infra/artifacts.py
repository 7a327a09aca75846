"""Deployment artifacts in S3: one bucket for each account and region, shared by all stages.

A key contains a digest of its content, so an existing object is never uploaded again and never overwritten.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

REGION_WITHOUT_CONSTRAINT = "us-east-1"


class ArtifactBucket:
    """The artifact bucket. account: its owner; S3 refuses a bucket of this name that belongs to another account."""

    def __init__(self, client: S3Client, account: str) -> None:
        self._client: Any = client
        self._account = account
        self._region: str = client.meta.region_name
        self.bucket = f"tallybook-artifacts-{account}-{self._region}"

    def prepare(self) -> None:
        """Create the bucket if it is missing: private and encrypted."""
        if self._is_there():
            return
        where = {"LocationConstraint": self._region}
        self._client.create_bucket(
            Bucket=self.bucket,
            **({} if self._region == REGION_WITHOUT_CONSTRAINT else {"CreateBucketConfiguration": where}),
        )
        self._client.put_public_access_block(
            Bucket=self.bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
            ExpectedBucketOwner=self._account,
        )
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        self._client.put_bucket_encryption(
            Bucket=self.bucket,
            ServerSideEncryptionConfiguration={"Rules": [rule]},
            ExpectedBucketOwner=self._account,
        )

    def put_file(self, key: str, file: Path) -> bool:
        """Upload a file unless the key exists. Return whether it was uploaded."""
        if self._has(key):
            return False
        self._client.upload_file(str(file), self.bucket, key, ExtraArgs={"ExpectedBucketOwner": self._account})
        return True

    def put_text(self, key: str, text: str) -> str:
        """Upload a text unless the key exists. Return its URL in the form that CloudFormation takes."""
        if not self._has(key):
            body = text.encode()
            self._client.put_object(Bucket=self.bucket, Key=key, Body=body, ExpectedBucketOwner=self._account)
        return f"{self._client.meta.endpoint_url}/{self.bucket}/{key}"

    def _is_there(self) -> bool:
        return self._found(lambda: self._client.head_bucket(Bucket=self.bucket, ExpectedBucketOwner=self._account))

    def _has(self, key: str) -> bool:
        return self._found(
            lambda: self._client.head_object(Bucket=self.bucket, Key=key, ExpectedBucketOwner=self._account)
        )

    @staticmethod
    def _found(look: Any) -> bool:
        try:
            look()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        return True
