import type { AnchorHTMLAttributes, MouseEvent } from "react";
import { basePath } from "../api/http";
import { navigate } from "../lib/router";

/* A link within the app. Modifier keys and middle click keep their browser meaning. */
export function Link({ to, onClick, ...rest }: { to: string } & AnchorHTMLAttributes<HTMLAnchorElement>) {
  const go = (e: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(e);
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    e.preventDefault();
    navigate(to);
    window.scrollTo(0, 0);
  };
  return <a href={basePath() + to} onClick={go} {...rest} />;
}
