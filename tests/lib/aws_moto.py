#!/usr/bin/env python3
"""AWS, played by moto on a free loopback port, for aws_server.py, which starts this with the Python that has moto.

Once it is ready every call must be signed by keys that IAM or STS gave out here, with their session's token, and be allowed by the user's
or role's policies: moto recomputes the signature with botocore. What it does not look at: when a session ends, the hash of an object's
bytes, whether the token is among the signed headers.

Usage: aws_moto.py WORLD.json    {region, certificate: [crt, key] or null, users: {name: statements}, roles: {name: {trust, statements}},
secrets: {name: text}, parameters: {name: text}, buckets: [name]}. Prints one line of JSON: {port, users: {name: [id, secret]},
roles: {name: arn}, sessions: {role: [id, secret, token]}, secrets: {name: arn}}; ends with its standard input.
"""
import json
import os
import ssl
import sys
import threading

import boto3
from moto import settings
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.ssm.responses import SimpleSystemManagerResponse
from werkzeug.serving import make_server


def secret_asked_for(response):
    return json.loads(response.body).get("SecretId", "*")


def parameter_asked_for(response):
    name = json.loads(response.body).get("Name")
    return f"arn:aws:ssm:{response.region}:{response.current_account}:parameter{name}" if name else "*"


# What the policies are asked about; by itself moto asks them about "*" here, and only of STS, IAM and S3 about more.
SecretsManagerResponse._determine_resource = secret_asked_for
SimpleSystemManagerResponse._determine_resource = parameter_asked_for


def policy(statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def furnish(world, client):
    """Makes what the world has; what was made up on the way."""
    iam, sts, out = client("iam"), client("sts"), {"users": {}, "roles": {}, "sessions": {}, "secrets": {}}
    for name, statements in world["users"].items():
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        out["users"][name] = [key["AccessKeyId"], key["SecretAccessKey"]]
    for name, role in world["roles"].items():
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(role["trust"]))["Role"]["Arn"]
        if role["statements"]:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(role["statements"]))
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="made-at-start")["Credentials"]
        out["roles"][name] = arn
        out["sessions"][name] = [keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]]
    for name, text in world["secrets"].items():
        out["secrets"][name] = client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"]
    for name, text in world["parameters"].items():
        client("ssm").put_parameter(Name=name, Value=text, Type="SecureString")
    for name in world["buckets"]:
        client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": world["region"]})
    return out


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        world = json.load(f)
    context = None
    if world["certificate"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*world["certificate"])
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True, ssl_context=context)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"

    def client(service):
        return boto3.client(service, endpoint_url=url, region_name=world["region"], verify=False, aws_access_key_id="nobody", aws_secret_access_key="nobody")

    made = furnish(world, client)
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0  # from here on nobody is let in unasked
    print(json.dumps({"port": server.server_port, **made}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    os.environ["PYTHONWARNINGS"] = "ignore"
    sys.exit(main())
