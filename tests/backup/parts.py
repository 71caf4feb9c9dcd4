"""Objects in parts: whole when they are there, gone on with after a kill, ended when nobody goes on."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import cairn, tree  # noqa: E402
from s3_front import Fault, Front  # noqa: E402


def uploads(s3, prefix):
    """Keys of what is begun and not completed."""
    _, listing = s3.call("GET", "", uploads="", prefix=prefix)
    return re.findall(r"<Upload>.*?<Key>(.*?)</Key>", listing.decode(), re.S)


def parts(cases, folder, s3):
    data, env = f"--data={folder}/data", dict(s3.env(), AWS_MAX_ATTEMPTS="4")
    with Front(s3) as front:
        def backup(prefix, *more):
            front.seen.clear()
            return cairn("backup", data, f"--to={front.place(prefix)}&part=5", "--name=a", *more, env=env)

        status, said = backup("parts", "--verify")
        cases.check("a piece of 16 MiB goes in four parts", status == 0 and front.count("PUT", query="partNumber=") == 4 and "verified a" in said,
                    f"{front.count('PUT', query='partNumber=')} {said[-300:]}")
        status, said = cairn("restore", f"--from={s3.place('parts')}", f"--data={folder}/from-parts", env=env)
        locks = {p: v for p, v in tree(f"{folder}/data").items() if not p.endswith("lock")}
        cases.check("what comes back is what went", status == 0 and tree(f"{folder}/from-parts") == locks, said[-300:])
        rows = [("a part that fails is sent again, alone", [Fault("internal", "PUT", query="partNumber=3", times=2)], 6),
                ("a part whose answer is lost", [Fault("after_drop", "PUT", query="partNumber=2")], 5),
                ("an end whose answer is lost", [Fault("after_drop", "POST", query="uploadId=")], 4),
                ("an end that is answered with 500", [Fault("after_500", "POST", query="uploadId=")], 4),
                ("an end that fails in an answer of 200", [Fault("error_200", "POST", query="uploadId=")], 4)]
        for i, (what, front.faults, sent) in enumerate(rows):
            status, said = backup(f"parts{i}", "--verify")
            got = front.count("PUT", query="partNumber=")
            cases.check(what, status == 0 and "verified a" in said and got == sent and not uploads(s3, f"parts{i}/"), f"{got} {said[-300:]}")
        front.faults = [Fault("slow_down", "PUT", query="partNumber=3", times=1000)]
        s3.call("POST", "resumed/objects/nobody/goes-on", uploads="")
        s3.call("POST", "resumed-not/objects/anothers", uploads="")
        status, said = backup("resumed")
        cases.check("a part that fails for good", status == 1 and len(uploads(s3, "resumed/")) == 2, f"{said[-300:]} {uploads(s3, 'resumed/')}")
        front.faults = []
        status, said = backup("resumed", "--verify")
        sent = sorted(q for m, _, q in front.seen if m == "PUT" and "partNumber=" in q)
        cases.check("the next run sends what was not there", status == 0 and [q[:12] for q in sent] == ["partNumber=3", "partNumber=4"], f"{sent} {said[-300:]}")
        cases.check("what nobody goes on with is ended, and nothing of others",
                    not uploads(s3, "resumed/") and len(uploads(s3, "resumed-not/")) == 1, f"{uploads(s3, 'resumed')}")
        status, said = cairn("backup", data, f"--to={s3.place('x')}&part=4", env=env)
        cases.check("too small a part", status == 1 and "from 5 to 5120" in said, said[-300:])
