/* CodeMirror behind one component: a query line that grows with its text. The editor keeps its own text while it is
 * typed in; a new `value` from outside replaces it. Enter or Shift+Enter runs, Ctrl+Enter starts a new line. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from "@codemirror/commands";
import { bracketMatching } from "@codemirror/language";
import { lintKeymap } from "@codemirror/lint";
import { Compartment, EditorState, Prec, type Extension } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { look } from "./look";

export interface EditorProps {
  value: string;
  onChange: (text: string) => void;
  onRun: () => void;
  label: string;
  hint?: string;
  language: Extension;
  autoFocus?: boolean;
}

export function Editor({ value, onChange, onRun, label, hint, language, autoFocus }: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const calls = useRef({ onChange, onRun });
  calls.current = { onChange, onRun };
  const slot = useRef(new Compartment());

  useEffect(() => {
    const run = () => {
      calls.current.onRun();
      return true;
    };
    const v = new EditorView({
      parent: host.current!,
      state: EditorState.create({
        doc: value,
        extensions: [
          history(),
          bracketMatching(),
          closeBrackets(),
          autocompletion({ maxRenderedOptions: 100, icons: false, defaultKeymap: false }),
          /* Enter accepts an open completion first, then runs. */
          Prec.highest(keymap.of([{ key: "Ctrl-Enter", mac: "Mod-Enter", run: insertNewlineAndIndent }, { key: "Shift-Enter", run }])),
          Prec.high(keymap.of([...completionKeymap, { key: "Enter", run }])),
          keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...lintKeymap]),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocapitalize: "off" }),
          EditorView.updateListener.of((u) => {
            if (u.docChanged) calls.current.onChange(u.state.doc.toString());
          }),
          placeholder(hint ?? ""),
          look,
          slot.current.of(language),
        ],
      }),
    });
    view.current = v;
    if (autoFocus) v.focus();
    return () => v.destroy();
    // the editor is made once; what may change is handed over below
    // eslint-disable-next-line
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: slot.current.reconfigure(language) });
  }, [language]);

  useEffect(() => {
    const v = view.current;
    if (v && v.state.doc.toString() !== value) v.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: value } });
  }, [value]);

  return <div ref={host} className="editor" />;
}
