#!/usr/bin/env python3
"""The monthly cost of each topology, from prices.json. Traffic, snapshots and flow logs are not in it.

Usage: cost.py [--prices FILE]    prints the table that docs/deploy.md holds
       cost.py --check F          exit status 1 when F holds another table, or a price lacks its date or source
"""
import json
import os
import re
import sys

PRICES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "prices.json")
ROWS = [("the four-server stack on t3.small", 4, "t3.small", 30), ("classic", 4, "t4g.micro", 10), ("classic on t4g.nano", 4, "t4g.nano", 10),
        ("classic-hardened", 4, "t4g.micro", 10), ("single", 1, "t4g.nano", 10), ("single on t4g.micro", 1, "t4g.micro", 20)]

ENDPOINTS = 4  # ssm, ssmmessages, ec2messages, secretsmanager


def load(path):
    with open(path, encoding="utf-8") as f:
        book = json.load(f)
    for name, row in book["prices"].items():
        if row["usd"] <= 0 or not re.fullmatch(r"\d{4}-\d\d-\d\d", row["read"]) or not row["source"].startswith("https://"):
            sys.exit(f"{path}: {name} needs usd above 0, the day it was read (YYYY-MM-DD) and its source (https://...)")
    return book


def table(book):
    def month(name, count=1):
        """What so many of it cost in a month."""
        row = book["prices"][name]
        return count * row["usd"] * (book["hours_a_month"] if row["per"] == "hour" else 1)

    lines = ["| topology | instances | compute | disk | IPv4 | other | $ a month |", "|---|---|---|---|---|---|---|"]
    for name, count, kind, disk_gb in ROWS:
        hardened = name.startswith("classic-hardened")
        # In a private subnet only the NAT gateway has a public address.
        address = month("public_ipv4", 1 if hardened else count)
        other = month("nat_gateway") + month("interface_endpoint", ENDPOINTS) + month("hosted_zone") + month("secret") + month("kms_key") if hardened else 0
        compute, disk = month(kind, count), month("gp3", count * disk_gb)
        lines.append(f"| {name} | {count} x {kind}, {disk_gb} GB | {compute:.2f} | {disk:.2f} | {address:.2f} | {other:.2f} | {compute + disk + address + other:.2f} |")
    days = sorted(row["read"] for row in book["prices"].values())
    lines += ["", f"On-demand list prices of {book['region']}, read between {days[0]} and {days[-1]}; `deploy/terraform/prices.json` has each with its day and source."]
    return "\n".join(lines)


def main():
    args = sys.argv[1:]
    if args[:1] == ["--check"]:
        with open(args[1], encoding="utf-8") as f:
            if table(load(PRICES)) not in f.read():
                sys.exit(f"{args[1]} does not hold the table of cost.py:\n{table(load(PRICES))}")
    else:
        print(table(load(args[1] if args[:1] == ["--prices"] else PRICES)))


if __name__ == "__main__":
    main()
