#!/usr/bin/env python3
"""The monthly cost of each topology, from prices.json. Traffic, snapshots and flow logs are not in it.

Usage: cost.py            prints the table that docs/deploy.md holds
       cost.py --check F  exit status 1 when F holds another table
"""
import json
import os
import sys

ROWS = [("the four-server stack on t3.small", 4, "t3.small", 30), ("classic", 4, "t4g.micro", 10), ("classic on t4g.nano", 4, "t4g.nano", 10),
        ("classic-hardened", 4, "t4g.micro", 10), ("single", 1, "t4g.nano", 10), ("single on t4g.micro", 1, "t4g.micro", 20)]

ENDPOINTS = 4  # ssm, ssmmessages, ec2messages, secretsmanager


def table():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "prices.json"), encoding="utf-8") as f:
        price = json.load(f)
    lines = ["| topology | instances | compute | disk | IPv4 | other | $ a month |", "|---|---|---|---|---|---|---|"]
    for name, count, kind, disk_gb in ROWS:
        compute = count * price["instance_hour"][kind] * price["hours_a_month"]
        disk = count * disk_gb * price["gp3_gb_month"]
        hardened = name.startswith("classic-hardened")
        # In a private subnet only the NAT gateway has a public address.
        address = (1 if hardened else count) * price["public_ipv4_hour"] * price["hours_a_month"]
        other = hardened * (price["hours_a_month"] * (price["nat_gateway_hour"] + ENDPOINTS * price["interface_endpoint_hour"]) +
                            price["hosted_zone_month"] + price["secret_month"] + price["kms_key_month"])
        lines.append(f"| {name} | {count} x {kind}, {disk_gb} GB | {compute:.2f} | {disk:.2f} | {address:.2f} | {other:.2f} | {compute + disk + address + other:.2f} |")
    lines += ["", f"{price['region']}, {price['date']}. {price['source']}."]
    return "\n".join(lines)


def main():
    if sys.argv[1:2] == ["--check"]:
        with open(sys.argv[2], encoding="utf-8") as f:
            if table() not in f.read():
                sys.exit(f"{sys.argv[2]} does not hold the table of cost.py:\n{table()}")
    else:
        print(table())


if __name__ == "__main__":
    main()
