// SPDX-License-Identifier: Apache-2.0
import { renderExactJson } from "../../model/exact-json.ts";
import { type JsonObject, isJsonObject } from "../../model/json.ts";
import { API_VERSION } from "../../model/resource.ts";
import { renderYaml } from "../resource/render.ts";
import { type ArchivedValue, type Part, SEPARATOR } from "./archive.ts";

const CLUSTER_INFORMATION = "ClusterInformation";

/**
 * The text of an archive, in the layout of `calicoctl datastore migrate export`: a YAML list for each kind, Calico's ClusterInformation, and IPAM in JSON, with whatever else there is
 * as `entries`.
 */
export function renderArchive(values: readonly ArchivedValue[]): string {
  const resources = values.flatMap(({ part, value }) =>
    part === "resources" && isJsonObject(value) ? [value] : [],
  );
  const [information, others] = split(resources, ({ kind }) => kind === CLUSTER_INFORMATION);
  return [
    renderLists(others),
    ...information.map((value) => `${renderExactJson(value)}\n`),
    ...(information.length === 0 ? [""] : []),
    renderIpam(values),
  ].join(`${SEPARATOR}\n`);
}

function split<T>(all: readonly T[], is: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(is), all.filter((one) => !is(one))];
}

function renderLists(resources: readonly JsonObject[]): string {
  const kinds = [...Map.groupBy(resources, ({ kind }) => String(kind))].toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  );
  return kinds
    .map(([kind, items]) => renderYaml({ apiVersion: API_VERSION, kind: `${kind}List`, items }))
    .join("---\n");
}

/** One line for each value, so that two archives can be compared by lines. */
function renderIpam(values: readonly ArchivedValue[]): string {
  const members = (part: Part): readonly string[] =>
    values
      .filter((one) => one.part === part)
      .map(({ key, value }) => renderExactJson({ Key: key, Value: value }));
  const lists = (["block_affinities", "blocks", "handles", "entries"] as const)
    .map((part) => [part, members(part)] as const)
    .filter(([, lines]) => lines.length > 0)
    .map(([part, lines]) => `  ${JSON.stringify(part)}: [\n    ${lines.join(",\n    ")}\n  ]`);
  const config = members("config").map((line) => `  "config": ${line}`);
  return `{\n${[...lists, ...config].join(",\n")}\n}\n`;
}
