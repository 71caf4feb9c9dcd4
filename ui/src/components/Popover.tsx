/* A button that opens something: closes on Escape, outside click and focus leaving; Escape gives the focus back. */
import { useEffect, useRef, useState, type ReactNode } from "react";

interface Props {
  label: ReactNode;
  name: string;
  className?: string;
  align?: "left" | "right";
  children: (close: () => void) => ReactNode;
  role?: "menu" | "dialog" | "listbox";
  title?: string;
  disabled?: boolean;
}

export function Popover({ label, name, className = "btn", align = "left", children, role = "dialog", title, disabled }: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLSpanElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (e: MouseEvent | FocusEvent) => {
      if (!root.current?.contains(e.target as Node)) setOpen(false);
    };
    document.addEventListener("mousedown", outside);
    document.addEventListener("focusin", outside);
    return () => {
      document.removeEventListener("mousedown", outside);
      document.removeEventListener("focusin", outside);
    };
  }, [open]);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <span
      className="has-pop"
      ref={root}
      onKeyDown={(e) => {
        if (e.key === "Escape" && open) {
          e.stopPropagation();
          close();
        }
      }}
    >
      <button ref={button} type="button" className={className} aria-haspopup={role} aria-expanded={open} aria-label={name} title={title} disabled={disabled} onClick={() => setOpen(!open)}>
        {label}
      </button>
      {open && (
        <div className={"pop" + (align === "right" ? " right" : "")} role={role === "dialog" ? "dialog" : undefined} aria-label={name}>
          {children(close)}
        </div>
      )}
    </span>
  );
}

/* Arrow keys move among a menu's buttons. */
export function menuKeys(e: React.KeyboardEvent<HTMLElement>): void {
  if (e.key !== "ArrowDown" && e.key !== "ArrowUp" && e.key !== "Home" && e.key !== "End") return;
  const items = [...e.currentTarget.querySelectorAll<HTMLElement>("button:not(:disabled), a[href]")];
  if (!items.length) return;
  e.preventDefault();
  const at = items.indexOf(document.activeElement as HTMLElement);
  const to = e.key === "Home" ? 0 : e.key === "End" ? items.length - 1 : (at + (e.key === "ArrowDown" ? 1 : -1) + items.length) % items.length;
  items[to]!.focus();
}

export interface Choice { value: string; label: string; hint?: string }
export function MenuSelect({ name, value, choices, onPick, className, align, prefix }: { name: string; value: string; choices: Choice[]; onPick: (v: string) => void; className?: string; align?: "left" | "right"; prefix?: ReactNode }) {
  const now = choices.find((c) => c.value === value);
  return (
    <Popover
      name={`${name}: ${now?.label ?? value}`}
      role="listbox"
      className={className}
      align={align}
      label={
        <>
          {prefix}
          {now?.label ?? value}
          <Chevron />
        </>
      }
    >
      {(close) => (
        <div className="menu" role="listbox" aria-label={name} onKeyDown={menuKeys}>
          {choices.map((c) => (
            <button
              key={c.value}
              role="option"
              aria-selected={c.value === value}
              autoFocus={c.value === value}
              onClick={() => {
                onPick(c.value);
                close();
              }}
            >
              {c.label}
              {c.hint && <span style={{ color: "var(--muted)", marginLeft: "auto" }}>{c.hint}</span>}
            </button>
          ))}
        </div>
      )}
    </Popover>
  );
}

function Chevron() {
  return (
    <svg width="12" height="12" viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.7" aria-hidden="true">
      <path d="M4 6l4 4 4-4" />
    </svg>
  );
}
