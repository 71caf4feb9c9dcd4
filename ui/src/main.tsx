/* The entry: reads the boot data, then shows the page that the address names. Pages other than a dashboard are
 * separate chunks; the dashboard page is loaded early because it is the one people wait for. */
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import { lazy, StrictMode, Suspense, useEffect, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { setUnauthorizedHandler } from "./api/http";
import { boot, loadBoot, setBoot } from "./boot";
import { Bar } from "./components/Bar";
import { ErrorBoundary } from "./components/ErrorBoundary";
import { Link } from "./components/Link";
import { Empty, SkeletonRows } from "./components/States";
import { mark } from "./lib/marks";
import { isMetricsPath } from "./metrics/paths";
import { navigate, place, usePlace } from "./lib/router";
import DashboardPage, { askEarly } from "./pages/Dashboard";
import DashboardList from "./pages/DashboardList";
import Login from "./pages/Login";

const Explore = lazy(() => import("./explore/Explore"));
const MetricsPage = lazy(() => import("./metrics/routes"));

function Redirect({ to }: { to: string }) {
  useEffect(() => navigate(to, true), [to]);
  return null;
}

function NotFound() {
  return (
    <>
      <Bar />
      <main className="page">
        <Empty title="There is no such page">
          Go to the <Link to="/dashboards">dashboards</Link>.
        </Empty>
      </main>
    </>
  );
}

function route(path: string): ReactNode {
  if (boot().role === "metrics") return isMetricsPath(path) ? <MetricsPage path={path} /> : <NotFound />;
  if (path === "/login") return <Login />;
  if (path === "/" || path === "/dashboards") return <DashboardList />;
  if (path === "/explore") return <Explore />;
  if (path.startsWith("/d/")) return <DashboardPage />;
  return <NotFound />;
}

function App() {
  const { path } = usePlace();
  return (
    <ErrorBoundary key={path} what="This page failed to draw">
      <Suspense
        fallback={
          <>
            <Bar />
            <SkeletonRows />
          </>
        }
      >
        {boot().role === "metrics" && path === "/" ? <Redirect to="/query" /> : route(path)}
      </Suspense>
    </ErrorBoundary>
  );
}

setUnauthorizedHandler(() => {
  const { path } = place();
  if (boot().role === "dashboards" && path !== "/login") navigate("/login?redirectTo=" + encodeURIComponent(path + location.search), true);
});

const started = loadBoot();
askEarly();
void started.then((b) => {
  setBoot(b);
  mark("shell");
  createRoot(document.getElementById("root")!).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
});
