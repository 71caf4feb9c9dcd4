#!/usr/bin/env python3
"""The order in which Terraform creates the instances, out of `terraform graph -type=plan`: Loki, application, Prometheus, Grafana.

Usage: graph.py GRAPH.dot     exit status 1 when a node waits for others than those before it
"""
import re
import sys

ORDER = ["logs", "app", "metrics", "dashboards"]


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
        return [r for r in ORDER if f"module.{r}.aws_instance.this (expand)" in seen]

    found = {role: waits_for(role) for role in ORDER}
    if found != {role: ORDER[:n] for n, role in enumerate(ORDER)}:
        sys.exit(f"who waits for whom: {found}")


if __name__ == "__main__":
    main()
