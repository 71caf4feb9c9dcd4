#!/usr/bin/env python3
"""The resources of `terraform test -json -verbose` made in moto, run by run, by the calls that the provider makes: what AWS' own library
says of each value (names, enumerations, patterns, lengths), and what moto says of the whole: that policies are well formed and AWS' own
exist, instance types exist, subnets lie in the VPC, rules are not given twice, nothing refers to what is not there; not who may take a
role. Prints "N passed, N failed".

Neither AWS' quotas nor its permissions are in this, nor whether Debian has an image in a region.

Usage: apply.py TEST.json    with the Python that has moto (tests/lib/aws_venv.sh)
"""
import functools
import json
import os
import re
import sys

os.environ.update(MOTO_IAM_LOAD_MANAGED_POLICIES="true", MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION="true", AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none")
import boto3  # noqa: E402
import botocore.validate  # noqa: E402
from moto import mock_aws  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import Cases  # noqa: E402

REGION = "eu-north-1"
ORDER = ("vpc", "internet_gateway", "subnet", "eip", "nat_gateway", "route_table", "route", "route_table_association", "security_group",
         "vpc_security_group_ingress_rule", "vpc_security_group_egress_rule", "cloudwatch_log_group", "iam_role", "iam_role_policy",
         "iam_role_policy_attachment", "iam_instance_profile", "instance", "vpc_endpoint", "route53_zone", "route53_record", "flow_log", "dlm_lifecycle_policy")
SKIPPED = {"default_security_group"}  # AWS made it; Terraform only empties it
IMAGE = "ami-12c6146b"  # any: moto has none of Debian's
RUNS = ("classic", "single", "hardened")
# Java's classes of letters, spaces, symbols, digits and punctuation, as far as ASCII goes.
CLASSES = {"L": "A-Za-z", "M": "", "Z": " ", "S": "$+<=>^`|~", "N": "0-9", "P": "!\"#%&'()*,./:;?@\\\\[\\]_{}-", "ASCII": "\\x00-\\x7f", "all": "\\s\\S"}
# What EC2 takes for the description of a rule or a group; neither the library nor moto knows.
DESCRIPTION = r"[a-zA-Z0-9. _:/()#,@\[\]+=&;{}!$*-]{1,255}"


class Illegal(Exception):
    pass


def legal(shape, value, where):
    """What the library's model says of a value and the library itself does not check."""
    if shape.type_name == "structure":
        for name, part in value.items():
            legal(shape.members[name], part, f"{where}.{name}")
    elif shape.type_name == "list":
        for part in value:
            legal(shape.member, part, where)
    elif shape.type_name == "string":
        enum, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
        if enum and value not in enum:
            raise Illegal(f"{where}: {value!r} is none of {', '.join(enum[:12])}")
        pattern = pattern and re.sub(r"\\p\{(\w+)\}", lambda m: CLASSES[m.group(1)], pattern)
        if pattern and not re.fullmatch(pattern, value):
            raise Illegal(f"{where}: {value!r} does not match {pattern}")
    size = len(value) if shape.type_name in ("string", "list") else value if shape.type_name in ("integer", "long") else None
    if size is not None and not shape.metadata.get("min", size) <= size <= shape.metadata.get("max", size):
        raise Illegal(f"{where}: {value!r} is not from {shape.metadata.get('min')} to {shape.metadata.get('max')}")


class Account:
    """One account; `known` maps what the test's provider made up to what moto did."""

    def __init__(self):
        self.known, self.clients = {}, {}

    def call(self, service, operation, **params):
        client = self.clients.setdefault(service, boto3.client(service, region_name=REGION))
        params = {k: v for k, v in params.items() if v is not None}
        name = client.meta.method_to_api_mapping[operation]
        legal(client.meta.service_model.operation_model(name).input_shape, params, name)
        if service == "dlm":  # moto has none: the request is only built
            botocore.validate.validate_parameters(params, client.meta.service_model.operation_model(name).input_shape)
            return {}
        return getattr(client, operation)(**params)

    def real(self, value):
        """With moto's names in the place of those that were made up."""
        if isinstance(value, str) and value.startswith("{"):  # a policy
            return functools.reduce(lambda text, known: text.replace(f'"{known[0]}', f'"{known[1]}'), self.known.items(), value)
        if isinstance(value, str):
            return self.known.get(value, value)
        if isinstance(value, list):
            return [self.real(v) for v in value]
        return {k: self.real(v) for k, v in value.items()} if isinstance(value, dict) else value

    def make(self, kind, made_up):
        values = self.real(made_up)
        for key, real in globals()[f"make_{kind}"](self, values).items():
            if made_up.get(key):
                self.known[made_up[key]] = real


def tags(values):
    return [{"Key": k, "Value": v} for k, v in (values.get("tags") or {}).items()]


def tagged(kind, values):
    return [{"ResourceType": kind, "Tags": tags(values)}]


# -- one function a type: makes it, and says what its made-up attributes are really --------------------------------------

def make_vpc(a, v):
    vpc = a.call("ec2", "create_vpc", CidrBlock=v["cidr_block"], TagSpecifications=tagged("vpc", v))["Vpc"]["VpcId"]
    a.call("ec2", "modify_vpc_attribute", VpcId=vpc, EnableDnsHostnames={"Value": v["enable_dns_hostnames"]})
    return {"id": vpc}


def make_internet_gateway(a, v):
    gateway = a.call("ec2", "create_internet_gateway", TagSpecifications=tagged("internet-gateway", v))["InternetGateway"]["InternetGatewayId"]
    a.call("ec2", "attach_internet_gateway", InternetGatewayId=gateway, VpcId=v["vpc_id"])
    return {"id": gateway}


def make_subnet(a, v):
    return {"id": a.call("ec2", "create_subnet", VpcId=v["vpc_id"], CidrBlock=v["cidr_block"], TagSpecifications=tagged("subnet", v))["Subnet"]["SubnetId"]}


def make_eip(a, v):
    return {"id": a.call("ec2", "allocate_address", Domain=v["domain"], TagSpecifications=tagged("elastic-ip", v))["AllocationId"]}


def make_nat_gateway(a, v):
    made = a.call("ec2", "create_nat_gateway", AllocationId=v["allocation_id"], SubnetId=v["subnet_id"], TagSpecifications=tagged("natgateway", v))
    return {"id": made["NatGateway"]["NatGatewayId"]}


def make_route_table(a, v):
    return {"id": a.call("ec2", "create_route_table", VpcId=v["vpc_id"], TagSpecifications=tagged("route-table", v))["RouteTable"]["RouteTableId"]}


def make_route(a, v):
    way = {"NatGatewayId": v["nat_gateway_id"]} if v.get("nat_gateway_id") in a.known.values() else {"GatewayId": v["gateway_id"]}
    a.call("ec2", "create_route", RouteTableId=v["route_table_id"], DestinationCidrBlock=v["destination_cidr_block"], **way)
    return {}


def make_route_table_association(a, v):
    return {"id": a.call("ec2", "associate_route_table", RouteTableId=v["route_table_id"], SubnetId=v["subnet_id"])["AssociationId"]}


def make_security_group(a, v):
    group = a.call("ec2", "create_security_group", GroupName=v["name"], Description=described(v["description"]), VpcId=v["vpc_id"],
                   TagSpecifications=tagged("security-group", v))["GroupId"]
    # As the provider does: AWS lets everything out of a new group.
    a.call("ec2", "revoke_security_group_egress", GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    return {"id": group}


def described(text):
    if not re.fullmatch(DESCRIPTION, text):
        raise Illegal(f"the description {text!r} has more than 255 characters, or others than EC2 takes")
    return text


def rule(a, v, way):
    ports = {} if v["ip_protocol"] == "-1" else {"FromPort": v["from_port"], "ToPort": v["to_port"]}
    peer = ({"IpRanges": [{"CidrIp": v["cidr_ipv4"], "Description": described(v["description"])}]} if v.get("cidr_ipv4") else
            {"UserIdGroupPairs": [{"GroupId": v["referenced_security_group_id"], "Description": described(v["description"])}]})
    a.call("ec2", f"authorize_security_group_{way}", GroupId=v["security_group_id"], IpPermissions=[{"IpProtocol": v["ip_protocol"], **ports, **peer}])
    return {}


def make_vpc_security_group_ingress_rule(a, v):
    return rule(a, v, "ingress")


def make_vpc_security_group_egress_rule(a, v):
    return rule(a, v, "egress")


def make_iam_role(a, v):
    role = a.call("iam", "create_role", RoleName=v["name"], AssumeRolePolicyDocument=v["assume_role_policy"], Tags=tags(v))["Role"]
    return {"id": role["RoleName"], "arn": role["Arn"]}


def make_iam_role_policy(a, v):
    a.call("iam", "put_role_policy", RoleName=v["role"], PolicyName=v["name"], PolicyDocument=v["policy"])
    return {}


def make_iam_role_policy_attachment(a, v):
    a.call("iam", "attach_role_policy", RoleName=v["role"], PolicyArn=v["policy_arn"])
    return {}


def make_iam_instance_profile(a, v):
    a.call("iam", "create_instance_profile", InstanceProfileName=v["name"], Tags=tags(v))
    a.call("iam", "add_role_to_instance_profile", InstanceProfileName=v["name"], RoleName=v["role"])
    return {"id": v["name"]}


def make_instance(a, v):
    root, metadata = v["root_block_device"][0], v["metadata_options"][0]
    disk = {"VolumeSize": root["volume_size"], "VolumeType": root["volume_type"], "Encrypted": root["encrypted"]}
    made = a.call(
        "ec2", "run_instances", ImageId=IMAGE, MinCount=1, MaxCount=1, InstanceType=v["instance_type"], UserData=v["user_data"],
        IamInstanceProfile={"Name": v["iam_instance_profile"]}, Monitoring={"Enabled": v["monitoring"]},
        CreditSpecification={"CpuCredits": v["credit_specification"][0]["cpu_credits"]},
        MetadataOptions={"HttpEndpoint": metadata["http_endpoint"], "HttpTokens": metadata["http_tokens"], "HttpPutResponseHopLimit": metadata["http_put_response_hop_limit"]},
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": disk}], TagSpecifications=tagged("instance", v) + tagged("volume", root),
        NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": v["subnet_id"], "Groups": v["vpc_security_group_ids"],
                            "AssociatePublicIpAddress": v["associate_public_ip_address"]}])["Instances"][0]
    return {"id": made["InstanceId"], "private_ip": made["PrivateIpAddress"]}


def make_vpc_endpoint(a, v):
    made = a.call("ec2", "create_vpc_endpoint", VpcId=v["vpc_id"], ServiceName=v["service_name"], VpcEndpointType=v["vpc_endpoint_type"],
                  RouteTableIds=v["route_table_ids"] or None, SubnetIds=v["subnet_ids"] or None, SecurityGroupIds=v["security_group_ids"] or None,
                  PrivateDnsEnabled=v["private_dns_enabled"], TagSpecifications=tagged("vpc-endpoint", v))["VpcEndpoint"]
    offered = a.call("ec2", "describe_vpc_endpoint_services")["ServiceNames"]
    if v["service_name"] not in offered:
        raise Illegal(f"{v['service_name']} is not offered in {REGION}")
    return {"id": made["VpcEndpointId"]}


def make_route53_zone(a, v):
    zone = a.call("route53", "create_hosted_zone", Name=v["name"], CallerReference="once", VPC={"VPCRegion": REGION, "VPCId": v["vpc"][0]["vpc_id"]},
                  HostedZoneConfig={"PrivateZone": True})["HostedZone"]["Id"].split("/")[-1]
    return {"zone_id": zone, "id": zone}


def make_route53_record(a, v):
    record = {"Name": v["name"], "Type": v["type"], "TTL": v["ttl"], "ResourceRecords": [{"Value": r} for r in v["records"]]}
    a.call("route53", "change_resource_record_sets", HostedZoneId=v["zone_id"], ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})
    return {}


def make_cloudwatch_log_group(a, v):
    a.call("logs", "create_log_group", logGroupName=v["name"], tags=v["tags"])
    a.call("logs", "put_retention_policy", logGroupName=v["name"], retentionInDays=v["retention_in_days"])
    return {"id": v["name"], "arn": a.call("logs", "describe_log_groups", logGroupNamePrefix=v["name"])["logGroups"][0]["arn"]}


def make_flow_log(a, v):
    made = a.call("ec2", "create_flow_logs", ResourceIds=[v["vpc_id"]], ResourceType="VPC", TrafficType=v["traffic_type"], LogDestinationType="cloud-watch-logs",
                  LogGroupName=v["log_destination"].split(":log-group:")[1].split(":")[0], DeliverLogsPermissionArn=v["iam_role_arn"],
                  TagSpecifications=tagged("vpc-flow-log", v))
    if made["Unsuccessful"]:
        raise Illegal(str(made["Unsuccessful"]))
    return {"id": made["FlowLogIds"][0]}


def make_dlm_lifecycle_policy(a, v):
    details = v["policy_details"][0]
    schedule = details["schedule"][0]
    create, keep = schedule["create_rule"][0], schedule["retain_rule"][0]
    a.call("dlm", "create_lifecycle_policy", ExecutionRoleArn=v["execution_role_arn"], Description=v["description"], State=v["state"], PolicyDetails={
        "ResourceTypes": details["resource_types"], "TargetTags": [{"Key": k, "Value": x} for k, x in details["target_tags"].items()],
        "Schedules": [{"Name": schedule["name"], "CopyTags": schedule["copy_tags"], "RetainRule": {"Count": keep["count"]},
                       "CreateRule": {"Interval": create["interval"], "IntervalUnit": create["interval_unit"], "Times": create["times"]}}]})
    return {}


# -- a run -------------------------------------------------------------------------------------------------------

def resources(module):
    yield from (r for r in module.get("resources", []) if r["mode"] == "managed" and r["type"].startswith("aws_"))
    for child in module.get("child_modules", []):
        yield from resources(child)


def states(path):
    with open(path, encoding="utf-8") as f:
        for line in f:
            message = json.loads(line)
            if "test_state" in message:
                yield message["@testrun"], list(resources(message["test_state"]["root_module"]))


def applied(cases, run, rows):
    account = Account()
    unknown = {r["type"][4:] for r in rows} - set(ORDER) - SKIPPED
    cases.check(f"{run}: every type is tried", not unknown, unknown)
    for row in sorted((r for r in rows if r["type"][4:] in ORDER), key=lambda r: ORDER.index(r["type"][4:])):
        cases.run(f"{run}: {row['address']}", account.make, row["type"][4:], row["values"])
    return account


WRONG = [("instance", ("instance_type",), "t4g.pico", "t4g.pico"), ("instance", ("root_block_device", 0, "volume_type"), "gp9", "gp9"),
         ("instance", ("metadata_options", 0, "http_tokens"), "always", "always"), ("instance", ("iam_instance_profile",), "nobody", "nobody"),
         ("subnet", ("cidr_block",), "10.9.1.0/24", "10.9.1.0/24"),
         ("iam_role_policy", ("policy",), '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "GetParameter", "Resource": "*"}]}', "Malformed"),
         ("iam_role_policy_attachment", ("policy_arn",), "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCor", "does not exist"),
         ("vpc_endpoint", ("service_name",), f"com.amazonaws.{REGION}.secretmanager", "secretmanager"),
         ("flow_log", ("traffic_type",), "EVERY", "EVERY"),
         ("dlm_lifecycle_policy", ("policy_details", 0, "schedule", 0, "create_rule", 0, "interval_unit"), "DAYS", "DAYS"),
         ("vpc_security_group_egress_rule", ("description",), "Lines \u2192 Loki", "description")]


def wrong(cases, account, rows):
    """What must be refused, is: one value of a resource that is otherwise right, under another name."""
    for kind, path, value, says in WRONG:
        values = json.loads(json.dumps(next(r for r in rows if r["type"] == f"aws_{kind}")["values"]))
        place = values
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        values["name"] = "another"
        try:
            account.make(kind, values)
            said = "nothing"
        except Exception as e:  # the refusal that is looked for
            said = str(e)
        cases.check(f"{kind} with {'.'.join(map(str, path))} = {value} is refused", says.lower() in said.lower(), said)


def main():
    cases = Cases()
    for run, rows in states(sys.argv[1]):
        if run in RUNS:
            with mock_aws():
                account = applied(cases, run, rows)
                if run == "hardened":
                    wrong(cases, account, rows)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
