// What a form and a run have in common.

/**
 * Whether the form holds a value that the run began without; a run of an older version may not have every field.
 * @param {Record<string, any> | null} form
 * @param {Record<string, any> | null} run
 */
export function differs(form, run) {
  if (!form || !run) return false;
  return Object.entries(form).some(([name, value]) => name in run && JSON.stringify(value) !== JSON.stringify(run[name]));
}
