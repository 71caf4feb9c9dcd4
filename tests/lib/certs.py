"""A private CA and what it signs, made with openssl."""
import datetime
import os
import subprocess


class Authority:
    """FOLDER/ca.crt, and server certificates that it signs."""

    def __init__(self, folder, name="a private authority"):
        os.makedirs(folder, exist_ok=True)
        self.dir, self.ca = folder, f"{folder}/ca.crt"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                     "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                     "-keyout", f"{folder}/ca.key", "-out", self.ca)
        open(f"{folder}/index", "w").close()
        with open(f"{folder}/ca.cnf", "w") as f:
            f.write(f"[ca]\ndefault_ca = d\n[d]\ndatabase = {folder}/index\nnew_certs_dir = {folder}\nrand_serial = yes\ndefault_md = sha256\n"
                    f"certificate = {self.ca}\nprivate_key = {folder}/ca.key\npolicy = p\nunique_subject = no\n[p]\ncommonName = supplied\n")

    def openssl(self, *args):
        done = subprocess.run(["openssl", *args], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"openssl {args[0]}: {done.stderr}")

    def sign(self, name, alternatives, begin_days=-1, end_days=10):
        """(certificate, key) with those names ("DNS:localhost", "IP:127.0.0.1"), valid from and to so many days from now."""
        base = f"{self.dir}/{name}"
        now = datetime.datetime.now(datetime.timezone.utc)
        begin, end = (now + datetime.timedelta(days=d) for d in (begin_days, end_days))
        with open(f"{base}.ext", "w") as f:
            f.write(f"basicConstraints = CA:FALSE\nextendedKeyUsage = serverAuth\nsubjectAltName = {','.join(alternatives)}\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", f"{base}.key", "-out", f"{base}.csr")
        self.openssl("ca", "-batch", "-config", f"{self.dir}/ca.cnf", "-notext", "-extfile", f"{base}.ext", "-in", f"{base}.csr", "-out", f"{base}.crt",
                     "-startdate", begin.strftime("%Y%m%d%H%M%SZ"), "-enddate", end.strftime("%Y%m%d%H%M%SZ"))
        return f"{base}.crt", f"{base}.key"
