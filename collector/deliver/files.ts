/**
 * Address and secret of each webhook, one file each, mode 0600: an address often holds a secret of its own.
 *
 * D1  Neither is in the database, in a log, in an event or in a backup of the database.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ensureStateDir, readText, removeFile, writeAtomic } from '../files.ts';
import type { WebhookId } from '../store/types.ts';
import type { WebhookFile, WebhookFiles } from '../types.ts';

const shape = z.strictObject({
  v: z.literal(1),
  url: z.string().max(2048),
  secret: z.string().min(1).max(512),
  ca: z.string().nullable(),
});

export function webhookFiles(dir: string): WebhookFiles {
  const pathOf = (webhook: string) => join(dir, `${webhook}.json`);
  return {
    read: (webhook) => parse(readText(pathOf(webhook))),
    write(webhook, file) {
      ensureStateDir(dir);
      writeAtomic(pathOf(webhook), `${JSON.stringify({ v: 1, ...file }, null, 2)}\n`);
    },
    keepOnly(webhooks) {
      if (!existsSync(dir)) return;
      const kept = new Set(webhooks.map((webhook: WebhookId) => `${webhook}.json`));
      for (const name of readdirSync(dir)) if (!kept.has(name)) removeFile(join(dir, name));
    },
  };
}

function parse(text: string | null): WebhookFile | null {
  if (text === null) return null;
  try {
    const { url, secret, ca } = shape.parse(JSON.parse(text));
    return { url, secret, ca };
  } catch {
    return null;
  }
}
