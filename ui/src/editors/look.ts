/* How query text looks: the tokens' colours, so that both themes follow by themselves. */
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { Decoration, EditorView, MatchDecorator, ViewPlugin, type DecorationSet, type ViewUpdate } from "@codemirror/view";
import { tags as t } from "@lezer/highlight";
import { variable } from "./variables";

const shape = EditorView.theme({
  "&": { fontSize: "13px", backgroundColor: "var(--bg)", color: "var(--text)", border: "1px solid var(--line)", borderRadius: "var(--r2)", minHeight: "32px" },
  "&:hover": { borderColor: "var(--line-strong)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { padding: "5px 0", caretColor: "var(--text-strong)" },
  ".cm-line": { padding: "0 9px" },
  ".cm-cursor": { borderLeftColor: "var(--text-strong)" },
  ".cm-variable, .cm-variable *": { color: "var(--accent) !important" },
  ".cm-placeholder": { color: "var(--muted)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground, .cm-content ::selection": { backgroundColor: "var(--accent-soft)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--line-strong)" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", border: "1px solid var(--line-strong)", borderRadius: "var(--r2)", boxShadow: "var(--shadow)", color: "var(--text)", zIndex: "var(--z-pop)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12px", maxHeight: "18em", padding: "4px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "2px 8px", borderRadius: "var(--r1)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--text-strong)" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700", color: "var(--accent)" },
  ".cm-completionDetail": { color: "var(--muted)", fontStyle: "normal", marginLeft: "1em", float: "right" },
  ".cm-completionInfo": { maxWidth: "42ch", padding: "8px 10px", fontFamily: "var(--font)" },
  ".cm-diagnostic": { padding: "5px 9px", fontFamily: "var(--font)" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-diagnostic-warning": { borderLeft: "3px solid var(--warn)" },
});

const colours = HighlightStyle.define([
  { tag: [t.name, t.variableName, t.propertyName], color: "var(--text-strong)" },
  { tag: t.labelName, color: "var(--syn-label)" },
  { tag: [t.string, t.special(t.string)], color: "var(--syn-string)" },
  { tag: t.number, color: "var(--syn-number)" },
  { tag: [t.keyword, t.function(t.variableName), t.operatorKeyword, t.modifier], color: "var(--syn-keyword)" },
  { tag: [t.operator, t.arithmeticOperator, t.compareOperator, t.logicOperator], color: "var(--syn-op)" },
  { tag: [t.paren, t.squareBracket, t.brace, t.separator], color: "var(--muted)" },
  { tag: [t.comment, t.lineComment], color: "var(--muted)", fontStyle: "italic" },
  { tag: t.invalid, color: "var(--bad)" },
]);

/* Variables are no part of the grammars: they are found by their form. */
const finder = new MatchDecorator({ regexp: variable, decoration: Decoration.mark({ class: "cm-variable" }) });
const variables = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = finder.createDeco(view);
    }
    update(u: ViewUpdate) {
      this.decorations = finder.updateDeco(u, this.decorations);
    }
  },
  { decorations: (v) => v.decorations },
);

export const look: Extension = [shape, syntaxHighlighting(colours), variables];
