/* What is shown instead of data: failed, empty. A failed state says what happened and what to do. */
import type { ReactNode } from "react";
import { asApiError } from "../api/http";

export function Failed({ error, what, retry }: { error: unknown; what: string; retry?: () => void }) {
  const e = asApiError(error);
  return (
    <div className="state bad" role="alert">
      <strong>{what}</strong>
      <span className="why">{e.message}</span>
      {e.hint && <span className="why">{e.hint}</span>}
      {retry && (
        <button className="btn" onClick={retry} style={{ marginTop: 8 }}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="state">
      <strong>{title}</strong>
      {children && <span className="why">{children}</span>}
    </div>
  );
}

export function SkeletonRows({ rows = 4, height = 20 }: { rows?: number; height?: number }) {
  return (
    <div role="status" aria-label="Loading" style={{ display: "grid", gap: 8, padding: 12 }}>
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} className="skel" style={{ height, width: `${92 - ((i * 17) % 40)}%` }} />
      ))}
    </div>
  );
}
