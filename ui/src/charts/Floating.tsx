/* The box of a tooltip: beside the pointer, inside the window, above everything. */
import { useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { createPortal } from "react-dom";

export interface At { x: number; y: number }
export function Floating({ at, children }: { at: At; children: ReactNode }) {
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ w: 0, h: 0 });
  useLayoutEffect(() => {
    const r = box.current?.getBoundingClientRect();
    if (r && (Math.abs(r.width - size.w) > 1 || Math.abs(r.height - size.h) > 1)) setSize({ w: r.width, h: r.height });
  });
  const left = at.x + 14 + size.w < innerWidth ? at.x + 14 : Math.max(4, at.x - 14 - size.w);
  const top = Math.min(Math.max(4, at.y + 14), Math.max(4, innerHeight - size.h - 4));
  return createPortal(
    <div className="tip" ref={box} aria-hidden="true" style={{ left, top, visibility: size.w ? undefined : "hidden" }}>
      {children}
    </div>,
    document.body,
  );
}
export function TipRow({ color, name, value, near }: { color?: string; name: string; value: string; near?: boolean }) {
  return (
    <div className={"row" + (near ? " near" : "")}>
      {color && <span className="swatch" style={{ background: color }} />}
      <span className="name">{name}</span>
      <span className="val">{value}</span>
    </div>
  );
}
