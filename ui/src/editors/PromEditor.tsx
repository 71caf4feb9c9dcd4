/* The PromQL query line. Its own chunk: nothing that only shows dashboards loads it. */
import { useMemo, useRef } from "react";
import type { Prom } from "../api/prom";
import { Editor, type EditorProps } from "./Editor";
import { promql } from "./promql";

export default function PromEditor({ prom, range, ...rest }: Omit<EditorProps, "language"> & { prom: Prom; range: { from: number; to: number } }) {
  const now = useRef(range);
  now.current = range;
  const language = useMemo(() => promql(prom, () => now.current), [prom]);
  return <Editor language={language} hint="A PromQL query: Shift+Enter or Enter runs it" {...rest} />;
}
