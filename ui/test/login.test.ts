import assert from "node:assert/strict";
import { test } from "node:test";
import { safeTarget } from "../src/lib/target";

test("after login only a path of this origin is visited", () => {
  assert.equal(safeTarget("/d/abc/x?from=now-1h"), "/d/abc/x?from=now-1h");
  for (const bad of ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/login", "", null]) assert.equal(safeTarget(bad), "/dashboards");
});
