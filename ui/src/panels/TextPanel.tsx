/* Markdown, HTML or code with variables inside. HTML is sanitised: no scripts, no styles, no forms, no frames. */
import DOMPurify from "dompurify";
import { marked } from "marked";
import { useMemo } from "react";
import { opt, type PanelProps } from "./types";

function sanitised(html: string): string {
  return DOMPurify.sanitize(html, {
    USE_PROFILES: { html: true },
    FORBID_TAGS: ["style", "form", "input", "button", "textarea", "select", "iframe", "object", "embed"],
    FORBID_ATTR: ["id", "name"],
  });
}
DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A" && node.getAttribute("target")) node.setAttribute("rel", "noopener noreferrer");
});

export default function TextPanel(p: PanelProps) {
  const mode = opt<string>(p.panel, "mode", "markdown");
  const content = p.replace(opt<string>(p.panel, "content", ""));
  const html = useMemo(() => (mode === "code" ? "" : sanitised(mode === "html" ? content : (marked.parse(content, { gfm: true, async: false }) as string))), [mode, content]);
  if (mode === "code") return <pre className="text-code">{content}</pre>;
  return <div className="markdown" dangerouslySetInnerHTML={{ __html: html }} />;
}
