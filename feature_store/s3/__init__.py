"""S3 and what speaks like it: where it is, who asks there, and single objects. boto3 comes when it is needed."""
