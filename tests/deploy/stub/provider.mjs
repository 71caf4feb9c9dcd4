#!/usr/bin/env node
// A Terraform provider that knows the schema of hashicorp/aws and does nothing: it answers what `validate` and `terraform test`
// with a mock provider ask. gRPC over a Unix socket by hand (plugin protocol 5), so that it needs nothing but Node.
import http2 from "node:http2";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const schema = JSON.parse(fs.readFileSync(new URL("aws_schema.json", import.meta.url)));

// Protobuf: a field is a key (number << 3 | wire type) and a varint or a length and its bytes.
const varint = (n) => {
    const out = [];
    for (; n > 127; n >>>= 7) out.push((n & 127) | 128);
    out.push(n);
    return Buffer.from(out);
};
const number = (field, n) => (n ? Buffer.concat([varint(field << 3), varint(Number(n))]) : Buffer.alloc(0));
const bytes = (field, value) => {
    const body = Buffer.from(value);
    return Buffer.concat([varint((field << 3) | 2), varint(body.length), body]);
};

const NESTING = { single: 1, list: 2, set: 3 };
// An attribute in the schema file is [type, flags]: r required, o optional, c computed.
function block({ attributes = {}, blocks = {} }) {
    const parts = [];
    for (const [name, [type, flags]] of Object.entries(attributes)) {
        parts.push(bytes(2, Buffer.concat([bytes(1, name), bytes(2, JSON.stringify(type)), number(4, flags.includes("r")),
            number(5, flags.includes("o")), number(6, flags.includes("c"))])));
    }
    for (const [name, inner] of Object.entries(blocks)) {
        parts.push(bytes(3, Buffer.concat([bytes(1, name), bytes(2, block(inner)), number(3, NESTING[inner.nesting])])));
    }
    return Buffer.concat(parts);
}
const whole = (s) => bytes(2, block(s));
const table = (field, entries) =>
    Buffer.concat(Object.entries(entries).map(([name, s]) => bytes(field, Buffer.concat([bytes(1, name), bytes(2, whole(s))]))));

const answers = {
    GetSchema: () => Buffer.concat([bytes(1, whole(schema.provider)), table(2, schema.resources), table(3, schema.data)]),
    PrepareProviderConfig: (request) => request, // the configuration as it came: field 1 in both messages
    ValidateResourceTypeConfig: () => Buffer.alloc(0),
    ValidateDataSourceConfig: () => Buffer.alloc(0),
    Configure: () => Buffer.alloc(0),
    Stop: () => Buffer.alloc(0),
    Shutdown: () => Buffer.alloc(0),
};

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "stub-"));
const socket = path.join(folder, "s");
const server = http2.createServer();
const leave = () => {
    fs.rmSync(folder, { recursive: true, force: true });
    process.exit(0);
};
server.on("stream", (stream, headers) => {
    const call = headers[":path"].split("/").pop();
    const chunks = [];
    stream.on("error", () => {});
    stream.on("data", (c) => chunks.push(c));
    const head = { ":status": 200, "content-type": "application/grpc" };
    if (!answers[call]) {
        stream.respond({ ...head, "grpc-status": "12", "grpc-message": "not served" }, { endStream: true });
        return;
    }
    stream.on("end", () => {
        const body = answers[call](Buffer.concat(chunks).subarray(5));
        const prefix = Buffer.alloc(5);
        prefix.writeUInt32BE(body.length, 1);
        stream.respond(head, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.end(Buffer.concat([prefix, body]));
        if (call === "Shutdown") stream.on("close", leave);
    });
});
process.on("SIGTERM", leave);
process.on("SIGINT", () => {}); // Ctrl-C reaches the group; the caller says when to stop
server.listen(socket, () => console.log(`1|5|unix|${socket}|grpc|`));
