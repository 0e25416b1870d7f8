"""Asks an endpoint for predictions as a Python service on AWS does, with boto3 as it comes.

    python boto.py ADDRESS ENDPOINT INFERENCE_ID < rows.csv

Prints what was answered, then how an endpoint is refused that nobody serves, as JSON.
"""

import json
import sys

import boto3

address, endpoint, inference_id = sys.argv[1:]
client = boto3.client(
    "sagemaker-runtime",
    endpoint_url=address,
    region_name="eu-west-1",
    aws_access_key_id="any",
    aws_secret_access_key="any",
)
rows = sys.stdin.read()
answer = client.invoke_endpoint(
    EndpointName=endpoint, ContentType="text/csv", InferenceId=inference_id, Body=rows
)
try:
    client.invoke_endpoint(EndpointName="nobody", ContentType="text/csv", Body=rows)
    refused = None
except client.exceptions.ValidationError as error:
    refused = error.response["Error"]["Message"]
print(
    json.dumps(
        {
            "body": answer["Body"].read().decode(),
            "content_type": answer["ContentType"],
            "variant": answer["InvokedProductionVariant"],
            "refused": refused,
        }
    )
)
