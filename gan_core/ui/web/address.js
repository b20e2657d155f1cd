// Addresses of the live routes, relative to the page, so that a page below another path works too.

/**
 * @param {string} path
 * @param {Record<string, string | number>} [query]
 */
export function address(path, query = {}) {
  const url = new URL(`gradio_api/gan/${path}`, document.baseURI);
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, String(value));
  return url.href;
}
