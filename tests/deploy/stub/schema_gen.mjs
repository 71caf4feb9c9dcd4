#!/usr/bin/env node
// Writes aws_schema.json: the part of the AWS provider's schema that deploy/terraform uses, read from the comments and tables of the
// generated bindings in the npm package @cdktn/provider-aws (MPL-2.0).
//
// Usage: npm pack @cdktn/provider-aws@25.7.0; tar xzf cdktn-provider-aws-25.7.0.tgz; schema_gen.mjs package NAME... >aws_schema.json
//        NAME is a resource (vpc) or a data source (data-aws-ami); tests/deploy/stub/resources.txt lists them
import fs from "node:fs";

const [folder, ...names] = process.argv.slice(2);
const SCALAR = { string: "string", number: "number", boolean: "bool" };

function typeOf(entry) {
    const scalar = SCALAR[entry.storage.replace(/(List|Map)$/, "")];
    if (!scalar) return null;
    return entry.type === "simple" ? scalar : [entry.type, scalar];
}
// Attributes that only the provider sets are in no table: their type is the getter's.
function typeOfGetter(body) {
    const get = body.match(/this\.get(String|Number|Boolean|List|NumberList|StringMap)Attribute/)?.[1];
    return { String: "string", Number: "number", Boolean: "bool", List: ["list", "string"], NumberList: ["list", "number"],
        StringMap: ["map", "string"] }[get];
}
function tables(text) {
    const out = {};

    for (const m of text.matchAll(/(\w+): \{\s+value: [^\n]+\n\s+isBlock: (\w+),\s+type: "(\w+)",\s+storageClassType: "(\w+)"/g)) {
        out[m[1]] = { isBlock: m[2] === "true", type: m[3], storage: m[4] };
    }
    return out;
}
function describe(source, className, table, depth) {
    const start = source.search(new RegExp(`class ${className} extends`));
    const end = source.indexOf("\nexport class ", start + 1) > 0 ? source.indexOf("\nexport class ", start + 1) : source.length;
    const body = source.slice(start, Math.min(end, (source.slice(start + 1).search(/\nclass \w+ extends|\nexports\.\w+ = \w+;/) + start + 1) || end));
    const result = { attributes: {}, blocks: {} };
    for (const part of body.split(/\n    \/\/ (?=\w+ - computed:)/).slice(1)) {
        const [, name, computed, optional, required] = part.match(/^(\w+) - computed: (\w+), optional: (\w+), required: (\w+)/);
        const flags = (required === "true" ? "r" : "") + (optional === "true" ? "o" : "") + (computed === "true" ? "c" : "");
        const entry = table[name];
        if (entry && (entry.isBlock || !typeOf(entry))) {
            const struct = entry.storage.replace(/List$/, "");
            const call = struct[0].toLowerCase() + struct.slice(1);
            const at = source.indexOf(`function ${call}ToHclTerraform`);
            if (at < 0 || depth > 4) continue;
            const inner = tables(source.slice(at, source.indexOf("\n}\n", at)));
            result.blocks[name] = { nesting: entry.type === "struct" ? "single" : entry.type,
                ...describe(source, `${struct}OutputReference`, inner, depth + 1) };
        } else {
            const type = entry ? typeOf(entry) : typeOfGetter(part);
            if (type) result.attributes[name] = [type, flags || "c"];
        }
    }
    return result;
}
function binding(name) {
    const source = fs.readFileSync(`${folder}/lib/${name}/index.js`, "utf8");
    const className = source.match(/class (\w+) extends cdktn\.Terraform(Resource|DataSource|Provider)/)[1];
    return [className, describe(source, className, tables(source.slice(source.lastIndexOf("synthesizeHclAttributes() {"))), 0)];
}
const out = { source: "@cdktn/provider-aws 25.7.0 (MPL-2.0), hashicorp/aws 6.66.0", provider: {}, resources: {}, data: {} };
for (const name of names) {
    const [, schema] = binding(name);
    const tf = `aws_${name.replace(/^data-aws-/, "").replaceAll("-", "_")}`;
    out[name.startsWith("data-") ? "data" : "resources"][tf] = schema;
}
out.provider = binding("provider")[1];
process.stdout.write(JSON.stringify(out, null, 1).replace(/\[\n\s+("[^\]]*?")\n\s+\]/g, (m) => m.replace(/\n\s+/g, "")) + "\n");
