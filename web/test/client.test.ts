/**
 * The client against a running device: its address and a token come from the environment
 * (`firmware/tests/contract.rs` starts one).
 */

import assert from "node:assert/strict";
import test from "node:test";

import { ApiProblem, edgecam } from "../src/api/client.js";

const baseUrl = process.env["EDGECAM_URL"] ?? "http://127.0.0.1:8080";
const token = process.env["EDGECAM_TOKEN"] ?? "";

test("cameras are read and changed with the types of the document", async () => {
  const device = edgecam({ baseUrl, token });
  const { data: cameras } = await device.GET("/api/v1/cameras");
  assert.equal(cameras?.[0]?.id, "cam");
  const name = "From the client";
  const { data } = await device.PATCH("/api/v1/cameras/{cam}", {
    params: { path: { cam: "cam" } },
    body: { name },
  });
  assert.equal(data?.settings.name, name);
});

test("a refusal names every field with its reason", async () => {
  const device = edgecam({ baseUrl, token });
  const wrong = device.PATCH("/api/v1/cameras/{cam}", {
    params: { path: { cam: "cam" } },
    body: { encoder: { bitrate_kbps: 1 }, video: { fps: 0 } },
  });
  await assert.rejects(wrong, (error: unknown) => {
    assert.ok(error instanceof ApiProblem);
    assert.deepEqual([error.status, error.code], [422, "invalid_argument"]);
    const pointers = error.errors.map((field) => field.pointer).sort();
    assert.deepEqual(pointers, ["/encoder/bitrate_kbps", "/video/fps"]);
    return true;
  });
});

test("who is not known is told so", async () => {
  const nobody = edgecam({ baseUrl });
  await assert.rejects(nobody.GET("/api/v1/cameras"), (error: unknown) => {
    assert.ok(error instanceof ApiProblem);
    assert.deepEqual([error.status, error.code], [401, "unauthenticated"]);
    return true;
  });
});
