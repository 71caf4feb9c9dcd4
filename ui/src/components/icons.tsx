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
  info: "M8 7v4M8 5v.01M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0z",
  star: "M8 2l1.800 3.900 4.200.500-3.100 2.900.800 4.200L8 11.400l-3.700 2.100.800-4.200L2 6.400l4.200-.500z",
  search: "M10.500 10.500L14 14M12 7A5 5 0 1 1 2 7a5 5 0 0 1 10 0z",
  gear: "M8 10.200A2.200 2.200 0 1 0 8 5.800a2.200 2.200 0 0 0 0 4.400zM8 1.800v1.700M8 12.500v1.700M1.800 8h1.700M12.500 8h1.700M3.600 3.600l1.200 1.200M11.200 11.200l1.200 1.200M3.600 12.400l1.200-1.200M11.200 4.800l1.200-1.200",
  folder: "M2 4.500h4l1.500 1.500H14v6.500H2z",
  compass: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0zM10.500 5.500L9 9l-3.500 1.500L7 7z",
  link: "M6.500 9.500l3-3M7 4.500l1.500-1.500a2.800 2.800 0 0 1 4 4L11 8.500M9 11.500L7.500 13a2.800 2.800 0 0 1-4-4L5 7.500",
  save: "M3 3h8l2 2v8H3zM5.500 3v3h4V3M5.500 13V9.500h5V13",
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
