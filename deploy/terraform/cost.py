#!/usr/bin/env python3
"""The monthly cost of each topology, from prices.json. Traffic out is not in it.

Usage: cost.py            prints the table that docs/deploy.md holds
       cost.py --check F  exit status 1 when F holds another table
"""
import json
import os
import sys

ROWS = [("the four-server stack on t3.small", 4, "t3.small", 30), ("classic", 4, "t4g.micro", 10), ("classic on t4g.nano", 4, "t4g.nano", 10),
        ("single", 1, "t4g.nano", 10), ("single on t4g.micro", 1, "t4g.micro", 20)]


def table():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "prices.json"), encoding="utf-8") as f:
        price = json.load(f)
    lines = ["| topology | instances | compute | disk | IPv4 | $ a month |", "|---|---|---|---|---|---|"]
    for name, count, kind, disk_gb in ROWS:
        compute = count * price["instance_hour"][kind] * price["hours_a_month"]
        disk = count * disk_gb * price["gp3_gb_month"]
        address = count * price["public_ipv4_hour"] * price["hours_a_month"]
        lines.append(f"| {name} | {count} x {kind}, {disk_gb} GB | {compute:.2f} | {disk:.2f} | {address:.2f} | {compute + disk + address:.2f} |")
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
