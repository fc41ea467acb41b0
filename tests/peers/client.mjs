// The unmodified client, set up as its own documentation says, against the server that the environment names.

import { randomUUID } from "node:crypto";
import { DynamicsWebApi } from "dynamics-web-api";
import { GUID, serverUrl, serviceRoot, token } from "./service.mjs";

export { GUID, serverUrl, serviceRoot };

/** A client that answers `false` or `null` to a failed precondition, as is its habit. */
export const client = new DynamicsWebApi({ serverUrl, onTokenRefresh: async () => token });

/** A client that throws on a failed precondition, so that status and code can be seen. */
export const strictClient = new DynamicsWebApi({
  serverUrl,
  onTokenRefresh: async () => token,
  propagateErrors: true,
});

/** A client with a token that nobody issued. */
export const strangerClient = new DynamicsWebApi({ serverUrl, onTokenRefresh: async () => "not.a.token" });

/** A name that no other record has. */
export function freshName(what) {
  return `${what} ${randomUUID()}`;
}

/** Sees to it that a record is gone when the test ends; it may be gone before. */
export function removedAfter(test, collection, key) {
  test.after(async () => {
    await client.deleteRecord({ collection, key }).catch((error) => {
      if (error.status !== 404) throw error;
    });
  });
}

/** Creates a record that is gone again when the test ends. */
export async function created(test, collection, data) {
  const key = await client.create({ collection, data });
  removedAfter(test, collection, key);
  return key;
}
