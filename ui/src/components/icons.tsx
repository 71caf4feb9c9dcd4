/* The few line icons in use, 16 px, drawn in the text colour. */
const paths = {
  chevron: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  left: "M10 4l-4 4 4 4",
  clock: "M8 4.500V8l2.500 1.500M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0z",
  refresh: "M13.500 8A5.500 5.500 0 1 1 11.600 3.800M13.500 2v3h-3",
  zoomOut: "M5 7h4M10.500 10.500L14 14M12 7A5 5 0 1 1 2 7a5 5 0 0 1 10 0z",
  sun: "M8 1.500v1.500M8 13v1.500M1.500 8H3M13 8h1.500M3.400 3.400l1 1M11.600 11.600l1 1M3.400 12.600l1-1M11.600 4.400l1-1M11 8a3 3 0 1 1-6 0 3 3 0 0 1 6 0z",
  moon: "M13.500 9.500A6 6 0 0 1 6.500 2.500a6 6 0 1 0 7 7z",
  dots: "M8 3.500v.01M8 8v.01M8 12.500v.01",
  warn: "M8 2L1.500 13.500h13zM8 6.500v3M8 11.500v.01",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M6 6h7v7H6zM10 6V3H3v7h3",
  expand: "M9.500 2.500h4v4M6.500 13.500h-4v-4M13.500 2.500L9 7M2.500 13.500L7 9",
  user: "M8 8a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5zM3 13.500c.6-2.500 2.600-3.500 5-3.500s4.400 1 5 3.500",
  play: "M5 3.500v9l7.500-4.500z",
  pause: "M5.500 3.500v9M10.500 3.500v9",
} as const;

export type IconName = keyof typeof paths;
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth={name === "dots" ? 2.2 : 1.5} strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}

export function Logo({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">
      <ellipse cx="12" cy="19" rx="9" ry="3" />
      <ellipse cx="12" cy="12.5" rx="6.5" ry="2.8" />
      <ellipse cx="12" cy="6.5" rx="4" ry="2.500" />
    </svg>
  );
}
