/* A dialog over the page: the browser's own, so focus stays inside and Escape closes. */
import { useEffect, useRef, type ReactNode } from "react";
import { Icon } from "./icons";

export function Dialog({ title, close, children, wide }: { title: string; close: () => void; children: ReactNode; wide?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const d = ref.current!;
    if (!d.open) d.showModal();
    return () => d.close();
  }, []);
  return (
    <dialog ref={ref} className={"dialog" + (wide ? " wide" : "")} aria-label={title} onCancel={(e) => (e.preventDefault(), close())} onMouseDown={(e) => e.target === ref.current && close()}>
      <div className="dialog-box">
        <header>
          <h2>{title}</h2>
          <button className="btn quiet icon" onClick={close} aria-label="Close">
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
