// Makes the user of an application, with the rights of an administrator, and prints the application's id.
// `custodia secret` then gives it what it signs in with.

import { randomUUID } from "node:crypto";
import { serviceRoot, token } from "./service.mjs";

/** What the service answers; anything but success ends this program. */
async function ask(path, body) {
  const response = await fetch(`${serviceRoot}${path}`, {
    method: body ? "POST" : "GET",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", Prefer: "return=representation" },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return text && JSON.parse(text);
}

const application = randomUUID();
const { BusinessUnitId } = await ask("WhoAmI");
const { systemuserid } = await ask("systemusers", {
  applicationid: application,
  domainname: `peers-${application}@demo.example`,
  firstname: "Peers",
  lastname: "Application",
  "businessunitid@odata.bind": `/businessunits(${BusinessUnitId})`,
});
const roles = await ask(
  `roles?$select=roleid&$filter=name eq 'System Administrator' and _businessunitid_value eq ${BusinessUnitId}`,
);
await ask(`systemusers(${systemuserid})/systemuserroles_association/$ref`, {
  "@odata.id": `${serviceRoot}roles(${roles.value[0].roleid})`,
});
console.log(application);
