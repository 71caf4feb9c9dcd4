/* The LogQL query line. Its own chunk: nothing that only shows dashboards loads it. */
import { useMemo, useRef } from "react";
import type { Loki } from "../api/loki";
import { Editor, type EditorProps } from "./Editor";
import { logql } from "./logql";

export default function LogEditor({ loki, range, ...rest }: Omit<EditorProps, "language"> & { loki: Loki; range: { from: number; to: number } }) {
  const now = useRef(range);
  now.current = range;
  const language = useMemo(() => logql(loki, () => now.current), [loki]);
  return <Editor language={language} hint={'A LogQL query: {job="flask-app"} |= "text"'} {...rest} />;
}
