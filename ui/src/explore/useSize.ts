/* The width of an element, followed. */
import { useLayoutEffect, useRef, useState } from "react";

export function useWidth<T extends HTMLElement>() {
  const ref = useRef<T>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const el = ref.current;
    if (!el) return;
    const see = () => setWidth(Math.floor(el.clientWidth));
    see();
    const o = new ResizeObserver(see);
    o.observe(el);
    return () => o.disconnect();
  }, []);
  return [ref, width] as const;
}
