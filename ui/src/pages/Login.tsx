import { useState, type FormEvent } from "react";
import { asApiError, getJson, postJson } from "../api/http";
import { boot, setBoot, type DataSource, type User } from "../boot";
import { Logo } from "../components/icons";
import { navigate, usePlace } from "../lib/router";
import { safeTarget } from "../lib/target";

export default function Login() {
  const { query } = usePlace();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");

  async function submit(e: FormEvent<HTMLFormElement>) {
    e.preventDefault();
    const data = new FormData(e.currentTarget);
    setBusy(true);
    setError("");
    try {
      await postJson("/login", { user: data.get("user"), password: data.get("password") });
      const [user, datasources] = await Promise.all([getJson<User>("/api/user"), getJson<DataSource[]>("/api/datasources").catch(() => boot().datasources)]);
      setBoot({ ...boot(), user, datasources });
      navigate(safeTarget(query.get("redirectTo")), true);
    } catch (err) {
      const a = asApiError(err);
      setError(a.status === 401 ? "Wrong user name or password." : a.status === 429 ? "Too many attempts. Wait five minutes and try again." : `${a.message} ${a.hint}`);
      setBusy(false);
    }
  }

  return (
    <main className="login">
      <form className="card" onSubmit={submit} aria-labelledby="login-title">
        <h1 id="login-title" className="brand">
          <Logo size={28} /> Sign in to Cairn
        </h1>
        <label className="field">
          <span>User name</span>
          <input className="input" name="user" autoComplete="username" required autoFocus autoCapitalize="off" spellCheck={false} />
        </label>
        <label className="field">
          <span>Password</span>
          <input className="input" name="password" type="password" autoComplete="current-password" required />
        </label>
        <div aria-live="assertive">{error && <div className="notice bad">{error}</div>}</div>
        <button className="btn primary" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
        <p style={{ color: "var(--muted)", fontSize: 12 }}>
          First start? The password for <code>admin</code> was printed by <code>cairn</code> when it started.
        </p>
      </form>
    </main>
  );
}
