// SPDX-License-Identifier: Apache-2.0
// The fields of resources, as a page lists them, from the schemas that resources are checked by.
import { z } from "zod";
import { effectiveFelixSpec } from "../../src/model/felix-configuration.ts";
import { ALL_KINDS, type Kind, SCHEMAS } from "../../src/model/resource.ts";

/** A field as a table has it; each a cell in Markdown. */
export interface Field {
  /** `bgp.ipv4Address`, `communities[].name`; from `spec` on, unless it is of `metadata` or `status`. */
  readonly path: string;
  readonly type: string;
  /** The value that holds where there is none, `required`, or empty: the text says what holds then. */
  readonly default: string;
}

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** The fields of a kind, but for those that all kinds have. */
export function fieldsOfKind(kind: Kind): readonly Field[] {
  const { spec, status } = propertiesOf(kind);
  const fields = [...fieldsIn(spec, ""), ...fieldsIn(status, "status.")];
  return kind === "FelixConfiguration" ? fields.map(withEffect) : fields;
}

/** What is not said in one of two resources of the kind may be in the other: so the schema has no defaults. */
function withEffect(field: Field): Field {
  const defaults: Readonly<Record<string, unknown>> = effectiveFelixSpec(undefined, undefined);
  return { ...field, default: defaultOf({ default: defaults[field.path] }) };
}

/** The fields of `metadata` of all kinds. */
export function commonFields(): readonly Field[] {
  const fields = ALL_KINDS.flatMap((kind) => fieldsIn(propertiesOf(kind)["metadata"], "metadata."));
  return withoutRepetition(fields);
}

function propertiesOf(kind: Kind): Readonly<Record<string, JsonSchema | undefined>> {
  const { properties = {} } = z.toJSONSchema(SCHEMAS[kind], {
    io: "input",
    unrepresentable: "any",
    // What a default is filled into is parsed after that, which the conversion takes for a reason to leave it out.
    override: ({ zodSchema: { _zod }, jsonSchema }) => {
      if (_zod.def.type === "default") jsonSchema.default = _zod.def.defaultValue;
    },
  });
  return properties as Readonly<Record<string, JsonSchema>>;
}

/** Every field that holds a value and not further fields; those of a type with a title stand once, below that title. */
function fieldsIn(schema: JsonSchema | undefined, at: string): readonly Field[] {
  const fields = Object.entries(schema?.properties ?? {}).flatMap(([name, property]) =>
    fieldsAt(property as JsonSchema, `${at}${name}`, schema?.required?.includes(name) === true),
  );
  return withoutRepetition(fields);
}

function fieldsAt(schema: JsonSchema, path: string, isRequired: boolean): readonly Field[] {
  const own = { path, type: typeOf(schema), default: isRequired ? "required" : defaultOf(schema) };
  const { value, at } = itemOf(schema, path);
  const variants = value.anyOf ?? [value];
  if (!variants.some(({ properties }) => properties)) return [own];
  if (value.title !== undefined) return [own, ...fieldsIn(value, `${value.title}.`)];
  return variants.flatMap((variant) => fieldsIn(variant, `${at}.`));
}

/** What a list is made of. */
function itemOf(schema: JsonSchema, path: string): { readonly value: JsonSchema; readonly at: string } {
  if (schema.type !== "array") return { value: schema, at: path };
  return itemOf(schema.items as JsonSchema, `${path}[]`);
}

function typeOf(schema: JsonSchema): string {
  if (schema.title !== undefined) return schema.title;
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum) return schema.enum.map(code).join(", ");
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(", or ");
  if (schema.type === "array") return `list: ${typeOf(schema.items as JsonSchema)}`;
  if (schema.type === "integer") return rangeOf(schema);
  if (schema.type === "object") return "map: text to text";
  return schema.type === "boolean" ? "`true`, `false`" : "text";
}

/** Bounds that JavaScript sets by itself say nothing. */
function rangeOf({ minimum, maximum }: JsonSchema): string {
  const [least, most] = [minimum, maximum].map((bound) =>
    bound === undefined || Math.abs(bound) === Number.MAX_SAFE_INTEGER ? undefined : bound,
  );
  if (least === undefined) return "number";
  return most === undefined ? `number, ${least} or more` : `${least} to ${most}`;
}

function defaultOf({ default: value }: JsonSchema): string {
  if (value === undefined) return "";
  return Array.isArray(value) ? code(`[${value.join(", ")}]`) : code(value);
}

function code(value: unknown): string {
  return `\`${value === "" ? '""' : String(value)}\``;
}

function withoutRepetition(fields: readonly Field[]): readonly Field[] {
  return [...new Map(fields.map((field) => [field.path, field])).values()];
}
