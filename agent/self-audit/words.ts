/** Names of what canaries lie in begin so: `agent check` knows them too. */
export const CANARY_PREFIX = 'canary-';
