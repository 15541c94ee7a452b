"""Pictures in S3, what is known of them in DynamoDB, work in SQS, sizes from Lambda, news over SNS."""
