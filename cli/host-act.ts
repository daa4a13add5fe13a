/** `tilsyn host approve|resolve|revoke H`. */
import { act } from './act.ts';
import { HOST_ROW } from './host-columns.ts';
import type { Input } from './io.ts';

export function hostApprove(input: Input): Promise<number> {
  return act(input, { path: (host) => `/v1/hosts/${host}/approve`, columns: HOST_ROW });
}

export function hostResolve(input: Input): Promise<number> {
  return act(input, { path: (host) => `/v1/hosts/${host}/resolve`, columns: HOST_ROW });
}

export function hostRevoke(input: Input): Promise<number> {
  return act(input, {
    path: (host) => `/v1/hosts/${host}/revoke`,
    columns: HOST_ROW,
    ask: ({ host, customer, site, lastSeenAt }) =>
      `revoke host ${host} (${customer}, ${site}; last seen ${lastSeenAt ?? 'never'}); it is refused for ever`,
  });
}
