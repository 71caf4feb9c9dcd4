import { Dialog } from "../components/Dialog";

const keys: [string, string][] = [
  ["d r", "Refresh"], ["t z", "Zoom out"], ["t ←  t →", "Earlier, later"], ["d k", "Kiosk: nothing but panels"], ["v", "View the panel under the pointer alone"],
  ["x", "Explore the panel under the pointer"], ["Esc", "Back from a panel or kiosk"], ["g h", "Dashboards"], ["g e", "Explore"], ["mod+s", "Save"], ["?", "This list"],
];

export default function Help({ close }: { close: () => void }) {
  return (
    <Dialog title="Keyboard" close={close}>
      <dl className="keys">
        {keys.map(([k, what]) => (
          <div key={k}>
            <dt>
              <kbd>{k}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p className="hint">Drag across a chart to zoom in, double-click it to zoom out. mod is Ctrl, or ⌘ on a Mac.</p>
    </Dialog>
  );
}
