"""A snapshot of the volume under a node that works, as EBS takes it: the copy, mounted elsewhere, has everything that was acknowledged."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from load import LineWriter, SampleWriter  # noqa: E402
from node import Node  # noqa: E402


def sh(*args):
    subprocess.run(args, check=True, capture_output=True)


def can_mount(folder):
    try:
        sh("truncate", "-s", "8M", f"{folder}/try.img")
        sh("mkfs.ext4", "-q", "-F", f"{folder}/try.img")
        os.makedirs(f"{folder}/try", exist_ok=True)
        sh("mount", "-o", "loop", f"{folder}/try.img", f"{folder}/try")
        sh("umount", f"{folder}/try")
        return True
    except (OSError, subprocess.CalledProcessError):
        return False


def volume_snapshot(cases, folder):
    base = f"{folder}/volume"
    os.makedirs(f"{base}/disk")
    os.makedirs(f"{base}/copy")
    if not can_mount(base):
        print("skipped: a snapshot of the volume (no loop devices here)")
        return
    sh("truncate", "-s", "512M", f"{base}/disk.img")
    sh("mkfs.ext4", "-q", "-F", f"{base}/disk.img")
    sh("mount", "-o", "loop", f"{base}/disk.img", f"{base}/disk")
    mounted = [f"{base}/disk"]
    try:
        node = Node(f"{base}/disk/node")
        node.write_config()
        with node:
            node.make_dashboard_and_user()
            writers = [SampleWriter(node, 0), LineWriter(node, 1)]
            for w in writers:
                w.start()
            time.sleep(3)
            marks = [list(w.acknowledged) for w in writers]
            sh("fsfreeze", "-f", f"{base}/disk")
            try:
                sh("cp", "--sparse=always", f"{base}/disk.img", f"{base}/copy.img")
            finally:
                sh("fsfreeze", "-u", f"{base}/disk")
            for w in writers:
                w.stop_now = True
            for w in writers:
                w.join(30)
        node.log.close()
        sh("mount", "-o", "loop", f"{base}/copy.img", f"{base}/copy")
        mounted.append(f"{base}/copy")
        with Node(f"{base}/copy/node") as copy:
            for w, before in zip(writers, marks):
                lost = w.lost(copy, before)
                cases.check(f"a snapshot of the volume: {type(w).__name__} keeps every one of {len(before)}", len(before) > 10 and not lost,
                            f"{len(lost)} lost, first {lost[:3]}")
            missing = copy.has_dashboard_and_user().replace("dashboard kept", "").strip(", ")  # its file is named by its old place
            cases.check("a snapshot of the volume: dashboards and users", not missing, missing)
        copy.log.close()
    finally:
        for where in mounted:
            subprocess.run(["umount", "-l", where], check=False)
