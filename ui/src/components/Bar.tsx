/* The bar on top of every page: name, places, what the page adds, theme, account. */
import type { ReactNode } from "react";
import { request } from "../api/http";
import { boot, setBoot } from "../boot";
import { navigate, usePlace } from "../lib/router";
import { setTheme, useTheme } from "../lib/theme";
import { Icon, Logo } from "./icons";
import { Link } from "./Link";
import { menuKeys, Popover } from "./Popover";

const places: Record<"dashboards" | "metrics", [string, string][]> = {
  dashboards: [
    ["/dashboards", "Dashboards"],
    ["/explore", "Explore"],
  ],
  metrics: [
    ["/query", "Query"],
    ["/alerts", "Alerts"],
    ["/targets", "Targets"],
    ["/rules", "Rules"],
    ["/service-discovery", "Discovery"],
    ["/tsdb-status", "TSDB"],
    ["/status", "Status"],
    ["/flags", "Flags"],
    ["/config", "Config"],
  ],
};

export function Bar({ children }: { children?: ReactNode }) {
  const { path } = usePlace();
  const role = boot().role;
  return (
    <header className="bar">
      <Link to={role === "metrics" ? "/query" : "/dashboards"} className="brand" aria-label="Cairn home">
        <Logo />
        <b>Cairn</b>
      </Link>
      <nav className="nav" aria-label="Main">
        {places[role].map(([to, text]) => (
          <Link key={to} to={to} aria-current={path === to || (to === "/query" && path === "/graph") || (to === "/dashboards" && path.startsWith("/d/")) ? "page" : undefined}>
            {text}
          </Link>
        ))}
      </nav>
      <div className="grow" />
      {children}
      <ThemeButton />
      {role === "dashboards" && <Account />}
    </header>
  );
}

function ThemeButton() {
  const now = useTheme();
  const next = now === "dark" ? "light" : "dark";
  return (
    <button className="btn quiet icon" onClick={() => setTheme(next)} aria-label={`Switch to the ${next} theme`} title={`Switch to the ${next} theme`}>
      <Icon name={now === "dark" ? "sun" : "moon"} />
    </button>
  );
}

async function signOut() {
  await request("/logout", { method: "POST" }).catch(() => undefined);
  setBoot({ ...boot(), user: null });
  navigate("/login");
}

function Account() {
  const user = boot().user;
  if (!user || user.isAnonymous)
    return (
      <Link to="/login" className="btn">
        Sign in
      </Link>
    );
  return (
    <Popover name={`Account of ${user.login}`} className="btn quiet" align="right" role="menu" label={<Icon name="user" />} title={user.login}>
      {(close) => (
        <div className="menu" role="menu" onKeyDown={menuKeys}>
          <div style={{ padding: "5px 9px", color: "var(--muted)" }}>Signed in as {user.login}</div>
          <button
            role="menuitem"
            autoFocus
            onClick={() => {
              close();
              void signOut();
            }}
          >
            Sign out
          </button>
        </div>
      )}
    </Popover>
  );
}
