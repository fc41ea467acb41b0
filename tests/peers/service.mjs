// The service that the environment names; scripts/peers starts it.

/** A variable of the environment; without it there is nothing to test against. */
export function required(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run scripts/peers, which starts a server and sets it`);
  }
  return value;
}

/** Where the server is: `http://…` or `https://…`. */
export const hostUrl = new URL(required("CUSTODIA_URL"));

/** The organisation's address. Clients that join addresses need the slash at the end, or they drop its name. */
export const serverUrl = new URL(`${required("CUSTODIA_ORG")}/`, hostUrl).toString();

/** The service root that every address in an answer has to begin with. */
export const serviceRoot = `${serverUrl}api/data/v9.2/`;

/** A bearer token of an administrator. */
export const token = required("CUSTODIA_TOKEN");

export const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
