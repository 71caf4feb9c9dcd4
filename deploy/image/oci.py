"""Writes an OCI image layout (image-spec 1.0) with nothing but Python's standard library: layers as tar files, blobs named by their
digest, one index for all architectures. The same files give the same bytes: names are sorted, owners and times are given, and the
compressor's header carries no time.
"""
import hashlib
import io
import json
import os
import tarfile
import zlib

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Tree:
    """A file tree that becomes a layer or a tarball. Folders above a file come by themselves, root's and 0755."""

    def __init__(self, when):
        self.when, self.entries = when, {}

    def _entry(self, path, mode, kind, owner):
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.folder(parent)
        info = tarfile.TarInfo(path)
        info.mode, info.type, info.mtime = mode, kind, self.when
        info.uid = info.gid = owner
        self.entries[path] = (info, b"")
        return info

    def folder(self, path, mode=0o755, owner=0):
        self._entry(path, mode, tarfile.DIRTYPE, owner)

    def file(self, path, data, mode=0o644, owner=0):
        info = self._entry(path, mode, tarfile.REGTYPE, owner)
        info.size = len(data)
        self.entries[path] = (info, data)

    def link(self, path, target):
        self._entry(path, 0o777, tarfile.SYMTYPE, 0).linkname = target

    def tar(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for path in sorted(self.entries):
                info, data = self.entries[path]
                tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
        return out.getvalue()


def gzipped(data):
    # 31: a gzip header, whose time field zlib leaves at 0.
    c = zlib.compressobj(9, zlib.DEFLATED, 31)
    return c.compress(data) + c.flush()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    """The blobs of one image layout, in memory until written."""

    def __init__(self):
        self.blobs, self.index = {}, []

    def blob(self, data, kind, **more):
        name = digest(data)
        self.blobs[name] = data
        return {"mediaType": kind, "digest": name, "size": len(data), **more}

    def json(self, document, kind, **more):
        return self.blob(json.dumps(document, sort_keys=True, separators=(",", ":")).encode(), kind, **more)

    def image(self, arch, layers, config, created, labels):
        """layers: (what made it, Tree). Returns the manifest's descriptor with its platform."""
        tars = [(by, tree.tar()) for by, tree in layers]
        document = {
            "architecture": arch, "os": "linux", "created": created, "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest(t) for _, t in tars]},
            "history": [{"created": created, "created_by": by} for by, _ in tars],
        }
        manifest = {
            "schemaVersion": 2, "mediaType": MANIFEST, "config": self.json(document, CONFIG),
            "layers": [self.blob(gzipped(t), LAYER) for _, t in tars], "annotations": labels,
        }
        return self.json(manifest, MANIFEST, platform={"architecture": arch, "os": "linux"})

    def tag(self, name, manifests, labels):
        """name stands for the index of all architectures: the layout's one entry, because podman loads no layout with more."""
        every = self.json({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, "annotations": labels}, INDEX)
        self.index.append({**every, "annotations": {"org.opencontainers.image.ref.name": name}})

    def tree(self, when):
        tree = Tree(when)
        tree.file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        top = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.index}
        tree.file("index.json", json.dumps(top, sort_keys=True, separators=(",", ":")).encode())
        for name in sorted(self.blobs):
            tree.file("blobs/" + name.replace(":", "/"), self.blobs[name])
        return tree


def write_files(tree, folder):
    """A tree of plain files and folders, as an image layout is, into a folder."""
    for path, (info, data) in sorted(tree.entries.items()):
        where = os.path.join(folder, path)
        if info.isdir():
            os.makedirs(where, exist_ok=True)
        else:
            with open(where, "wb") as f:
                f.write(data)
