// The unmodified client, set up as its own documentation says, against the server that the environment names.

import { randomUUID } from "node:crypto";
import { DynamicsWebApi } from "dynamics-web-api";

/** A variable of the environment; without it there is nothing to test against. */
function required(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run scripts/peers, which starts a server and sets it`);
  }
  return value;
}

/** The organisation's address. The client needs the slash at the end, or it drops the organisation's name. */
export const serverUrl = new URL(`${required("CUSTODIA_ORG")}/`, required("CUSTODIA_URL")).toString();

/** The service root that every address in an answer has to begin with. */
export const serviceRoot = `${serverUrl}api/data/v9.2/`;

const token = required("CUSTODIA_TOKEN");

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

export const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

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
