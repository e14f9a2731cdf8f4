// What a view is given.

/**
 * Where in a view the address leads.
 * @typedef {{path: string[], query: URLSearchParams}} Route
 */

/**
 * @typedef {object} Stage
 * @property {HTMLElement} root where the view draws
 * @property {Route} route
 * @property {AbortSignal} signal ends when another view is shown
 * @property {((route: Route) => boolean) | null} follow set by a view that takes further addresses without being drawn anew; it returns whether it did
 * @property {(text: string) => void} title
 * @property {(path: string[], query?: Record<string, any>) => string} link makes a link within the view
 * @property {(path: string[], query?: Record<string, any>, replace?: boolean) => void} go
 */

/** @typedef {(stage: Stage) => void | Promise<void>} View */

export {};
