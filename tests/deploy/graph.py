#!/usr/bin/env python3
"""The order in which Terraform creates the instances, out of `terraform graph -type=plan`: Loki, application, Prometheus, Grafana; each after
what its first boot needs.

Usage: graph.py GRAPH.dot     exit status 1 when a node waits for others than those before it, or not for what it needs
"""
import re
import sys

ORDER = ["logs", "app", "metrics", "dashboards"]
# The ways to packages and to AWS, and what the node's role may.
NEEDED = [f"module.network.{r}" for r in ("aws_route.internet", "aws_route_table_association.public", "aws_route.nat", "aws_route_table_association.private",
                                          "aws_vpc_endpoint.service", "aws_vpc_endpoint.s3", "aws_vpc_security_group_ingress_rule.endpoints")] + \
    [f"module.firewall.aws_vpc_security_group_{way}_rule.this" for way in ("ingress", "egress")] + \
    [f"module.iam.{r}" for r in ("aws_iam_role_policy.password", "aws_iam_role_policy.secret", "aws_iam_role_policy_attachment.session_manager")]


def main():
    edges = {}
    with open(sys.argv[1], encoding="utf-8") as f:
        for a, b in re.findall(r'"\[root\] (.*?)" -> "\[root\] (.*?)"', f.read()):
            edges.setdefault(a, set()).add(b)

    def waits_for(role):
        seen, todo = set(), [f"module.{role}.aws_instance.this (expand)"]
        while todo:
            new = edges.get(todo.pop(), set()) - seen
            seen |= new
            todo += new
        return seen

    seen = {role: waits_for(role) for role in [*ORDER, "all"]}
    missing = {role: [n for n in NEEDED if f"{n} (expand)" not in s] for role, s in seen.items()}
    if any(missing.values()):
        sys.exit(f"who does not wait for what: {missing}")
    found = {role: [r for r in ORDER if f"module.{r}.aws_instance.this (expand)" in seen[role]] for role in ORDER}
    if found != {role: ORDER[:n] for n, role in enumerate(ORDER)}:
        sys.exit(f"who waits for whom: {found}")


if __name__ == "__main__":
    main()
