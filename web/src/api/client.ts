/**
 * The typed client of the API: paths, parameters, bodies and answers come from its OpenAPI document
 * (`schema.d.ts`, made by `npm run generate`). This file owns only what the document cannot say: how
 * a refusal becomes an error, and how who calls is shown.
 */

import createClient, { type Client, type Middleware } from "openapi-fetch";

import type { components, paths } from "./schema.js";

/** Shapes of the API by name, such as `Schema<"Camera">`. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

/** A refusal of the API (RFC 9457): `code` is stable, `errors` name every field that is to blame. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";

  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly errors: Schema<"FieldProblem">[] = [],
    /** Seconds after which another try makes sense. */
    readonly retryAfterS: number | null = null,
  ) {
    super(detail);
  }
}

/** Who calls: a browser's session cookie (nothing to give), or a program's token. */
export interface Options {
  /** Where the device is, such as `https://edgecam-1234.local`; the page's own origin by default. */
  baseUrl?: string;
  /** A token of `POST /api/v1/tokens`. */
  token?: string;
  fetch?: typeof globalThis.fetch;
}

export type EdgeCam = Client<paths>;

/** A client whose calls reject with an {@link ApiProblem} unless the answer is a success. */
export function edgecam(options: Options = {}): EdgeCam {
  const client = createClient<paths>({
    baseUrl: options.baseUrl ?? globalThis.location?.origin ?? "",
    credentials: "same-origin",
    ...(options.token === undefined
      ? {}
      : { headers: { Authorization: `Bearer ${options.token}` } }),
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });
  client.use(problems);
  return client;
}

const problems: Middleware = {
  async onResponse({ response }) {
    if (!response.ok && response.status !== 304) {
      throw await problemOf(response);
    }
  },
};

/** What `response`, which is no success, says; also when something in between answered. */
export async function problemOf(response: Response): Promise<ApiProblem> {
  const retry = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfterS = Number.isFinite(retry) ? retry : null;
  const type = response.headers.get("content-type") ?? "";
  if (!type.startsWith("application/problem+json")) {
    const detail = `the device answered ${response.status} ${response.statusText}`;
    return new ApiProblem(response.status, "unknown", detail, [], retryAfterS);
  }
  const problem = (await response.json()) as Schema<"Problem">;
  const detail = problem.detail ?? problem.title;
  return new ApiProblem(response.status, problem.code, detail, problem.errors ?? [], retryAfterS);
}
