// The fields of messages over HTTP/2, for programs that have them as for HTTP/1.1. Needs nothing, since clients of `same`
// run without the environment of the tests.

/** Fields that a message of HTTP/2 does not have. */
export const OF_A_CONNECTION = /^(connection|keep-alive|proxy-connection|transfer-encoding|upgrade)$/i;

/** The fields by name, as node takes several lines of one. */
export function grouped(fields) {
  const names = new Map();
  for (const [name, value] of fields) names.set(name.toLowerCase(), [...(names.get(name.toLowerCase()) ?? []), value]);
  return Object.fromEntries([...names].map(([name, values]) => [name, values.length === 1 ? values[0] : values]));
}
